# SPDX-License-Identifier: Apache-2.0
"""Messages: which texts are templates, and what takes the place of a placeholder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core import variables
from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.messages import calls_of, templates, texts
from gitprompt.errors import BadRequest, Invalid

PARTS: list[Any] = [
    {"type": "text", "text": "What is {{what}}?"},
    {"type": "image_url", "image_url": {"url": "https://x/{{id}}.png", "detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "{{data}}", "format": "wav"}},
    {"type": "novel", "text": "{{text}}"},
]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "{{b}}"}'}}
HISTORY: dict[str, Any] = {"type": "placeholder", "name": "history"}


def render(*messages: Any, given: Any = None, **placeholders: Any) -> list[dict[str, Any]]:
    return variables.render({"messages": list(messages)}, given or {}, placeholders)


def test_text_and_urls_of_instructions_and_questions_are_templates() -> None:
    messages = [{"role": role, "content": PARTS} for role in ("system", "developer", "user")]
    assert [where[3:] for where, _ in templates(messages)] == [
        (0, "text"), (1, "image_url", "url"),
    ] * 3  # fmt: skip
    (message,) = render(messages[2], given={"what": "this", "id": "7", "data": "x", "text": "x"})
    assert message["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://x/7.png", "detail": "low"}},
        *PARTS[2:],
    ]
    assert PARTS[0]["text"] == "What is {{what}}?"  # the document stays as it is


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "{{a}}"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "{{a}}"},
        {"role": "assistant", "content": [{"type": "text", "text": "{{a}}"}]},
    ],
)
def test_what_a_model_or_a_tool_said_stays_verbatim(message: dict[str, Any]) -> None:
    assert render(message, given={"a": "x"}) == [message]


def test_a_text_that_a_model_reads_is_one_whoever_says_it() -> None:
    question = {"role": "user", "content": PARTS}
    messages: list[Any] = [{"role": "assistant", "content": "a"}, question, HISTORY]
    assert [text for _, text in texts(messages)] == ["a", "What is {{what}}?"]


def test_messages_take_the_place_of_a_placeholder_and_are_no_templates() -> None:
    history = [
        {"role": "user", "content": "{{secret}}"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "{{x}}"}]},
    ]
    first, last = {"role": "system", "content": "S"}, {"role": "user", "content": "{{q}}"}
    rendered = render(first, HISTORY, last, given={"q": "Q", "secret": "s"}, history=history)
    assert rendered == [first, *history, {"role": "user", "content": "Q"}]


def test_a_placeholder_without_a_value_adds_nothing_unless_it_is_required() -> None:
    question = {"role": "user", "content": "x"}
    assert render(HISTORY, question) == render(HISTORY, question, history=[]) == [question]
    required = {**HISTORY, "required": True}
    with pytest.raises(BadRequest, match=r"Missing required placeholders: examples, history\Z"):
        render(required, {**required, "name": "examples"}, question)
    assert render(required, question, history=[]) == [question]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "placeholders.history: expected a list of messages"),
        ({"role": "user"}, "placeholders.history: expected a list of messages"),
        (None, "placeholders.history: expected a list of messages"),
        ([{"role": "user", "content": "x"}, 3], r"history\[1\]: expected a message"),
        ([{"role": "robot", "content": "x"}], r"history\[0\]: role must be one of system"),
        ([{"role": ["user"], "content": "x"}], r"history\[0\]: role must be one of"),
        ([{"role": "user"}], r"history\[0\]: content must be text"),
        ([{"role": "user", "content": [3]}], r"history\[0\]: a part must be an object"),
        ([{"role": "user", "content": 3}], r"history\[0\]: content must be text"),
    ],
)
def test_what_is_no_list_of_messages_is_refused_with_its_position(value: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        render(HISTORY, history=value)


def test_a_template_that_fails_names_its_part() -> None:
    parts = [{"type": "text", "text": "ok"}, {"type": "text", "text": "{{#a}}"}]
    with pytest.raises(Invalid, match=r"messages\[0\]\.content\[1\]\.text: section 'a'"):
        render({"role": "user", "content": parts})


@given(st.text())
def test_a_value_that_looks_like_a_template_stays_text(value: str) -> None:
    (message,) = render({"role": "user", "content": "{{a}}"}, given={"a": value})
    assert message["content"] == value


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "text", "image_url", "url", "id", "role", "content", "x"]), inner
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["content", "tool_calls", "name", "type", "x"]), ODD))
def test_no_odd_field_makes_reading_a_message_fail(fields: dict[str, Any]) -> None:
    message = {**fields, "role": "user", "content": fields.get("content")}
    list(templates([message]))
    list(texts([message]))
    calls_of({**message, "role": "assistant"})


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        ([], [HISTORY], "minor"),
        ([], [{**HISTORY, "required": True}], "major"),
        ([HISTORY], [{**HISTORY, "required": True}], "major"),
        ([{**HISTORY, "required": True}], [HISTORY], "minor"),
        ([{**HISTORY, "required": True}], [], "minor"),
        ([HISTORY], [{**HISTORY, "name": "other", "required": True}], "major"),
    ],
)
def test_a_placeholder_that_becomes_required_breaks_callers(
    before: list[Any], after: list[Any], bump: str
) -> None:
    question = {"role": "user", "content": "x"}
    changes = compare({"messages": [question, *before]}, {"messages": [question, *after]})
    assert deserved_bump(changes) == bump
