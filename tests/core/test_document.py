# SPDX-License-Identifier: Apache-2.0
"""Variables, rendering, diff and bump: the pure rules about one or two documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from gitprompt import checks, formats
from gitprompt.core import variables
from gitprompt.core.diff import compare, deserved_bump, segments
from gitprompt.core.document import place, served
from gitprompt.errors import BadRequest, Invalid
from tests.world import SEED


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_document_of_the_seed_is_valid_as_it_stands(suffix: str) -> None:
    data = (json.dumps(SEED) if suffix == "json" else yaml.safe_dump(SEED)).encode()
    document, findings = checks.examine(
        data, path=f"prompts/welcome.{suffix}", kind="prompt", name="welcome", version="1.0.0"
    )
    assert findings == []
    assert document == SEED


def prompt(content: str, **declared: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if declared:
        document["variables"] = declared
    return document


def test_rendering_fills_in_user_and_system_messages_only() -> None:
    document = {
        "messages": [
            {"role": "system", "content": "{{a}}"},
            {"role": "assistant", "content": "{{a}}"},
            {"role": "user", "content": "{{a}}", "name": "Bo"},
        ]
    }
    rendered = variables.render(document, {"a": "x"})
    assert [m["content"] for m in rendered] == ["x", "{{a}}", "x"]
    assert rendered[2]["name"] == "Bo"


def test_missing_required_variables_are_named_together() -> None:
    document = prompt(
        "{{a}}{{b}}{{c}}",
        b={"type": "string", "required": True},
        a={"type": "string", "required": True},
        c={"type": "string", "required": True, "default": "z"},
    )
    with pytest.raises(BadRequest, match=r"Missing required variables: a, b\Z"):
        variables.bind(document, {})
    assert variables.bind(document, {"a": "1", "b": "2", "x": "ignored"}) == {
        "a": "1",
        "b": "2",
        "c": "z",
    }


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("number", "3", 3),
        ("number", "-1.5e2", -150.0),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("array", '["a"]', ["a"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("string", "3", "3"),
        ("array", [1], [1]),
    ],
)
def test_text_is_read_as_the_declared_type(kind: str, given: Any, expected: Any) -> None:
    assert variables.bind(prompt("{{v}}", v={"type": kind}), {"v": given}) == {"v": expected}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("number", "x"), ("number", "NaN"), ("number", "1e999"), ("number", "01"), ("number", True),
        ("boolean", "yes"), ("array", "{}"), ("object", "[]"), ("object", "{"), ("string", 3),
        ("array", "[" * 5000), ("array", '["\\ud800"]'), ("array", "[NaN]"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused(kind: str, given: Any) -> None:
    with pytest.raises(Invalid, match=r"variables\.v: expected"):
        variables.bind(prompt("{{v}}", v={"type": kind}), {"v": given})


def test_without_declarations_every_variable_is_an_optional_string() -> None:
    assert variables.render(prompt("a{{b}}c"), {})[0]["content"] == "ac"
    assert variables.effective(prompt("{{b}}")) == {"b": {"type": "string"}}


def test_fields_of_items_are_not_variables() -> None:
    document = prompt("{{#items}}{{title}}{{/items}}", items={"type": "array"})
    assert [name for name, _, _ in variables.used(document)] == ["items"]
    flag = prompt("{{#on}}{{title}}{{/on}}", on={"type": "boolean"})
    assert [name for name, _, _ in variables.used(flag)] == ["on", "title"]


STRING = {"type": "string"}
REQUIRED = {"type": "string", "required": True}


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        (prompt("a {{x}}", x=STRING), prompt("b {{x}}", x=STRING), "patch"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}{{y}}", x=STRING, y=STRING), "minor"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}{{y}}", x=STRING, y=REQUIRED), "major"),
        (prompt("{{x}}{{y}}", x=STRING, y=STRING), prompt("{{x}}", x=STRING), "major"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}", x=REQUIRED), "major"),
        (prompt("{{x}}", x=REQUIRED), prompt("{{x}}", x=STRING), "minor"),
        (prompt("{{x}}", x=STRING), prompt("{{x}}", x={"type": "number"}), "major"),
        (prompt("{{x}}", x={**STRING, "default": "a"}), prompt("{{x}}", x={**STRING, "default": "b"}), "minor"),
        (prompt("{{x}}", x={**REQUIRED, "default": "a"}), prompt("{{x}}", x=REQUIRED), "major"),
        (prompt("x"), {**prompt("x"), "description": "new"}, "patch"),
        (prompt("x"), {**prompt("x"), "model_config": {"model": "m"}}, "minor"),
        (prompt("x"), {**prompt("x"), "type": "text"}, "major"),
        (prompt("x"), {**prompt("x"), "type": "chat"}, None),
        (prompt("x"), {"messages": [*prompt("x")["messages"], *prompt("y")["messages"]]}, "minor"),
        (prompt("x"), {"messages": [{"role": "system", "content": "x"}]}, "minor"),
        (prompt("x"), {**prompt("x"), "name": "n", "version": "2.0.0"}, None),
    ],
)  # fmt: skip
def test_the_bump_that_a_change_deserves(before: Any, after: Any, bump: str | None) -> None:
    assert deserved_bump(compare(before, after)) == bump


def test_a_change_is_told_by_its_path() -> None:
    before = {**prompt("Hello"), "model_config": {"temperature": 0.7, "model": "a"}}
    after = {**prompt("Hello there"), "model_config": {"temperature": 0.2, "model": "a"}}
    changes = compare(before, after)
    assert [(c.area, c.kind, c.path) for c in changes] == [
        ("messages", "changed", "messages[0]"),
        ("settings", "changed", "model_config.temperature"),
    ]


def test_segments_put_both_sides_together_again() -> None:
    before, after = "the quick brown fox\njumps", "the slow brown fox\njumped over"
    pieces = segments(before, after)
    assert "".join(t for op, t in pieces if op != "insert") == before
    assert "".join(t for op, t in pieces if op != "delete") == after
    assert ("equal", " brown fox\n") in pieces


def test_very_long_texts_are_compared_in_reasonable_time() -> None:
    before, after = "a b " * 25_000, "a c " * 25_000
    assert segments(before, after) == [("delete", before), ("insert", after)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("prompts/welcome.yaml", ("prompt", "welcome", None)),
        ("prompts/support/triage.json", ("prompt", "support/triage", None)),
        ("prompts/welcome/1.2.0.json", ("prompt", "welcome", "1.2.0")),
        ("prompts/1.2.0.json", ("prompt", "1.2.0", None)),
        ("evals/a/b.yml", ("suite", "a/b", None)),
        ("gitprompt.yaml", ("settings", "", None)),
        ("README.md", (None, "", None)),
        ("prompts/readme.md", (None, "", None)),
    ],
)
def test_a_path_says_what_a_file_is(path: str, expected: Any) -> None:
    assert place(path) == expected


def test_what_is_served_carries_name_and_version_first() -> None:
    assert list(served({"messages": [], "version": "0"}, name="a", version="1"))[:2] == [
        "name",
        "version",
    ]
    assert formats.as_json(b"a: 1\n", "x.yaml", {"a": 1}) == b'{"a":1}'
