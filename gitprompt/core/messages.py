# SPDX-License-Identifier: Apache-2.0
"""The messages of a prompt: whose text is a template, and where a conversation is put in.

They are OpenAI's Chat Completions objects: content is text, a list of parts, or null beside
`tool_calls`. A placeholder has no role; a list of messages takes its place when it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gitprompt.errors import BadRequest

ROLES = ("system", "developer", "user", "assistant", "tool")
PARTS = ("text", "image_url", "input_audio", "file")
TEMPLATED = ("system", "developer", "user")  # a model's own words stay as they are

Message = Mapping[str, Any]
Where = tuple[str | int, ...]
"""A path into a document, as in ("messages", 0, "content")."""


def is_placeholder(message: Message) -> bool:
    return "role" not in message and message.get("type") == "placeholder"


def role_of(message: Message) -> str:
    """Who speaks; of a placeholder that it is one."""
    return str(message.get("role", "placeholder"))


def templates(messages: Sequence[Message]) -> Iterator[tuple[Where, str]]:
    """Where each template is, and its text: text and URLs of system, developer and user messages."""
    for index, message in enumerate(messages):
        if message.get("role") in TEMPLATED:
            for place, text in _places(message.get("content")):
                yield ("messages", index, "content", *place), text


def texts(messages: Sequence[Message]) -> Iterator[tuple[Where, str]]:
    """Where each text is that a model reads, and the text."""
    for index, message in enumerate(messages):
        for place, text in _places(message.get("content"), urls=False):
            yield ("messages", index, "content", *place), text


def _places(content: Any, *, urls: bool = True) -> Iterator[tuple[Where, str]]:
    """The texts, and the URLs, of one content."""
    if isinstance(content, str):
        yield (), content
    elif isinstance(content, list):
        for at, part in enumerate(content):
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind == "text" and isinstance(part.get("text"), str):
                yield (at, "text"), part["text"]
            elif urls and kind == "image_url" and isinstance(part.get("image_url"), Mapping):
                url = part["image_url"].get("url")
                if isinstance(url, str):
                    yield (at, "image_url", "url"), url


def filled(
    messages: Sequence[Message],
    fill: Callable[[Where, str], str],
    placeholders: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The messages with every template filled in, and what was given in the place of placeholders.
    Raises BadRequest for a placeholder that is required and missing, or not a list of messages."""
    required = [one["name"] for one in messages if is_placeholder(one) and one.get("required")]
    missing = sorted({name for name in required if name not in placeholders})
    if missing:
        raise BadRequest(f"Missing required placeholders: {', '.join(missing)}")
    result: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        if is_placeholder(message):
            name = message["name"]
            result += _conversation(name, placeholders.get(name, ()))
            continue
        copy = dict(message)
        if message.get("role") in TEMPLATED:
            content = message.get("content")
            if isinstance(content, str):
                copy["content"] = fill(("messages", index, "content"), content)
            elif isinstance(content, list):
                copy["content"] = [
                    _filled_part(part, ("messages", index, "content", at), fill)
                    for at, part in enumerate(content)
                ]
        result.append(copy)
    return result


def _filled_part(part: Any, where: Where, fill: Callable[[Where, str], str]) -> Any:
    for place, text in _places([part]):
        if place[1:] == ("text",):
            return {**part, "text": fill((*where, "text"), text)}
        url = fill((*where, "image_url", "url"), text)
        return {**part, "image_url": {**part["image_url"], "url": url}}
    return part


def _conversation(name: str, given: Any) -> list[dict[str, Any]]:
    """Messages that take the place of a placeholder: never read as templates."""
    if not isinstance(given, list | tuple):
        raise BadRequest(f"placeholders.{name}: expected a list of messages")
    for at, message in enumerate(given):
        problem = _problem(message)
        if problem:
            raise BadRequest(f"placeholders.{name}[{at}]: {problem}")
    return [dict(message) for message in given]


def _problem(message: Any) -> str:
    """What is wrong with a message that was given; empty if nothing is."""
    if not isinstance(message, Mapping):
        return "expected a message: an object with role and content"
    if message.get("role") not in ROLES:
        return f"role must be one of {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, str):
        return ""
    if isinstance(content, list):
        if all(isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in content):
            return ""
        return "a part must be an object with a type"
    if content is None and message.get("tool_calls"):
        return ""
    return "content must be text, or a list of parts, or null beside tool_calls"


def calls_of(message: Message) -> list[str]:
    """The ids of a message's tool calls."""
    calls = message.get("tool_calls")
    if message.get("role") != "assistant" or not isinstance(calls, list):
        return []
    return [str(call.get("id")) for call in calls if isinstance(call, Mapping)]
