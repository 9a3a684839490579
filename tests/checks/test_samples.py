# SPDX-License-Identifier: Apache-2.0
"""A prompt's own tests: rendered with sample values, and held against words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gitprompt import checks

PROMPT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief.{{#formal}} Be formal.{{/formal}}"},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": [{"type": "text", "text": "Hello {{name}}"}]},
    ],
    "variables": {
        "name": {"type": "string", "required": True},
        "formal": {"type": "boolean", "default": False},
    },
}


def failures(*tests: Any) -> list[tuple[str, int]]:
    """(message, line) of each test that fails."""
    text = yaml.safe_dump({**PROMPT, "tests": list(tests)}, sort_keys=False)
    _, findings = checks.examine(text.encode(), path="prompts/a.yaml", kind="prompt", name="a")
    assert {finding.code for finding in findings} <= {"test"}
    return [(finding.message, finding.line) for finding in findings]


@pytest.mark.parametrize(
    "test",
    [
        {"variables": {"name": "Ada"}, "contains": ["Hello Ada", "Be brief."]},
        {"variables": {"name": "Ada"}, "not_contains": ["{{", "formal"]},
        {"variables": {"name": "Ada", "formal": True}, "contains": ["formal"]},
        {"variables": {"name": "{{x}}"}, "contains": ["{{x}}"]},
        {"variables": {"name": "A"}, "placeholders": {"history": [{"role": "user", "content": "Before"}]},
         "contains": ["Before"]},
        {"name": "nothing is asked", "variables": {"name": "Ada"}},
    ],
)  # fmt: skip
def test_a_test_that_holds_says_nothing(test: Any) -> None:
    assert failures(test) == []


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"variables": {"name": "Ada"}, "contains": ["Bo"]}, "test 1: the rendered text does not contain 'Bo'"),
        ({"variables": {"name": "Ada"}, "not_contains": ["Ada"]}, "test 1: the rendered text contains 'Ada'"),
        ({"name": "greets", "contains": ["x"]}, "test greets: Missing required variables: name"),
        ({"variables": {"name": 3}}, "test 1: variables.name: expected string"),
        ({"variables": {"name": "A"}, "placeholders": {"history": 3}},
         "test 1: placeholders.history: expected a list of messages"),
    ],
)  # fmt: skip
def test_a_test_that_fails_says_what_is_wrong(test: Any, message: str) -> None:
    assert [text for text, _ in failures(test)] == [message]


def test_each_failure_has_its_place() -> None:
    given = {"name": "Ada"}
    lines = [line for _, line in failures(
        {"variables": given, "contains": ["Ada", "Bo"]}, {"variables": given, "not_contains": ["Hello"]}
    )]  # fmt: skip
    assert len(lines) == len(set(lines)) == 2
    assert lines == sorted(lines)
