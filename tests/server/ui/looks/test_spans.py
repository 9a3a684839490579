# SPDX-License-Identifier: Apache-2.0
"""What a span says is shown as what it is, whoever has written it down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitprompt.server.ui.looks import spans

MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def blocks(**values: Any) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    return {
        block.title: (block.kind, [(entry.name, entry.text) for entry in block.entries])
        for block in spans.blocks(json.dumps(values))
    }


SHOWN = ("messages", [("user", "Hi"), ("assistant", "Hello")])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.input.messages", json.dumps([
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
            {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}])),
        ("langfuse.observation.input", json.dumps(MESSAGES)),
        ("input.value", json.dumps({"messages": MESSAGES})),
        ("input", MESSAGES),
        ("input", {"messages": MESSAGES, "model": "x"}),
    ],
)  # fmt: skip
def test_messages_are_shown_as_messages_in_every_spelling(key: str, value: Any) -> None:
    assert blocks(**{key: value}) == {key: SHOWN}


@pytest.mark.parametrize(
    ("prefix", "middle"), [("gen_ai.prompt", ""), ("llm.input_messages", "message.")]
)
def test_messages_whose_parts_have_attributes_of_their_own(prefix: str, middle: str) -> None:
    values = {
        f"{prefix}.{at}.{middle}{key}": text
        for at, message in enumerate(MESSAGES)
        for key, text in message.items()
    }
    assert blocks(**values, other=1) == {
        prefix: SHOWN,
        "Attributes": ("attributes", [("other", "1")]),
    }


def test_one_answer_is_a_message_too() -> None:
    choice = {"choices": [{"message": MESSAGES[1]}]}
    assert blocks(output=choice) == {"output": ("messages", [("assistant", "Hello")])}
    assert blocks(output=MESSAGES[1]) == {"output": ("messages", [("assistant", "Hello")])}


def test_all_the_rest_is_attributes() -> None:
    found = blocks(a="text", b={"c": 1}, d='{"e": 2}', roles=[{"role": "thief"}], empty=[])
    kind, entries = found["Attributes"]
    assert kind == "attributes"
    assert entries[0] == ("a", "text")
    assert entries[1] == ("b", '{\n  "c": 1\n}')
    assert entries[2] == ("d", '{\n  "e": 2\n}')
    assert {"roles", "empty"} <= {name for name, _ in entries}
    assert spans.blocks(None) == []
    assert spans.blocks("[1]")[0].entries[0].text == "[\n  1\n]"


def test_what_is_long_is_cut_and_says_so() -> None:
    (block,) = spans.blocks(json.dumps({"a": "x" * (spans.MAX_TEXT + 7)}))
    (entry,) = block.entries
    assert (len(entry.text), entry.cut) == (spans.MAX_TEXT, 7)


def test_the_values_of_a_prompt_are_found() -> None:
    assert spans.variables_in(json.dumps({"variables": {"name": "Ada"}})) == {"name": "Ada"}
    packed = {"llm.prompt_template.variables": json.dumps({"n": 1})}
    assert spans.variables_in(json.dumps(packed)) == {"n": 1}
    assert spans.variables_in(json.dumps({"variables": "none"})) == {}
    assert spans.variables_in(None) == {}


def test_a_role_that_is_no_text_is_no_role() -> None:
    for role in (["user"], {"a": 1}, None, 1):
        assert blocks(input={"role": role, "content": "x"})["Attributes"][0] == "attributes"


def test_all_texts_together_are_no_more_than_a_page_shows() -> None:
    found = spans.blocks(json.dumps({str(at): "x" * 65_000 for at in range(40)}))
    entries = [entry for block in found for entry in block.entries]
    assert sum(len(entry.text) for entry in entries) == 1_000_000
    assert sum(entry.cut for entry in entries) == 40 * 65_000 - 1_000_000


def test_long_json_is_shown_as_it_is() -> None:
    text = "[" + "1," * 200_000 + "1]"
    assert blocks(input=text)["Attributes"][1] == [("input", text[: spans.MAX_TEXT])]
