# SPDX-License-Identifier: Apache-2.0
"""What a span says, in blocks that a template and a script show alike: facts, messages as messages, the rest
as it is. Instrumentations put messages under many names and in two shapes: a list of them as JSON, and an
attribute for each part of each; both are recognised by what they look like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from gitprompt.core.telemetry.packed import decoded
from gitprompt.server.ui.looks import display
from gitprompt.server.ui.looks.differences import text_of

_MAX_LAID_OUT = 262_144  # characters of JSON; more is shown as it is
MAX_TEXT = 65_536  # characters of a text that a page shows; the file has all
_MAX_SHOWN = 1_000_000  # characters of all of them
_MAX_MESSAGES = 200
_NUMBERED = re.compile(r"(.+?)\.(\d{1,4})\.(?:message\.)?(role|content|finish_reason)\Z")
_ROLES = frozenset(
    ("system", "developer", "user", "assistant", "tool", "function", "model", "human", "ai")
)


class SpanEntry(NamedTuple):
    """A message, or the value of an attribute. `cut` is how many characters are not shown."""

    name: str
    text: str
    cut: int = 0


class SpanBlock(NamedTuple):
    """`kind` is messages or attributes."""

    title: str
    kind: str
    entries: list[SpanEntry]


def blocks(metadata: str | None) -> list[SpanBlock]:
    """The blocks of a span's attributes: its messages by attribute, then all the rest."""
    values = json.loads(metadata) if metadata else {}
    if not isinstance(values, dict):
        values = {"value": values}
    numbered = _numbered(values)
    shown: list[SpanBlock] = []
    rest: list[SpanEntry] = []
    for title, entries in numbered.items():
        shown.append(SpanBlock(title, "messages", entries))
    for key, value in values.items():
        match = _NUMBERED.match(key)
        if match is not None and match[1] in numbered:
            continue
        messages = list(islice(_messages(decoded(value)), _MAX_MESSAGES))
        if messages:
            shown.append(SpanBlock(key, "messages", messages))
        else:
            rest.append(_entry(key, value))
    if rest:
        shown.append(SpanBlock("Attributes", "attributes", rest))
    return list(_within(shown))


def _within(shown: Iterable[SpanBlock]) -> Iterator[SpanBlock]:
    """What a page can show of all: texts beyond `_MAX_SHOWN` characters together are cut, the last first."""
    left = _MAX_SHOWN
    for block in shown:
        entries = []
        for entry in block.entries:
            text = entry.text[: max(left, 0)]
            left -= len(text)
            entries.append(SpanEntry(entry.name, text, entry.cut + len(entry.text) - len(text)))
        yield block._replace(entries=entries)


def _entry(name: str, value: Any) -> SpanEntry:
    text = display.compact(value)
    if len(text) <= _MAX_LAID_OUT and (not isinstance(value, str) or value[:1] in "[{"):
        text = display.pretty(value)
    return SpanEntry(name, text[:MAX_TEXT], max(len(text) - MAX_TEXT, 0))


def _numbered(values: Mapping[str, Any]) -> dict[str, list[SpanEntry]]:
    """Messages whose parts have attributes of their own: `gen_ai.prompt.0.role`."""
    parts: dict[str, dict[int, dict[str, Any]]] = {}
    for key, value in values.items():
        match = _NUMBERED.match(key)
        if match is not None:
            parts.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = value
    return {
        prefix: [
            _entry(str(message.get("role", "message")), message.get("content", ""))
            for _, message in sorted(messages.items())
        ][:_MAX_MESSAGES]
        for prefix, messages in parts.items()
        if any("role" in message for message in messages.values())
    }


def _messages(value: Any) -> Iterator[SpanEntry]:
    """The messages that a value is, if it is a list of some, or has one."""
    if isinstance(value, dict):
        if isinstance(value.get("messages"), list):
            value = value["messages"]
        elif _is_message(value):
            value = [value]
        elif isinstance(value.get("choices"), list):
            value = [
                choice.get("message") for choice in value["choices"] if isinstance(choice, dict)
            ]
    if not isinstance(value, list) or not value or not all(map(_is_message, value)):
        return
    for message in value:
        text = _text(message)
        yield SpanEntry(str(message["role"]), text[:MAX_TEXT], max(len(text) - MAX_TEXT, 0))


def _is_message(value: Any) -> bool:
    role = value.get("role") if isinstance(value, dict) else None
    return isinstance(role, str) and role in _ROLES


def _text(message: Mapping[str, Any]) -> str:
    """OpenTelemetry has parts with a `content` each; the rest is as a prompt's message is."""
    parts = message.get("parts")
    if isinstance(parts, list):
        texts = []
        for part in parts:
            content = part.get("content") if isinstance(part, dict) else None
            texts.append(content if isinstance(content, str) else display.pretty(part))
        return "\n".join(texts)
    return text_of(message)


_VARIABLES = (
    "gitprompt.prompt.variables", "gen_ai.prompt.variables", "prompt_variables", "variables",
    "llm.prompt_template.variables", "langfuse.observation.metadata.variables",
)  # fmt: skip


def variables_in(metadata: str | None) -> dict[str, Any]:
    """The values that a span or a log says its prompt was rendered with; empty if it says none."""
    values = json.loads(metadata) if metadata else {}
    if isinstance(values, dict):
        for key in _VARIABLES:
            found = decoded(values.get(key))
            if isinstance(found, dict) and found:
                return found
    return {}
