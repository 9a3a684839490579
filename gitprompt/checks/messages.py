# SPDX-License-Identifier: Apache-2.0
"""The order of messages is one that models take."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"text-type": "error", "message-order": "warning"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    messages = subject.document["messages"]
    roles = [message["role"] for message in messages]
    if subject.document.get("type") == "text" and roles != ["user"]:
        yield Problem(
            "text-type",
            "a prompt of type text has exactly one user message",
            "Use type: chat for several messages.",
            ("type",),
        )
    for index, role in enumerate(roles):
        before = roles[index - 1] if index else None
        if role == "system" and before not in (None, "system"):
            yield _order(index, "a system message comes after the conversation has begun")
        elif role == "assistant" and before == "assistant":
            yield _order(index, "two assistant messages follow each other")
    if roles[-1] == "assistant":
        yield _order(len(roles) - 1, "the last message is the assistant's: models continue it")


def _order(index: int, message: str) -> Problem:
    return Problem(
        "message-order",
        message,
        "Put system messages first, then user and assistant in turn, the user last.",
        ("messages", index, "role"),
    )
