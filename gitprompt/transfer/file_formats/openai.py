# SPDX-License-Identifier: Apache-2.0
"""OpenAI's messages in JSON: a list, the body of a request, or one a line, as its batches and fine-tuning have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gitprompt.core.messages import TEMPLATED
from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    in_mustache,
    json_of,
)

_BESIDE = ("tools", "tool_choice", "response_format")


class OpenAI:
    name = "openai"

    def is_one(self, path: str, text: str) -> bool:
        if path.lower().endswith((".jsonl", ".ndjson")):
            return True
        return path.lower().endswith(".json") and _messages(json_of(text)) is not None

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        if not path.lower().endswith((".jsonl", ".ndjson")):
            value = json_of(text)
            if _messages(value) is None:
                raise NotSuch("it has no messages of OpenAI's")
            return PromptFile([("", _document(value, 1, notes))])
        prompts = []
        for line, one in enumerate(text.split("\n"), 1):
            if not one.strip():
                continue
            value = json_of(one)
            if _messages(value) is None:
                notes.lost(line, "no messages of OpenAI's: not imported")
                continue
            name = value.get("custom_id") or value.get("name") if isinstance(value, dict) else None
            prompts.append((str(name or f"-{line}"), _document(value, line, notes)))
        if not prompts:
            raise NotSuch("no line of it has messages")
        return PromptFile(prompts)


def _messages(value: Any) -> list[Any] | None:
    """The messages of a list, of a request, or of a line of a batch."""
    if isinstance(value, dict):
        value = value.get(
            "messages",
            (value.get("body") or {}).get("messages")
            if isinstance(value.get("body"), dict)
            else None,
        )
    if (
        isinstance(value, list)
        and value
        and all(
            isinstance(one, dict) and ("role" in one or one.get("type") == "placeholder")
            for one in value
        )
    ):
        return value
    return None


def _document(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    messages = _messages(value) or []
    body = value.get("body") if isinstance(value, dict) else None
    request = body if isinstance(body, dict) else value if isinstance(value, dict) else {}
    document: dict[str, Any] = {"messages": [_message(one, line, notes) for one in messages]}
    settings = {
        key: item
        for key, item in request.items()
        if key
        not in ("messages", "metadata", "custom_id", "name", "method", "url", "body", *_BESIDE)
    }
    for key in _BESIDE:
        if request.get(key) is not None:
            document[key] = request[key]
    if settings:
        document["model_config"] = settings
    if isinstance(request.get("metadata"), dict) and request["metadata"]:
        document["metadata"] = request["metadata"]
    return document


def _message(message: Mapping[str, Any], line: int, notes: Notes) -> dict[str, Any]:
    ours = dict(message)
    content = ours.get("content")
    if ours.get("role") not in TEMPLATED:
        return ours
    if isinstance(content, str):
        ours["content"] = in_mustache(content, line, notes)
    elif isinstance(content, list):
        ours["content"] = [
            {**part, "text": in_mustache(part["text"], line, notes)}
            if isinstance(part, dict) and isinstance(part.get("text"), str)
            else part
            for part in content
        ]
    return ours


def written(document: Mapping[str, Any]) -> str:
    """The body of a request with this document's messages and settings; its templates stay what they are."""
    body = {**document.get("model_config", {}), "messages": document["messages"]}
    body.update((key, document[key]) for key in (*_BESIDE, "metadata") if key in document)
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def lost(document: Mapping[str, Any]) -> list[str]:
    """What of a document a request has no words for."""
    found = [
        key
        for key in ("description", "variables", "tags", "tests", "deprecated", "ollama")
        if key in document
    ]
    if any(message.get("type") == "placeholder" for message in document["messages"]):
        found.append("a placeholder, which is written as it is")
    return found
