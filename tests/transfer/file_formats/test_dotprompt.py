# SPDX-License-Identifier: Apache-2.0
"""Files `.prompt`: Google's dialect and LiteLLM's, told apart."""

from __future__ import annotations

from tests.transfer.file_formats.reading import document, read

GOOGLE = """\
---
model: googleai/gemini-1.5-pro
config: {temperature: 0.9}
input:
  schema:
    name: string, who it is for
    style?: string
    items(array, things): string
  default: {style: brief}
output:
  format: json
  schema: {type: object, properties: {a: {type: string}}}
---
{{role "system"}}
You are kind{{#if style}} and {{style}}{{/if}}.
{{role "model"}}
Hello.
{{history}}
{{role "user"}}
{{#each items}}- {{this}}
{{/each}}
Look, {{name}}: {{media url=photo}}
"""
LITELLM = """\
---
model: gpt-4
temperature: 0.7
max_tokens: 100
input:
  schema:
    user_message: string
---
System: You help.
It has two lines.

User: {{user_message}}
"""


def test_googles_dialect() -> None:
    found = document("x.prompt", GOOGLE)
    system, model, history, user = found["messages"]
    assert system == {
        "role": "system",
        "content": "You are kind{{#style}} and {{style}}{{/style}}.",
    }
    assert model == {"role": "assistant", "content": "Hello."}
    assert history == {"type": "placeholder", "name": "history"}
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "{{photo}}"}}
    assert user["content"][0]["text"].startswith("{{#items}}- {{.}}")
    assert found["variables"] == {
        "name": {"type": "string", "description": "who it is for", "required": True},
        "style": {"type": "string", "default": "brief"},
        "items": {"type": "array", "required": True},
    }
    assert found["model_config"] == {"model": "googleai/gemini-1.5-pro", "temperature": 0.9}
    assert found["response_format"]["json_schema"]["schema"]["type"] == "object"


def test_litellms_dialect() -> None:
    found = document("x.prompt", LITELLM)
    assert found["messages"] == [
        {"role": "system", "content": "You help.\nIt has two lines."},
        {"role": "user", "content": "{{user_message}}"},
    ]
    assert found["model_config"] == {"model": "gpt-4", "temperature": 0.7, "max_tokens": 100}
    assert found["variables"]["user_message"] == {"type": "string", "required": True}


def test_what_cannot_be_said_is_told_by_its_line() -> None:
    _, ((_, found),), lost = read("x.prompt", GOOGLE.replace("{{name}}", "{{upper name}}"))
    assert [line for line, _ in lost] == [22]
    assert "upper" in lost[0][1]
    assert found["messages"]
    assert document("plain.prompt", "Just {{text}}")["messages"] == [
        {"role": "user", "content": "Just {{text}}"}
    ]
