# SPDX-License-Identifier: Apache-2.0
"""Messages as people really send them: roles, parts, tool calls, placeholders."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import checks
from gitprompt.checks import schema
from gitprompt.checks.subject import Subject
from gitprompt.core import variables

USER = {"role": "user", "content": "x"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "42"}


def codes(document: Any, *, is_published: bool = False) -> list[str]:
    data = json.dumps(document).encode()
    subject = Subject(data, document, "prompts/a.json", "prompt", "a", None, None)
    findings = checks.judge(subject, {}, is_published=is_published)
    if is_published:
        return [finding.code for finding in checks.errors(findings)]
    return [finding.code for finding in findings]


def of(*messages: Any, **more: Any) -> list[str]:
    return codes({"messages": list(messages), **more})


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "developer", "content": "S"}, USER],
        [USER, CALLS, ANSWER],
        [USER, {**CALLS, "content": "Let me see."}, {**ANSWER, "content": [{"type": "text", "text": "4"}]}, USER],
        [{"role": "system", "content": "S"}, {"type": "placeholder", "name": "history"}, USER],
        [{"type": "placeholder", "name": "history", "required": True}],
        [{"role": "user", "content": [{"type": "text", "text": "What?"},
            {"type": "image_url", "image_url": {"url": "https://x/{{y}}.png"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f"}}]}],
        [{**USER, "name": "Ada"}],
        [{"role": "user", "content": [{"type": "text", "text": ""}]}],
        [USER] * 1_000,
    ],
)  # fmt: skip
def test_what_people_send_has_no_finding(messages: list[Any]) -> None:
    assert of(*messages) == []


@pytest.mark.parametrize(
    "message",
    [
        {"role": "robot", "content": "x"},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "user", "content": []},
        {"role": "user", "content": ["x"]},
        {"role": "user", "content": [{"text": "x"}]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": "x"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 3}}]},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function"}]},
        {"role": "tool", "content": "x"},
        {"role": "tool", "tool_call_id": "x"},
        {"type": "placeholder"},
        {"type": "other", "name": "x"},
        {"type": "placeholder", "name": 3},
        {"content": "x"},
    ],
)
def test_what_no_provider_takes_is_an_error(message: Any) -> None:
    assert set(of(USER, message)) == {"schema"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([USER, CALLS], "tool-calls"),
        ([USER, CALLS, USER], "tool-calls"),
        ([USER, ANSWER], "tool-calls"),
        ([USER, CALLS, ANSWER, ANSWER], "tool-calls"),
        ([{"role": "user", "content": [{"type": "novel", "x": 1}]}], "message-part"),
        ([USER, {"role": "developer", "content": "x"}, USER], "message-order"),
    ],
)
def test_what_is_odd_is_a_warning(messages: list[Any], code: str) -> None:
    assert code in of(*messages)
    assert checks.SEVERITIES[code] == "warning"


def test_answers_may_come_with_a_placeholder() -> None:
    assert of(USER, CALLS, {"type": "placeholder", "name": "answers"}, ANSWER, USER) == []


def test_a_template_in_a_part_is_checked_at_its_place() -> None:
    text = (
        "messages:\n- role: user\n  content:\n  - {type: text, text: ok}\n"
        "  - type: text\n    text: see {{b}}\nvariables: {a: {type: string}}\n"
    )
    _, findings = checks.examine(text.encode(), path="prompts/a.yaml", kind="prompt", name="a")
    assert [(one.code, one.line, one.column) for one in findings] == [
        ("undeclared-variable", 6, 15),
        ("unused-variable", 7, 16),
    ]


def test_a_placeholder_has_the_name_of_a_variable() -> None:
    assert of({"type": "placeholder", "name": "1st"}, USER) == ["variable-name"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"response_format": {"type": "json_object"}}, []),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}}, []),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "objekt"}}}}, ["json-schema"]),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$schema": "http://127.0.0.1:9/x"}}}}, ["json-schema"]),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}, []),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": "a"}}}]}, ["json-schema"]),
        ({"tools": [{"type": "function", "function": {}}]}, ["schema"]),
        ({"tools": [{"type": "web_search"}], "tool_choice": "auto"}, []),
        ({"response_format": {}}, ["schema"]),
    ],
)  # fmt: skip
def test_schemas_inside_a_prompt_are_schemas(more: Any, expected: list[str]) -> None:
    assert of(USER, **more) == expected


# What was published stays

OLD = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.just("x {{a}}")},
        optional={key: st.sampled_from([None, 1, "x", [], [1], {}, {"type": "placeholder"}])
                  for key in ("tool_calls", "tool_call_id", "type", "required", "x")},
    ), min_size=1, max_size=4)},
    optional={key: st.sampled_from([None, 1, "x", [], [{"type": 3}], {"type": "json_schema"},
                                   [{"contains": ["z"]}], [{"variables": 3, "contains": 1}]])
              for key in ("tools", "tool_choice", "response_format", "deprecated", "tests", "x")},
)  # fmt: skip


@given(OLD)
def test_what_could_be_published_before_is_served_and_rendered(document: Any) -> None:
    assert schema.was_valid(document)
    assert codes(document, is_published=True) == []
    rendered = variables.render(document, {"a": "y"})
    assert [message["role"] for message in rendered] == [
        message["role"] for message in document["messages"]
    ]
