# SPDX-License-Identifier: Apache-2.0
"""JSON, by two readers with one outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from gitprompt import formats
from gitprompt.formats import fast_json
from tests.formats.given import DOCUMENT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' appears twice"),
        (b'{"a" : 1, "a": 2}', "the key 'a' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "the key 'a' appears twice"),
        (b'{"b": "\\u0022:", "a": 1, "a": 2}', "the key 'a' appears twice"),
        (b'{"b": "\\u003a", "a": 1, "a": 2}', "the key 'a' appears twice"),
        (b'{"a": {"b": 1, "b": "x\\":"}}', "the key 'b' appears twice"),
        (b'{"a": 1} {}', "Extra data"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "not JSON"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": "x\ny"}', "not JSON"),
        (b"[" * 100_000, "nested deeper than 64"),
        (b"[" * 70 + b"]" * 70, "nested deeper than 64"),
        (b"[" + b"1," * 100_001 + b"1]", "more than 100000 values"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_bad_json_is_refused_in_both_readers(data: bytes, message: str) -> None:
    for read in (formats.read, fast_json.read):
        with pytest.raises(formats.FormatError, match=message):
            read(data, "a.json")


@given(DOCUMENT)
def test_both_json_readers_agree(document: dict[str, Any]) -> None:
    for ascii in (True, False):
        data = json.dumps(document, ensure_ascii=ascii, indent=1).encode()
        assert fast_json.read(data, "a.json") == formats.read(data, "a.json") == document
