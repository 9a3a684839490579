# SPDX-License-Identifier: Apache-2.0
"""A document whose version is published already has not been changed since."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import digest
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"changed-after-publish": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    published = subject.publication
    if published is not None and digest(subject.document) != published.digest:
        yield Problem(
            "changed-after-publish",
            f"{subject.name} {published.version} is published, and this text differs from it",
            "Write the next version into the file, or take the field out: then"
            f" `gitprompt publish {subject.name}` counts.",
            ("version",),
        )
