# SPDX-License-Identifier: Apache-2.0
"""OpenAI's messages, one way and back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.transfer.file_formats.openai import lost, written
from tests.transfer.file_formats.reading import document, read

TEXT = st.text('abc {}\n"é', max_size=8).filter(lambda text: "{{" not in text)
TEMPLATES = st.lists(TEXT | st.just("{{name}}"), max_size=3).map(" ".join)
MESSAGES = st.lists(
    st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "developer", "user", "assistant"]), TEMPLATES)
    | st.builds(lambda text: {"role": "user", "content": [{"type": "text", "text": text}]}, TEMPLATES),
    min_size=1, max_size=4,
)  # fmt: skip
TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
DOCUMENTS = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "model_config": st.fixed_dictionaries({"model": st.just("gpt-4o")}, optional={"temperature": st.floats(0, 2)}),
        "tools": st.just([TOOL]), "tool_choice": st.just("auto"), "response_format": st.just({"type": "json_object"}),
        "metadata": st.dictionaries(st.text("ab", min_size=1), st.text(max_size=3), min_size=1),
    },
)  # fmt: skip


@given(DOCUMENTS)
def test_what_is_written_is_read_back(found: dict[str, Any]) -> None:
    assert lost(found) == []
    assert document("x.json", written(found)) == found


def test_a_list_a_request_and_lines() -> None:
    messages = [{"role": "user", "content": "Hi {{x}}"}]
    assert document("x.json", json.dumps(messages)) == {"messages": messages}
    batch = {"custom_id": "one", "method": "POST", "body": {"model": "m", "messages": messages}}
    lines = "\n".join(map(json.dumps, (batch, {"messages": messages}, {"other": 1}, 7)))
    name, prompts, told = read("x.jsonl", lines)
    assert name == "openai"
    assert prompts == [
        ("one", {"messages": messages, "model_config": {"model": "m"}}),
        ("-2", {"messages": messages}),
    ]
    assert [line for line, _ in told] == [3, 4]


def test_what_is_no_mustache_is_kept_as_text_and_told() -> None:
    _, ((_, found),), told = read(
        "x.json", json.dumps([{"role": "user", "content": "a\n{{#open}} b"}])
    )
    assert told[0][0] == 2
    assert found["messages"][0]["content"] == "a\n{{=<% %>=}}{{#open}}<%={{ }}=%> b"
    assert lost({"messages": [{"type": "placeholder", "name": "h"}], "variables": {}}) == [
        "variables",
        "a placeholder, which is written as it is",
    ]
