# SPDX-License-Identifier: Apache-2.0
"""What `gitprompt validate` is asked, what it looks at, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gitprompt.core.model import Finding


class Request(NamedTuple):
    """What to validate. `rev` and `staged` read from Git, the rest from the work tree. `root` is the
    folder that has the prompts, where the settings name none."""

    paths: tuple[str, ...] = ()
    staged: bool = False
    rev: str | None = None
    style: str = "text"
    strict: bool = False
    root: str = ""


class Input(NamedTuple):
    """One file: `shown` is its path for a person, `inside` its path in the repository. `load`
    gives its bytes, or a sentence that says why it has none."""

    shown: str
    inside: str
    load: Callable[[], bytes | str]


class Report(NamedTuple):
    files: int
    findings: list[Finding]
    top: str

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)
