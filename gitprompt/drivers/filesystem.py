# SPDX-License-Identifier: Apache-2.0
"""The default driver: the local repository is the origin, so there is nothing to bring or send."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.errors import Conflict
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository


class Filesystem:
    name = "filesystem"
    is_mirror = False

    def fetch(self, workspace: str, repository: Repository) -> None:
        """The origin is here."""

    def expect(self, workspace: str) -> None:
        """What is new is here already."""

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Nothing is sent; a lost race is reported before the local transaction would find it."""
        refs = repository.refs()
        for update in updates:
            if (refs.get(update.ref) or ZERO) != update.old:
                raise Conflict(f"{update.ref} was changed by somebody else meanwhile")

    def check(self, workspace: str, repository: Repository) -> None:
        repository.git("rev-parse", "--git-dir")  # git itself says whether it is one
