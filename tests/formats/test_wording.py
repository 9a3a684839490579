# SPDX-License-Identifier: Apache-2.0
"""Why a value is not valid, in the words of the rule that it breaks."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from gitprompt.checks import schema
from gitprompt.formats.wording import faults, short

USER = {"role": "user", "content": "Hi"}
VARIABLE = "a letter or '_', then up to 127 letters, digits, '_' and '-'"
EITHER = {
    "anyOf": [{"$ref": "#/$defs/Item"}, {"type": "array", "items": {"$ref": "#/$defs/Item"}}],
    "$defs": {
        "Item": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "maxLength": 3, "pattern": "^[^\\u0000]*$"},
                "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
            },
        }
    },
}


def said(rules: Any, value: Any) -> list[str]:
    return [fault.message for fault in faults(rules, value, limit=20)]


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ({}, ["the document: 'messages' is required"]),
        ([USER], ["the document: expected object, found array"]),
        ({"messages": []}, ["messages is empty"]),
        ({"messages": [3]}, ["messages[0]: expected object, found number"]),
        (
            {"messages": [{"role": "user", "content": {}}]},
            ["messages[0].content: expected string, array or nothing, found object"],
        ),
        (
            {"messages": [USER], "version": 1.1, "tags": [True]},
            ["version: expected string, found number", "tags[0]: expected string, found boolean"],
        ),
        (
            {"messages": [USER], "variables": {"a b": {"type": "strin"}}},
            [
                f"variables: a b is not of the form {VARIABLE}",
                "variables.a b.type: strin is not one of string, number, boolean, array, object",
            ],
        ),
    ],
)
def test_a_prompt_is_told_what_its_schema_asks_for(document: Any, sentences: list[str]) -> None:
    assert sorted(said(schema.load("prompt"), document)) == sorted(sentences)


@pytest.mark.parametrize(
    ("value", "sentences"),
    [
        (3, ["the document: expected object or array, found number"]),
        ({}, ["the document: 'name' is required"]),
        ([{"name": "a"}, {"name": 1}], ["[1].name: expected string, found number"]),
        ({"name": "abcd"}, ["name has 4 entries or characters; at most 3 are allowed"]),
        ({"name": "a\0"}, ["name: it has the character U+0000"]),
        ({"name": "a", "note": []}, ["note: expected string or nothing, found array"]),
        (
            {"name": "a", "note": "abcd"},
            ["note has 4 entries or characters; at most 3 are allowed"],
        ),
        ({"name": "a", "note": None, "size": 0}, ["size: 0 is not at least 1"]),
        ({"name": "a", "size": 10}, ["size: 10 is not at most 9"]),
    ],
)
def test_of_alternatives_only_those_of_its_type_are_told(value: Any, sentences: list[str]) -> None:
    assert said(EITHER, value) == sentences


def test_a_long_wrong_array_costs_its_first_faults() -> None:
    value = [1] * 100_000
    said(EITHER, [1])  # what is imported and compiled once does not count
    tracemalloc.start()
    sentences = said(EITHER, value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sentences) == 20
    assert peak < 1_000_000


def test_a_value_is_shown_in_a_few_characters() -> None:
    assert short("x" * 100) == "x" * 77 + "…"
    assert short({"ü": 1}) == '{"ü": 1}'
