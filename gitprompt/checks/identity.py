# SPDX-License-Identifier: Apache-2.0
"""Name and version in a document agree with its path and its tag, and are well formed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import FRAGMENTS
from gitprompt.core.model import Kind, Severity
from gitprompt.core.names import (
    check_fragment_name,
    check_name,
    check_suite_name,
    is_kept_for_fragments,
)
from gitprompt.core.versions import check_version
from gitprompt.errors import Invalid

CODES: dict[str, Severity] = {"name": "error", "version": "error", "reserved-name": "error"}
NEEDS_SHAPE = True
_CHECKS: dict[Kind, Callable[[str], str]] = {
    "prompt": check_name,
    "suite": check_suite_name,
    "fragment": check_fragment_name,
}


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind not in _CHECKS:
        return
    try:
        _CHECKS[subject.kind](subject.name)
    except Invalid as error:
        yield Problem("name", error.message, error.hint)
    if subject.kind == "fragment":
        return
    if subject.kind == "prompt" and is_kept_for_fragments(subject.name):
        yield Problem(
            "reserved-name",
            f"{FRAGMENTS}/ is for the text that prompts share, in files NAME.md",
            "Move the prompt to another folder.",
        )
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
