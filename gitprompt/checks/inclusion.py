# SPDX-License-Identifier: Apache-2.0
"""What a document includes is there, and does not go round in circles."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"fragment": "error"}
NEEDS_SHAPE = False


def find(subject: Subject) -> Iterator[Problem]:
    for message, hint, where, offset in subject.inclusion.troubles:
        yield Problem("fragment", message, hint, where, offset)
