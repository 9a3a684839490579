# SPDX-License-Identifier: Apache-2.0
"""What a template reads is declared under a name that can be one, and what is declared is read."""

from __future__ import annotations

import pytest

from gitprompt import checks
from tests.checks.documents import found, prompt


def codes(content: str, variables: str = "") -> list[str]:
    more = f"variables: {variables}\n" if variables else ""
    return [code for code, *_ in found(prompt(content, more))]


@pytest.mark.parametrize(
    ("content", "variables"),
    [
        ("Hi {{größe}} {{名前}}", "{größe: {type: string}, 名前: {type: string}}"),
        ("Hi {{größe}} {{名前}}", ""),
        ("{{first-name}}", "{first-name: {type: string}}"),
        ("{{#items}}{{1st}} {{a€}}{{/items}}", "{items: {type: array}}"),  # fields of an item
        ("{{user.1st}}", "{user: {type: object}}"),
        ("{{#on}}{{name}}{{/on}}", "{on: {type: boolean}, name: {type: string}}"),
    ],
)
def test_one_rule_holds_for_what_is_read_and_what_is_declared(content: str, variables: str) -> None:
    assert codes(content, variables) == []


@pytest.mark.parametrize(
    ("content", "variables", "expected"),
    [
        ("{{1st}}", "", ["variable-name"]),
        ("{{a€}}", "", ["variable-name"]),
        ("{{1st.x}}", "", ["variable-name"]),
        ("x", "{a—b: {type: string}}", ["schema"]),
        ("x{{a}}", "{a: {type: string}, b€: {type: string}}", ["variable-name", "unused-variable"]),
        ("{{a}}", "{b: {type: string}}", ["undeclared-variable", "unused-variable"]),
        ("{{a}}", "{a: {type: number, default: x}}", ["variable-default"]),
    ],
)
def test_what_breaks_the_rule_is_found(content: str, variables: str, expected: list[str]) -> None:
    assert sorted(codes(content, variables)) == sorted(expected)


def test_a_variable_that_is_nearly_declared_is_pointed_out() -> None:
    text = prompt("{{nmae}}", "variables: {name: {type: string}}\n")
    _, findings = checks.examine(text.encode(), path="prompts/a.yaml", kind="prompt", name="a")
    assert "did you mean 'name'?" in findings[0].hint


def test_a_name_is_reported_once_for_all_its_uses() -> None:
    assert codes("{{a}} {{a}}", "{b: {type: string}}").count("undeclared-variable") == 1
