# SPDX-License-Identifier: Apache-2.0
"""None"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from gitprompt import checks
from gitprompt.checks.shortcut import is_surely_valid
from gitprompt.checks.subject import Publication, Subject
from gitprompt.core.document import digest
from gitprompt.core.model import Kind
from tests.checks.documents import BROKEN, PROMPT, A, found, prompt
from tests.world import SEED


@pytest.mark.parametrize(
    "check", checks.CHECKS, ids=lambda check: check.__name__.rpartition(".")[2]
)
def test_every_check_keeps_the_contract(check: Any) -> None:
    assert check.CODES
    assert set(check.CODES) <= set(checks.SEVERITIES)
    assert set(check.CODES.values()) <= {"error", "warning"}
    data = json.dumps(SEED).encode()
    examples: dict[Kind, Any] = {"prompt": SEED, "suite": {"prompt_name": A}, "settings": {}}
    for kind, document in examples.items():
        subject = Subject(data, document, "a.json", kind, "welcome", "1.0.0", None)
        assert list(check.find(subject)) == list(check.find(subject)) == []
    if not check.NEEDS_SHAPE:
        values: list[Any] = [None, 1, "x", [], {}, {"messages": 3}]
        for value in values:
            list(check.find(Subject(b"x", value, "a.json", "prompt", A, None, None)))


def test_codes_are_not_shared() -> None:
    codes = [code for check in checks.CHECKS for code in check.CODES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("schema", "error", 1, 1)]),
        ("- a\n", [("schema", "error", 1, 1)]),
        ("description: x\n", [("schema", "error", 1, 1)]),
        ("messages: []\n", [("schema", "error", 1, 11)]),
        ('version: 1.10\n' + prompt("x"), [("schema", "error", 1, 10)]),
        (prompt("x").replace("user", "robot"), [("schema", "error", 2, 11)]),
        (prompt("x", "variables:\n  v: {type: string, sort: x}\n"), [("schema", "error", 5, 27)]),
        (prompt("x", "tags: [1]\n"), [("schema", "error", 4, 8)]),
        (prompt(""), [("schema", "error", 3, 14)]),
        ("name: other\n" + prompt("x"), [("name", "error", 1, 7)]),
        ('version: "1.0"\n' + prompt("x"), []),
        ("version: 1.0.0.0\n" + prompt("x"), [("schema", "error", 1, 10)]),
        (prompt("{{a"), [("template", "error", 3, 15)]),
        (prompt("x {{>p}}"), [("fragment", "error", 3, 17)]),
        (prompt('{{"a": 1}}'), [("json-braces", "error", 3, 15)]),
        (prompt("{{a}}", "variables: {b: {type: string}}\n"),
         [("undeclared-variable", "error", 3, 15), ("unused-variable", "warning", 4, 16)]),
        (prompt("{{a}}", "variables: {a: {type: number, default: x}}\n"),
         [("variable-default", "error", 4, 40)]),
        (prompt("x", "type: text\n"), []),
        (prompt("x", "  - {role: user, content: y}\ntype: text\n"), [("text-type", "error", 5, 7)]),
        (prompt("x", "  - {role: system, content: y}\n"), [("message-order", "warning", 4, 12)]),
        (prompt("x", "  - {role: assistant, content: y}\n"), [("message-order", "warning", 4, 12)]),
        (prompt("a \nb"), [("whitespace", "warning", 3, 16)]),
        (prompt("a\tb"), [("whitespace", "warning", 3, 16)]),
    ],
)  # fmt: skip
def test_findings_have_code_severity_and_place(text: str, expected: Any) -> None:
    assert found(text) == expected


def test_a_large_prompt_is_warned_about() -> None:
    messages = [{"role": "user", "content": "x" * 90_000}] * 3
    text = json.dumps({"messages": messages})
    assert [f[:2] for f in found(text, path="a.json")] == [("size", "warning")]


def test_a_document_that_differs_from_its_publication_is_found() -> None:
    text = 'version: "1.0.0"\n' + prompt("x")
    same = Publication("1.0.0", digest({"messages": [{"role": "user", "content": "x"}]}))
    assert found(text, publication=same) == []
    assert found(text, publication=same._replace(digest="0")) == [
        ("changed-after-publish", "error", 1, 10)
    ]


def test_severities_are_settable() -> None:
    text = prompt("a \nb {{c", "")
    found_now = found(text, severities={"whitespace": "error", "template": "off"})
    assert [f[:2] for f in found_now] == [("whitespace", "error"), ("template", "error")]
    assert found("checks: {template: warning}\n", kind="settings")[0][0] == "schema"


@given(PROMPT | BROKEN)
@settings(max_examples=300)
def test_what_the_shortcut_accepts_has_no_error(document: Any) -> None:
    data = json.dumps(document).encode()
    subject = Subject(data, document, "a.json", "prompt", "welcome", "1.0.0", None)
    try:
        accepted = is_surely_valid(
            subject.data, subject.document, subject.name, subject.version or ""
        )
    except (AttributeError, TypeError):
        raise AssertionError("the shortcut must take any value") from None
    if accepted:
        assert checks.errors(checks.judge(subject, {})) == ()
