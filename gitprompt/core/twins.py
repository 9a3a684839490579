# SPDX-License-Identifier: Apache-2.0
"""What cannot both exist: spellings that differ only in case, and versions of equal precedence.

File systems and people confuse `Welcome` with `welcome`; SemVer says that `1.0` is `1.0.0`. The
rule is the same for whoever publishes: a push, a request over HTTP, and the sync, which settles
what came to be by other ways.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitprompt.core.model import Finding
from gitprompt.core.names import fold
from gitprompt.core.versions import precedence


class Spellings:
    """Spellings that are taken: names of prompts, of suites, or the labels of one prompt."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._by_fold: dict[str, set[str]] = {}
        for spelling in taken:
            self.add(spelling)

    def add(self, spelling: str) -> None:
        self._by_fold.setdefault(fold(spelling), set()).add(spelling)

    def twin(self, spelling: str) -> str | None:
        """What is taken and differs from `spelling` only in case."""
        return min(self._by_fold.get(fold(spelling), set()) - {spelling}, default=None)


class Taken:
    """Versions of prompts that exist, so that the next one can be held against them."""

    def __init__(self) -> None:
        self._names = Spellings()
        self._versions: dict[tuple[str, str], str] = {}

    def add_name(self, name: str) -> None:
        self._names.add(name)

    def add(self, name: str, version: str) -> None:
        """Both must be valid. Of two versions of equal precedence the first counts."""
        self._names.add(name)
        self._versions.setdefault((name, precedence(version)), version)

    def objection(self, name: str, version: str) -> Finding | None:
        """Why `version` of `name` cannot be published beside what exists; None also if it is the
        very version that exists."""
        other = self._names.twin(name)
        if other is not None:
            return case_twin(name, other)
        twin = self._versions.get((name, precedence(version)), version)
        return None if twin == version else precedence_twin(version, twin)


def case_twin(spelling: str, other: str, *, kind: str = "") -> Finding:
    """`kind`: what the other is, such as "label", if it is not a prompt."""
    what = f"the {kind} '{other}'" if kind else f"'{other}'"
    return Finding(
        "name", "error", f"'{spelling}' differs only in case from {what}", "Use one spelling."
    )


def precedence_twin(version: str, other: str) -> Finding:
    return Finding(
        "version",
        "error",
        f"{version} has the same precedence as {other}, which is published",
        "Choose the next version.",
    )
