# SPDX-License-Identifier: Apache-2.0
"""Prompts of MLflow's registry."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.transfer.foreign.mlflow_prompts import version_of
from gitprompt.transfer.foreign.records import Losses, Unreadable


@pytest.mark.parametrize("text", ['{"a": 1}', '"q"', "[1, 2]", "null", "{{x}}"])
def test_a_text_is_not_taken_for_json(text: str) -> None:
    document = version_of({"name": "p", "version": 1, "template": text}, Losses()).document
    assert document == {"type": "text", "messages": [{"role": "user", "content": text}]}


@pytest.mark.parametrize(
    "record", [{"name": "p", "version": 1, "template": None}, {"version": 1, "template": "x"}]
)
def test_what_has_no_text_or_name_is_refused(record: Any) -> None:
    with pytest.raises(Unreadable):
        version_of(record, Losses())


def test_settings_and_the_shape_of_the_answer() -> None:
    record = {
        "name": "p",
        "version": 2,
        "template": "x",
        "response_format": '{"type": "object"}',
        "model_config": '{"model": "m"}',
        "tags": {"a": "b"},
    }
    document = version_of(record, Losses()).document
    assert document["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (document["model_config"], document["tags"]) == ({"model": "m"}, ["a=b"])
