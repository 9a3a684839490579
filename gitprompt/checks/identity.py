# SPDX-License-Identifier: Apache-2.0
"""Name and version in a document agree with its path and its tag, and are well formed."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Severity
from gitprompt.core.names import check_name, check_suite_name
from gitprompt.core.versions import check_version
from gitprompt.errors import Invalid

CODES: dict[str, Severity] = {"name": "error", "version": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind in ("settings", "prices"):
        return
    try:
        check = check_name if subject.kind == "prompt" else check_suite_name
        check(subject.name)
    except Invalid as error:
        yield Problem("name", error.message, error.hint)
    name = subject.document.get("name")
    if name is not None and name != subject.name:
        yield Problem(
            "name",
            f"the document says '{name}', its path or tag says '{subject.name}'",
            "Rename one of them, or leave 'name' out: the path says it.",
            ("name",),
        )
    if subject.kind == "prompt" and "version" in subject.document:
        yield from _version(subject.document["version"], subject.version)


def _version(version: str, expected: str | None) -> Iterator[Problem]:
    try:
        check_version(version)
    except Invalid as error:
        yield Problem("version", error.message, error.hint, ("version",))
        return
    if expected is not None and version != expected:
        yield Problem(
            "version",
            f"the document says {version}, its tag says {expected}",
            "`gitprompt publish --bump` rewrites the field, or leave 'version' out.",
            ("version",),
        )
