# SPDX-License-Identifier: Apache-2.0
"""A prompt is of a size that a context window and a reviewer can take."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import texts
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"size": "warning"}
NEEDS_SHAPE = True
LARGE = 200_000  # characters over all messages, about 50,000 tokens of English


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt" or len(subject.data) < LARGE:
        return
    total = sum(len(text) for _, text in texts(subject.document["messages"]))
    if total > LARGE:
        yield Problem(
            "size",
            f"the messages have {total} characters together",
            "Pass long material in as a variable, so that it is not versioned with the prompt.",
            ("messages",),
        )
