# SPDX-License-Identifier: Apache-2.0
"""Prompty, old and new."""

from __future__ import annotations

import pytest

from gitprompt.transfer.file_formats.prompty import Prompty
from gitprompt.transfer.foreign.prompt_files import Notes, NotSuch
from tests.transfer.file_formats.reading import document, read

TEXT = """\
---
name: Basic Prompt
description: Answers questions
authors: [ada]
model:
  api: chat
  configuration: {type: azure_openai, azure_deployment: gpt-35-turbo, azure_endpoint: https://x}
  parameters: {max_tokens: 128, temperature: 0.2, response_format: {type: json_object}}
inputs:
  firstName: {type: string, required: true, description: Whose}
  count: 3
sample: {firstName: Jane, question: Why?}
template: jinja2
---
system:
You answer {{firstName}}.
{% if question %}
It is about {{ question }}, {{ tone | default("plainly") }}.
{% endif %}

# user:
Answer {{count}} times.
assistant:
Like this.
user:
{{question}}
"""


def test_settings_inputs_and_messages() -> None:
    name, ((said, found),), lost = read("a/basic.prompty", TEXT)
    assert (name, said, lost) == ("prompty", "Basic Prompt", [])
    assert [message["role"] for message in found["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert found["messages"][0]["content"].startswith("You answer {{firstName}}.\n{{#question}}")
    assert found["messages"][2]["content"] == "Like this."
    assert found["variables"] == {
        "firstName": {"type": "string", "description": "Whose", "required": True},
        "count": {"default": 3, "type": "number"},
        "question": {"type": "string"},
        "tone": {"type": "string", "default": "plainly"},
    }
    assert found["model_config"] == {"model": "gpt-35-turbo", "max_tokens": 128, "temperature": 0.2}
    assert found["response_format"] == {"type": "json_object"}
    assert found["metadata"] == {
        "authors": ["ada"],
        "sample": {"firstName": "Jane", "question": "Why?"},
    }


def test_the_newer_shape_and_another_engine() -> None:
    text = "---\nmodel: {id: gpt-4o, options: {top_p: 1}}\ninputs: [{name: x, kind: number, default: 7}]\ntemplate: {format: mustache}\n---\nHi {{x}}\n"
    found = document("x.prompty", text)
    assert found["messages"] == [{"role": "user", "content": "Hi {{x}}"}]
    assert found["model_config"] == {"model": "gpt-4o", "top_p": 1}
    assert found["variables"] == {"x": {"default": 7, "type": "number"}}
    _, _, lost = read("x.prompty", text.replace("mustache", "liquid"))
    assert lost == [(6, "the engine liquid: kept as text")]


def test_what_cannot_be_said_is_told_by_the_line_of_the_file() -> None:
    _, _, lost = read("x.prompty", TEXT.replace("{{count}}", "{{ count | upper }}"))
    assert lost == [(22, "the filter upper")]


@pytest.mark.parametrize(
    "text", ["no settings", "---\n[1\n---\nx", "---\n7\n---\nx", "---\na: 1\n---\n"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotSuch):
        Prompty().read("x.prompty", text, Notes("x"))


def test_a_chat_so_far_is_a_placeholder_and_what_has_no_words_is_told() -> None:
    loop = "{% for item in history %}\n{{item.role}}:\n{{item.content}}\n{% endfor %}"
    text = f"---\nname: x\n---\nsystem:\nHelp.\n\n{loop}\n\nuser:\n{{{{q}}}}\n"
    assert document("x.prompty", text)["messages"] == [
        {"role": "system", "content": "Help."}, {"type": "placeholder", "name": "history"}, {"role": "user", "content": "{{q}}"},
    ]  # fmt: skip
    _, _, lost = read(
        "x.prompty", "---\nname: x\n---\nassistant:\nHi {{x}}\nuser:\n![a](b.png)\ntool:\n1\n"
    )
    assert [(line, message.split(":")[0]) for line, message in lost] == [
        (5, "a variable in a message of the assistant, which is no template here"), (7, "![a](b.png)"), (8, "tool"),
    ]  # fmt: skip


@pytest.mark.parametrize("model", ["{configuration: azure}", "{parameters: [1]}", "fast", "7"])
def test_settings_of_another_shape_end_nothing(model: str) -> None:
    assert document("x.prompty", f"---\nmodel: {model}\n---\nuser:\nHi\n")["messages"]
