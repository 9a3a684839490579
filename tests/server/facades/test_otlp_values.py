# SPDX-License-Identifier: Apache-2.0
"""Ids, times, attributes and names of OTLP's JSON."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.server.facades.otlp_values import (
    attributes_of,
    from_base64,
    from_hex,
    hexadecimal,
    in_camel_case,
    milliseconds,
    status_of,
)

SPAN = "b7ad6b7169203331"


def test_ids_are_of_their_size_and_not_zero() -> None:
    assert from_base64("t61rcWkgMzE=", 8) == from_hex(SPAN.upper(), 8) == SPAN
    for text, why in (("%%%", "cannot be read"), ("AAAA", "8 bytes"), ("AAAAAAAAAAA=", "zeros")):
        with pytest.raises(ValueError, match=why):
            from_base64(text, 8)
    wrong: list[tuple[Any, str]] = [
        (SPAN[1:], "16 hex"), (None, "16 hex"), ("0" * 16, "zeros"), ("x" * 16, "non-hexadecimal"),
    ]  # fmt: skip
    for text, why in wrong:
        with pytest.raises(ValueError, match=why):
            from_hex(text, 8)
    assert hexadecimal("t61rcWkgMzE=") == hexadecimal(SPAN) == SPAN


def test_attributes_have_the_types_of_the_protocol() -> None:
    pairs: list[Any] = [
        {"key": "i", "value": {"intValue": "7"}}, {"key": "d", "value": {"doubleValue": 1}},
        {"key": "b", "value": {"boolValue": True}}, {"key": "n", "value": {}}, {"key": "e"},
        {"key": "a", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
        {"key": "k", "value": {"kvlistValue": {"values": [{"key": "z", "value": {"intValue": 1}}]}}},
    ]  # fmt: skip
    assert attributes_of(pairs) == {
        "i": 7, "d": 1.0, "b": True, "n": None, "e": None, "a": ["x"], "k": {"z": 1},
    }  # fmt: skip
    assert attributes_of(None) == {}
    with pytest.raises(ValueError, match="64 bits"):
        attributes_of([{"key": "i", "value": {"intValue": "9" * 30}}])


def test_names_are_respelled_and_what_attributes_are_called_is_not() -> None:
    value = {"trace_id": "x", "attributes": [{"key": "my_key", "value": {"int_value": 1}}]}
    assert in_camel_case(value) == {
        "traceId": "x", "attributes": [{"key": "my_key", "value": {"intValue": 1}}],
    }  # fmt: skip


def test_times_and_statuses() -> None:
    assert (milliseconds("1999999"), milliseconds(None)) == (1, None)
    for wrong in (-1, 1 << 64):
        with pytest.raises(ValueError, match="out of range"):
            milliseconds(wrong)
    said = (None, 0, 1, 2, 9, "STATUS_CODE_ERROR", "STATUS_CODE_OK", "x")
    assert [status_of(code) for code in said] == [
        "unset", "unset", "ok", "error", "unset", "error", "ok", "unset",
    ]  # fmt: skip
