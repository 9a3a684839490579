# SPDX-License-Identifier: Apache-2.0
"""The messages are such as models take: their order, their parts, their tool calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import PARTS, Message, calls_of
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {
    "text-type": "error",
    "message-order": "warning",
    "message-part": "warning",
    "tool-calls": "warning",
}
NEEDS_SHAPE = True
_FIRST = ("system", "developer")


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    messages = subject.document["messages"]
    roles = [message.get("role") for message in messages]
    if subject.document.get("type") == "text" and roles != ["user"]:
        yield Problem(
            "text-type",
            "a prompt of type text has exactly one user message",
            "Use type: chat for several messages.",
            ("type",),
        )
    yield from _order(roles)
    for index, message in enumerate(messages):
        yield from _parts(index, message)
    yield from _calls(messages)


def _order(roles: Sequence[str | None]) -> Iterator[Problem]:
    for index, role in enumerate(roles):
        before = roles[index - 1] if index else None
        if role in _FIRST and index and before not in _FIRST:
            yield _misplaced(index, f"a {role} message comes after the conversation has begun")
        elif role == "assistant" and before == "assistant":
            yield _misplaced(index, "two assistant messages follow each other")
    if roles[-1] == "assistant":
        yield _misplaced(len(roles) - 1, "the last message is the assistant's: models continue it")


def _misplaced(index: int, message: str) -> Problem:
    return Problem(
        "message-order",
        message,
        "Put system messages first, then user and assistant in turn, the user last.",
        ("messages", index, "role"),
    )


def _parts(index: int, message: Message) -> Iterator[Problem]:
    content = message.get("content")
    for at, part in enumerate(content if isinstance(content, list) else ()):
        if part.get("type") not in PARTS:
            yield Problem(
                "message-part",
                f"a part of type '{part.get('type')}' is passed on as it is",
                f"Known parts are {', '.join(PARTS)}; templates are filled in only there.",
                ("messages", index, "content", at),
            )


def _calls(messages: Sequence[Message]) -> Iterator[Problem]:
    """Each call is answered by a tool message, before anybody else speaks; each answer has a call."""
    waiting: dict[str, int] = {}
    is_open = False  # a placeholder may bring calls and answers that nobody sees here
    for index, message in enumerate(messages):
        if message.get("role") == "tool":
            call = message.get("tool_call_id")
            if isinstance(call, str) and waiting.pop(call, None) is None and not is_open:
                yield Problem(
                    "tool-calls",
                    f"this answers the tool call '{call}', which no message before makes",
                    "Providers refuse an answer without its call.",
                    ("messages", index, "tool_call_id"),
                )
            continue
        is_open = "role" not in message
        if not is_open:
            yield from _unanswered(waiting)
        waiting = dict.fromkeys(calls_of(message), index)
    yield from _unanswered(waiting)


def _unanswered(waiting: dict[str, int]) -> Iterator[Problem]:
    for call, index in waiting.items():
        yield Problem(
            "tool-calls",
            f"the tool call '{call}' has no answer",
            "Add a message with role: tool and this tool_call_id after it.",
            ("messages", index, "tool_calls"),
        )
