# SPDX-License-Identifier: Apache-2.0
"""White space that nobody sees but a provider's prompt cache does: a prefix matches byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import texts
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"whitespace": "warning"}
NEEDS_SHAPE = True
# A run is tried once, from its beginning, and not from each of its characters.
_TRAILING = re.compile(r"(?<![ \t])[ \t]+(?=\n|\Z)|\t|\r")


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    for where, content in texts(subject.document["messages"]):
        if not _may_have(content):
            continue
        match = _TRAILING.search(content)
        if match:
            what = "tab" if "\t" in match.group() else "carriage return or trailing space"
            yield Problem(
                "whitespace",
                f"a {what} in a message: an invisible edit to it would break the prompt cache",
                "Remove white space at the ends of lines, and use spaces for tabs.",
                where,
                match.start(),
            )


def _may_have(content: str) -> bool:
    """Substring searches first: the expression costs ten times as much."""
    return " \n" in content or "\t" in content or "\r" in content or content.endswith(" ")
