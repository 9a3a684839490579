# SPDX-License-Identifier: Apache-2.0
"""The schemas, and two libraries that must agree on them."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from hypothesis import given
from jsonschema import Draft7Validator

from gitprompt.checks import schema
from gitprompt.checks.shape import is_surely_shaped
from gitprompt.core.model import Kind
from tests.checks.documents import ANY, BROKEN, PROMPT, found
from tests.world import SEED


def test_the_shape_of_suites_and_settings() -> None:
    assert found("prompt_name: a\n", kind="suite", name="s") == []
    assert found("description: a\n", kind="suite", name="s")[0][0] == "schema"
    assert found("prompt_name: a\n", kind="suite", name="12")[0][0] == "name"
    assert (
        found("prompt_name: a\ncriteria: {min_score: -1}\n", kind="suite", name="s")[0][0]
        == "schema"
    )
    assert found("labels: {protected: {prod: admin}}\nchecks: {size: off}\n", kind="settings") == []
    assert found("labels: {protected: {prod: me}}\n", kind="settings")[0][0] == "schema"
    assert found("label: {}\n", kind="settings")[0][0] == "schema"


@given(PROMPT | BROKEN | ANY)
def test_both_schema_libraries_give_the_same_verdict(document: Any) -> None:
    loaded = schema.load("prompt")
    verdict = jsonschema_rs.validator_for(loaded).is_valid(document)
    assert verdict == Draft7Validator(loaded).is_valid(document)
    assert verdict or not is_surely_shaped(document)


def test_a_plain_prompt_needs_no_schema_library() -> None:
    assert is_surely_shaped(SEED)


def test_the_schemas_are_valid_and_described() -> None:
    kinds: tuple[Kind, ...] = ("prompt", "suite", "settings")
    for kind in kinds:
        loaded = schema.load(kind)
        Draft7Validator.check_schema(loaded)
        for name, value in loaded["properties"].items():
            assert value.get("description"), f"{kind}.{name} has no description for editors"
