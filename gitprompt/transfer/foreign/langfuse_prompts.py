# SPDX-License-Identifier: Apache-2.0
"""Prompts of Langfuse: their texts in Mustache, with the texts that they refer to, and their settings where ours are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gitprompt.core.messages import TEMPLATED
from gitprompt.core.telemetry.packed import decoded
from gitprompt.transfer.foreign.moments import milliseconds
from gitprompt.transfer.foreign.records import (
    ForeignVersion,
    Losses,
    Record,
    Unreadable,
    tags_of,
    text_of,
)
from gitprompt.transfer.foreign.texts import from_langfuse

_KNOWN = frozenset(
    ("id", "createdAt", "updatedAt", "projectId", "createdBy", "name", "version", "type", "isActive", "prompt", "config",
     "labels", "tags", "commitMessage", "resolutionGraph")
)  # fmt: skip
_BESIDE = (
    "tools",
    "tool_choice",
    "response_format",
)  # which a document has beside its model's settings


def version_of(record: Record, texts: PromptTexts, losses: Losses) -> ForeignVersion:
    name, number = text_of(record.get("name")), text_of(record.get("version"))
    if name is None or number is None:
        raise Unreadable("a prompt without a name or a version")
    example = f"{name} {number}"
    config = decoded(record.get("config"))
    settings = dict(config) if isinstance(config, dict) else {}
    document: dict[str, Any] = {}
    if (text_of(record.get("type")) or "chat") == "text" or isinstance(record.get("prompt"), str):
        document["type"] = "text"
        content = texts.ours(str(record.get("prompt") or ""), losses, example)
        document["messages"] = [{"role": "user", "content": content}]
    else:
        document["messages"] = list(_messages(record.get("prompt"), texts, losses, example))
    for key in _BESIDE:
        if settings.get(key):
            document[key] = settings.pop(key)
    if settings:
        document["model_config"] = settings
    tags = tags_of(record.get("tags"), losses, example)
    if tags:
        document["tags"] = tags
    about = {
        key: value
        for key, value in record.items()
        if key not in _KNOWN and value not in (None, "", [], {})
    }
    if config and not isinstance(config, dict):
        about["config"] = config
    if about:
        document["metadata"] = about
    at = milliseconds(record.get("createdAt"))
    if at is None:
        losses.add(
            "prompt.createdAt", "no time that can be read: it is the time of the import", example
        )
    moved = milliseconds(record.get("updatedAt")) or at or 0
    labels = _labels(record)
    if labels:
        losses.add(
            "prompt.labels",
            "Langfuse does not say when a label was moved: it is when the version was last changed",
            example,
        )
    return ForeignVersion(
        name, number, document, text_of(record.get("createdBy")) or "langfuse", (at or 0) // 1000,
        text_of(record.get("commitMessage")) or "", [(label, moved // 1000) for label in labels], record,
    )  # fmt: skip


def _messages(
    value: Any, texts: PromptTexts, losses: Losses, example: str
) -> Iterator[dict[str, Any]]:
    if not isinstance(value, list):
        raise Unreadable("a chat prompt that is no list of messages")
    for message in value:
        if not isinstance(message, dict):
            raise Unreadable("a message that is no object")
        if message.get("type") == "placeholder":
            yield {"type": "placeholder", "name": message.get("name")}
            continue
        role = message.get("role")
        inner = {
            key: item for key, item in message.items() if key not in ("type", "content", "role")
        }
        content = message.get("content")
        is_template = role in TEMPLATED
        if isinstance(content, str) and is_template:
            content = texts.ours(content, losses, example)
        elif isinstance(content, str) and "{{" in content:
            losses.add(
                "prompt.messages",
                f"a variable in a message of the role {role}, which is no template here",
                example,
            )
        yield {"role": role, "content": content, **inner}


def _labels(record: Record) -> list[str]:
    labels = record.get("labels")
    return [label for label in map(text_of, labels if isinstance(labels, list) else ()) if label]


_REFERENCE = re.compile(r"@@@langfusePrompt:([^@]*)@@@")
_DEEP = 8  # references in references, as Langfuse itself follows them


class PromptTexts:
    """The texts of the prompts, which may stand in others as `@@@langfusePrompt:name=…|label=…@@@`."""

    def __init__(self, records: Sequence[Record], *, is_whole: bool) -> None:
        """`is_whole` False: what is not there may still come."""
        self._is_whole = is_whole
        self._texts: dict[tuple[str | None, str], Any] = {}
        for record in records:
            name = text_of(record.get("name"))
            for selector in (
                f"version={record.get('version')}",
                *(f"label={label}" for label in _labels(record)),
            ):
                self._texts[name, selector] = record.get("prompt")

    def ours(self, text: str, losses: Losses, example: str) -> str:
        """A text in Mustache, with the texts that it refers to."""
        whole = self._resolved(text, losses, example, ())
        return from_langfuse(whole, lambda why: losses.add("prompt.text", why, example))

    def _resolved(self, text: str, losses: Losses, example: str, above: tuple[str, ...]) -> str:
        def put(match: re.Match[str]) -> str:
            reference = match[1]
            said = dict(part.split("=", 1) for part in reference.split("|") if "=" in part)
            selector = (
                f"version={said['version']}"
                if "version" in said
                else f"label={said.get('label', 'production')}"
            )
            found = self._texts.get((said.get("name"), selector))
            if reference in above or len(above) >= _DEEP:
                why = "refers to itself: kept as text"
            elif found is None and not self._is_whole:
                raise Unreadable("refers to what the rest of the input may have")
            elif not isinstance(found, str):
                why = "refers to what the export does not have as a text: kept as text"
            else:
                how = (
                    "as it is now" if selector.startswith("label=") else "as it is in that version"
                )
                losses.add("prompt.reference", f"replaced by the text, {how}", example)
                return self._resolved(found, losses, example, (*above, reference))
            losses.add("prompt.reference", why, f"{example}: {reference}")
            return match[0]

        return _REFERENCE.sub(put, text) if "@@@" in text else text


# Out again


def written(
    name: str, version: str, document: Mapping[str, Any], head: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """A version as Langfuse's API answers it, and what it has no words for. `head` is what the server says of it."""
    lost = [
        key
        for key in ("description", "variables", "tests", "deprecated", "ollama", "metadata")
        if key in document
    ]
    number = _number(version)
    if number is None:
        lost.append(f"the version {version}, which is no number there")
    is_text = document.get("type") == "text"
    messages = document["messages"]
    if any(isinstance(message.get("content"), list) for message in messages):
        lost.append("content in parts")
    if any(_SECTION.search(str(message.get("content"))) for message in messages):
        lost.append("sections, which not all SDKs of Langfuse render")
    config = {
        **document.get("model_config", {}),
        **{key: document[key] for key in _BESIDE if key in document},
    }
    record: dict[str, Any] = {
        "name": name,
        "version": number,
        "type": "text" if is_text else "chat",
        "prompt": messages[0]["content"] if is_text else [dict(message) for message in messages],
        "config": config,
        "labels": [],
        "tags": list(document.get("tags", ())),
        "createdAt": datetime.fromtimestamp(int(head.get("created_at", 0)), UTC)
        .isoformat()
        .replace("+00:00", ".000Z"),
    }
    if head.get("author"):
        record["createdBy"] = str(head["author"])
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n", lost


_SECTION = re.compile(r"\{\{[#^>=&!{]")


def _number(version: str) -> int | None:
    """A bare integer is itself; a.b.c is a·10⁶ + b·10³ + c, as telemetry reads it back."""
    if version.isdigit():
        return int(version)
    parts = version.split(".")
    if (
        len(parts) != 3
        or not all(part.isdigit() and int(part) < 1000 for part in parts[1:])
        or not parts[0].isdigit()
    ):
        return None
    return int(parts[0]) * 1_000_000 + int(parts[1]) * 1_000 + int(parts[2])
