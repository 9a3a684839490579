# SPDX-License-Identifier: Apache-2.0
"""LangChain's serialized prompts."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.transfer.foreign.manifests import document_of
from gitprompt.transfer.foreign.records import Losses, Unreadable


def made(kind: str, **inside: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", kind], "kwargs": inside}


def template(text: str, engine: str = "f-string") -> dict[str, Any]:
    return made("PromptTemplate", template=text, template_format=engine, input_variables=[])


def test_messages_placeholders_and_a_model() -> None:
    chat = made(
        "ChatPromptTemplate",
        messages=[
            made("SystemMessagePromptTemplate", prompt=template('Reply as {{"a": 1}} to {name}.')),
            made("MessagesPlaceholder", variable_name="history", optional=True),
            made("HumanMessagePromptTemplate", prompt=template("{{question}}", "mustache")),
            made("AIMessage", content="Well, {that}"),
            made(
                "HumanMessagePromptTemplate",
                prompt=[
                    template("See {x}"),
                    made("ImagePromptTemplate", template={"url": "{picture}"}),
                ],
            ),
            made("OddMessage", x=1),
        ],
    )
    model = made(
        "ChatOpenAI",
        model="gpt-4o",
        temperature=0.2,
        openai_api_key={"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]},
    )
    losses = Losses()
    document = document_of(made("RunnableSequence", first=chat, last=model), losses, "p 1")
    assert document["messages"] == [
        {"role": "system", "content": 'Reply as {"a": 1} to {{name}}.'},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{question}}"},
        {"role": "assistant", "content": "Well, {that}"},
        {"role": "user", "content": [{"type": "text", "text": "See {{x}}"}, {"type": "image_url", "image_url": {"url": "{{picture}}"}}]},
    ]  # fmt: skip
    assert document["model_config"] == {"model": "gpt-4o", "temperature": 0.2}
    assert [loss.field for loss in losses] == ["prompt commit.message", "prompt commit.model"]


def test_a_text_and_a_structured_answer() -> None:
    assert document_of(template("Hi {name}"), Losses(), "p") == {
        "type": "text",
        "messages": [{"role": "user", "content": "Hi {{name}}"}],
    }
    schema = {"title": "Team", "type": "object", "properties": {}}
    document = document_of(made("StructuredPrompt", messages=[], schema_=schema), Losses(), "p")
    assert document["response_format"]["json_schema"] == {"name": "Team", "schema": schema}


@pytest.mark.parametrize(
    "manifest",
    [None, {}, [], "text", made("os.system", args=["rm"]), made("PromptTemplate", template=7)],
)
def test_anything_else_is_refused_and_never_made(manifest: Any) -> None:
    with pytest.raises(Unreadable):
        document_of(manifest, Losses(), "p")
