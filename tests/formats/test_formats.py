# SPDX-License-Identifier: Apache-2.0
"""Documents in their two formats: one digest, and what a merge may leave in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import formats
from gitprompt.core.document import digest
from tests.formats.given import DOCUMENT


@given(DOCUMENT, st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_order_or_style(
    document: dict[str, Any], random: Any
) -> None:
    keys = list(document)
    random.shuffle(keys)
    shuffled = {key: document[key] for key in keys}
    as_json = formats.read(json.dumps(shuffled).encode(), "a.json")
    assert digest(as_json) == digest(document)
    for style in (True, False, None):
        text = yaml.safe_dump(shuffled, default_flow_style=style, allow_unicode=True, width=30)
        try:
            found = formats.read(text.encode(), "a.yaml")
        except formats.FormatError:
            continue  # what YAML 1.1 writes plain and we read as a date or refuse
        if found == document:
            assert digest(found) == digest(document)


def test_whole_numbers_have_one_digest() -> None:
    assert digest({"a": 1.0}) == digest({"a": 1})
    assert digest({"name": "x", "version": "1", "a": 1}) == digest({"a": 1})


@pytest.mark.parametrize("path", ["a.yaml", "a.json"])
def test_the_markers_of_a_merge_are_called_that(path: str) -> None:
    data = b'{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> other\n}\n'
    with pytest.raises(formats.FormatError, match="conflict markers") as refused:
        formats.read(data, path)
    assert (refused.value.line, refused.value.column) == (2, 1)


def test_markers_that_are_content_are_content() -> None:
    text = "<<<<<<< HEAD\n=======\n>>>>>>> other\n"
    block = "a: |\n" + "".join(f"  {line}\n" for line in text.splitlines())
    assert formats.read(block.encode(), ".yaml") == {"a": text}
