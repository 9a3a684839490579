# SPDX-License-Identifier: Apache-2.0
"""Prompts of Langfuse that stand in others, and their settings."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.transfer.foreign.langfuse_prompts import PromptTexts, version_of, written
from gitprompt.transfer.foreign.records import Losses
from tests.transfer.moving_in import House, prompt


def test_references_are_replaced_or_told(house: House) -> None:
    tag = "@@@langfusePrompt:name={}|{}@@@"
    path = house.write(
        "p.jsonl",
        prompt("a", 1, "A " + tag.format("b", "version=1")),
        prompt("b", 1, "B {{x}} " + tag.format("c", "label=production")),
        prompt("c", 1, "C", labels=["production"]),
        prompt("loop", 1, "L " + tag.format("loop", "version=1")),
        prompt("gone", 1, "G " + tag.format("nowhere", "label=production")),
    )
    report = house.migrate(path)
    assert house.client.get("/v1/prompts/a?render=false")["text"] == "A B {{x}} C"
    assert "@@@" in house.client.get("/v1/prompts/loop?render=false")["text"]
    told = {loss["reason"] for loss in report["losses"] if loss["field"] == "prompt.reference"}
    assert {
        "refers to itself: kept as text",
        "refers to what the export does not have as a text: kept as text",
    } <= told


def test_settings_go_where_ours_are(house: House) -> None:
    tool = {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
    }
    config = {"model": "m", "temperature": 0, "tools": [tool], "tool_choice": "auto"}
    report = house.migrate(
        house.write(
            "x.jsonl",
            prompt("a", 1, config=config, tags=["t"]),
            prompt("b", 1, config=["odd"]),
            prompt("c", 1, labels=["latest"]),
        )
    )
    served = house.client.get("/v1/prompts/a?render=false")["content"]
    assert (served["model_config"], served["tools"], served["tool_choice"]) == (
        {"model": "m", "temperature": 0},
        [tool],
        "auto",
    )
    assert served["tags"] == ["t"]
    assert house.client.get("/v1/prompts/b?render=false")["content"]["metadata"] == {
        "config": ["odd"]
    }
    assert "`latest` is what is newest: no label is needed" in {
        loss["reason"] for loss in report["losses"]
    }


def test_what_another_role_says_is_no_template_and_is_told(house: House) -> None:
    messages = [
        {"role": "user", "content": "{{q}}"},
        {"type": "chatmessage", "role": "assistant", "content": "Like {{this}}"},
    ]
    report = house.migrate(
        house.write("x.jsonl", {**prompt("a", 1), "type": "chat", "prompt": messages})
    )
    assert (
        house.client.get("/v1/prompts/a?variables[q]=Q")["content"]["messages"][1]["content"]
        == "Like {{this}}"
    )
    assert "role assistant" in str(report["losses"])


TEXTS = (
    st.lists(st.sampled_from(["{{name}}", " ", "a", "\n", "{", "é"]), max_size=6)
    .map("".join)
    .filter(
        lambda text: (
            text.count("{{") == text.count("{{name}}") and "{{{" not in text and text.strip() != ""
        )
    )
)
MESSAGES = st.lists(
    st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(["system", "user"]), TEXTS)
    | st.just({"type": "placeholder", "name": "history"}),
    min_size=1, max_size=3,
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "model_config": st.just({"model": "m", "temperature": 0.5}), "tags": st.just(["a", "b"]), "tool_choice": st.just("auto"),
    },
) | TEXTS.map(lambda text: {"type": "text", "messages": [{"role": "user", "content": text}]})  # fmt: skip


@given(DOCUMENTS, st.integers(1, 10**6))
def test_what_is_written_for_langfuse_is_read_back(document: dict[str, Any], number: int) -> None:
    text, lost = written(
        "a/b", str(number), document, {"created_at": 1_700_000_000, "author": "Ada <a@b>"}
    )
    assert lost == []
    record = json.loads(text)
    found = version_of(record, PromptTexts([record], is_whole=True), Losses())
    assert (found.name, found.version, found.created_at) == ("a/b", str(number), 1_700_000_000)
    assert dict(found.document) == document
