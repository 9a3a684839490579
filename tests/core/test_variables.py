# SPDX-License-Identifier: Apache-2.0
"""Variables: what is given, what is missing, and what is read as another type."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.core import variables
from gitprompt.errors import BadRequest, Invalid
from tests.core.documents import prompt


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


# Names


@pytest.mark.parametrize("name", ["a", "_", "größe", "名前", "first-name", "नाम", "x1", "é" * 128])
def test_a_name_is_of_letters_of_any_script(name: str) -> None:
    assert variables.is_variable_name(name)


@pytest.mark.parametrize(
    "name", ["", "1a", "-a", "a b", "a.b", "a€", "€", "a\u2014b", "×", "a" * 129, "é" * 129, "a\n"]
)
def test_what_cannot_be_a_name_is_none(name: str) -> None:
    assert not variables.is_variable_name(name)


# Without declarations


@pytest.mark.parametrize(
    ("content", "given", "text"),
    [
        ("Hi {{user.name}}!", {"user": '{"name": "Ada"}'}, "Hi Ada!"),
        ("Hi {{user.name}}!", {"user": {"name": "Ada"}}, "Hi Ada!"),
        ("Hi {{user.name}}!", {"user.name": "Ada"}, "Hi Ada!"),
        ("{{a.b.c}}{{a.d}}", {"a.b.c": "1", "a.d": "2"}, "12"),
        ("{{user.name}}", {"user": '{"name": "Ada"}', "user.name": "Bo"}, "Ada"),
        (
            "{{#items}}- {{name}};{{/items}}",
            {"items": '[{"name": "x"}, {"name": "y"}]'},
            "- x;- y;",
        ),
        ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": "false"}, "no"),
        ("{{#on}}yes{{/on}}", {"on": "true"}, "yes"),
        ("{{#name}}Hi {{name}}{{/name}}", {"name": "Ada"}, "Hi Ada"),
        ("{{#a}}{{#b.c}}x{{/b.c}}{{/a}}", {"a": "true", "b": '{"c": 1}'}, "x"),
        ("{{user.name}}", {"user": "{broken"}, ""),
        ("{{plain}}", {"plain": '{"a": 1}'}, '{"a": 1}'),
        ("{{plain}}", {"plain.x": "1"}, ""),
        ("{{a.b}}", {"a.": "1", ".b": "2", "a..b": "3"}, ""),
    ],
)
def test_undeclared_variables_are_what_the_template_reads_of_them(
    content: str, given: dict[str, Any], text: str
) -> None:
    document = {"messages": [{"role": "user", "content": content}]}
    assert variables.render(document, given)[0]["content"] == text


def test_fields_of_a_declared_object_may_be_given_one_by_one() -> None:
    document = prompt("{{user.name}} {{user.age}}", user={"type": "object", "required": True})
    given = {"user.name": "Ada", "user.age": "36"}
    assert variables.render(document, given)[0]["content"] == "Ada 36"


@pytest.mark.parametrize(("text", "value"), [("True", True), ("FALSE", False), ("true", True)])
def test_booleans_are_read_in_any_case(text: str, value: bool) -> None:
    document = prompt("{{a}}", a={"type": "boolean"})
    assert variables.bind(document, {"a": text}) == {"a": value}
