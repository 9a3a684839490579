# SPDX-License-Identifier: Apache-2.0
"""Markdown, with or without settings at its head: messages where a line is `system:` or a heading says so, else one of
the user."""

from __future__ import annotations

import re
from typing import Any

from gitprompt.transfer.foreign.prompt_files import (
    Notes,
    NotSuch,
    PromptFile,
    as_said,
    front_matter,
    in_mustache,
    mapping_in,
    stripped,
    variables_of,
)

_HEADING = re.compile(
    r"^#{1,3}[ \t]*(system|developer|user|assistant)[ \t]*[ \t]*:?[ \t\r]*$", re.I | re.M
)
_SETTINGS = (
    "temperature",
    "max_tokens",
    "top_p",
    "model",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
_OURS = (
    "description",
    "variables",
    "model_config",
    "tools",
    "tool_choice",
    "response_format",
    "tags",
    "metadata",
    "deprecated",
)


class Markdown:
    name = "markdown"

    def is_one(self, path: str, text: str) -> bool:
        return path.lower().endswith((".md", ".markdown"))

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        found = front_matter(text)
        settings, body, line = found if found is not None else ({}, text, 1)
        messages = _messages(body, line, notes)
        if not messages:
            raise NotSuch("it has no text")
        document: dict[str, Any] = {
            key: settings[key] for key in _OURS if settings.get(key) is not None
        }
        if len(messages) == 1 and messages[0]["role"] == "user":
            document["type"] = "text"
        document["messages"] = messages
        model = {key: settings[key] for key in _SETTINGS if settings.get(key) is not None}
        if model:
            document["model_config"] = {**model, **mapping_in(document.get("model_config"))}
        declared = (
            document.get("variables") or settings.get("input_variables") or settings.get("inputs")
        )
        if isinstance(declared, list):
            declared = {str(name): {} for name in declared}
        if isinstance(declared, dict):
            document["variables"] = variables_of(declared, {})
        other = {
            key: value
            for key, value in settings.items()
            if key not in (*_OURS, *_SETTINGS, "name", "version", "input_variables", "inputs")
        }
        if other:
            document["metadata"] = {**mapping_in(document.get("metadata")), **other}
        return PromptFile([(str(settings.get("name") or ""), document)])


def _messages(body: str, line: int, notes: Notes) -> list[dict[str, str]]:
    heads = list(_HEADING.finditer(body))
    if not heads:
        text, at = stripped(body, line)
        return [{"role": "user", "content": in_mustache(text, at, notes)}] if text.strip() else []
    messages = []
    before = body[: heads[0].start()].strip()
    if before:
        notes.lost(line, "text before the first role: it is not imported")
    for head, after in zip(heads, [*heads[1:], None], strict=False):
        text = body[head.end() : after.start() if after else len(body)]
        text, at = stripped(text, line + body.count("\n", 0, head.end()))
        role = head[1].lower()
        messages.append(
            {
                "role": role,
                "content": as_said(text, at, notes)
                if role == "assistant"
                else in_mustache(text, at, notes),
            }
        )
    return messages
