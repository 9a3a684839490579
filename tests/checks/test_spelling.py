# SPDX-License-Identifier: Apache-2.0
"""Keys that are nearly ours are pointed out; others are their team's own."""

from __future__ import annotations

import pytest

from gitprompt import checks
from gitprompt.checks import schema
from gitprompt.core.document import KEYS
from tests.checks.documents import found, prompt


def keys_of(text: str) -> list[str]:
    _, findings = checks.examine(
        text.encode(), path="prompts/a.yaml", kind="prompt", name="welcome"
    )
    return [one.message.split("'")[3] for one in findings if one.code == "misspelt-key"]


def test_our_keys_are_those_of_the_schema() -> None:
    assert schema.load("prompt")["properties"].keys() == KEYS


@pytest.mark.parametrize("key", sorted(KEYS - {"messages"}))
def test_every_key_is_recognised_with_one_letter_wrong(key: str) -> None:
    swapped = key[0] + key[2] + key[1] + key[3:]
    for wrong in (swapped, key[:-1], key + "z", key[:2] + key[3:], key.capitalize()):
        if wrong not in KEYS:
            assert keys_of(prompt("x", f"{wrong}: 1\n")) == [key], wrong


def test_a_misspelt_key_has_its_place_and_stays_a_warning() -> None:
    assert found(prompt("x", "desciption: y\n")) == [("misspelt-key", "warning", 4, 13)]


@pytest.mark.parametrize(
    "key", ["x-desciption", "owner", "team", "notes", "1", "''", "versions_of_our_own", "k" * 5_000]
)
def test_other_keys_are_their_teams_own(key: str) -> None:
    assert keys_of(prompt("x", f"{key}: y\n")) == []


def test_a_key_is_not_meant_if_it_is_there_itself() -> None:
    assert keys_of(prompt("x", "tags: [a]\ntag: b\n")) == []
