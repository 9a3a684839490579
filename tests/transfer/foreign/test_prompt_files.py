# SPDX-License-Identifier: Apache-2.0
"""What files of prompts share: settings at the head, roles, variables, YAML for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import formats
from gitprompt.transfer.foreign.prompt_files import (
    NotSuch,
    by_roles,
    front_matter,
    in_yaml,
    variables_of,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**6) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "description", "x", "type", "metadata"]), VALUES, min_size=1
    )
)
def test_what_is_written_for_people_is_read_back(document: dict[str, Any]) -> None:
    assert formats.read(in_yaml(document).encode(), ".yaml") == document


def test_the_head_of_a_file() -> None:
    assert front_matter("---\na: 1\n---\nbody\n") == ({"a": 1}, "body\n", 4)
    assert front_matter("---\r\na: 1\r\n---\r\nbody") == ({"a": 1}, "body", 4)
    assert front_matter("---\n---\nx") == ({}, "x", 3)
    assert front_matter("a --- b") is None
    with pytest.raises(NotSuch, match="no YAML"):
        front_matter("---\na: [\n---\n")


def test_roles_alone_on_a_line_or_at_its_beginning() -> None:
    body = "system:\nOne: two\n\nuser:\nTell me: why"
    assert by_roles(body, 5, alone=True) == [("system", "One: two", 6), ("user", "Tell me: why", 9)]
    assert by_roles("System: a\nb\nUser: c", 1, alone=False) == [
        ("system", "a\nb", 1),
        ("user", "c", 3),
    ]
    assert by_roles("just text", 3, alone=True) == [("user", "just text", 3)]


def test_variables_in_our_words() -> None:
    assert variables_of({"a": "integer", "b": {"type": "str", "required": True}, "c": {}, "d": {"required": True}}, {"d": [1], "e": True}) == {
        "a": {"type": "number"}, "b": {"type": "string", "required": True}, "c": {"type": "string"},
        "d": {"type": "array", "default": [1]}, "e": {"type": "boolean", "default": True},
    }  # fmt: skip
