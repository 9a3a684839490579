# SPDX-License-Identifier: Apache-2.0
"""The default driver: the local repository is the origin, so there is nothing to bring or send."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.drivers.claims import disown
from gitprompt.drivers.shelf import Unshown
from gitprompt.errors import Conflict, SetupError
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository

_HEAD = re.compile(rb"(?:ref: refs/[^\0\n]+|[0-9a-f]{40})\n?\Z")


class Filesystem(Unshown):
    name = "filesystem"
    is_mirror = False

    def __init__(self, *, is_hosted: bool = True) -> None:
        self._is_hosted = is_hosted

    def workspaces(self) -> Sequence[str]:
        return [DEFAULT_WORKSPACE] if self._is_hosted else []

    def admit(self, workspace: str) -> None:
        """Any is made on its first write."""

    def claim(self, workspace: str, repository: Repository) -> None:
        disown(repository)

    def fetch(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """The origin is here."""
        return None

    def expect(self, workspace: str) -> None:
        """What is new is here already."""

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Nothing is sent; a lost race is reported before the local transaction would find it."""
        refs = repository.refs()
        for update in updates:
            if (refs.get(update.ref) or ZERO) != update.old:
                raise Conflict(f"{update.ref} was changed by somebody else meanwhile")

    def check(self, workspace: str, repository: Repository) -> None:
        """No process is started for a look at the health: what reads and writes do first must work, and
        what HEAD names must be readable."""
        try:
            with open(f"{repository.git_dir}/HEAD", "rb") as file:
                head = file.read(100)
            is_usable = _HEAD.match(head) and os.access(f"{repository.common_dir}/objects", os.W_OK)
        except OSError as error:
            raise SetupError(f"{repository.git_dir} cannot be read: {error.strerror}") from error
        if not is_usable:
            raise SetupError(
                f"{repository.git_dir} is damaged: its HEAD names no branch, or nobody may write objects",
                hint="Restore it from a backup; for HEAD: git symbolic-ref HEAD refs/heads/main",
            )
        from gitprompt.git.writer import check_tip

        check_tip(repository)
