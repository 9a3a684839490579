# SPDX-License-Identifier: Apache-2.0
"""Drivers: where a workspace's repository comes from, and where a write must succeed first.

The server always reads a local repository. To add a driver: write `drivers/<name>.py` with a class
that keeps the `Driver` contract, and name it in `DRIVERS`; the contract suite picks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gitprompt.drivers.filesystem import Filesystem
from gitprompt.errors import SetupError
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository


class Driver(Protocol):
    """One origin for all workspaces. Methods block; the server calls them from a thread."""

    name: str

    is_mirror: bool
    """False: the local repository is the origin, and a `git push` to it is a publication."""

    def fetch(self, workspace: str, repository: Repository) -> None:
        """Bring what is new at the origin into the local repository.

        Idempotent. Never moves a version tag and never deletes one. Raises GitError if the
        origin cannot be reached; the local repository is then as it was.
        """

    def expect(self, workspace: str) -> None:
        """Somebody says that the origin has something new: the next fetch must ask it, however short
        ago the last one was."""

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Make the updates at the origin, by compare-and-swap, all of them or none.

        The objects are in the local repository already; its refs are not moved yet. Returns when
        the origin is durable. Raises Conflict if a ref is not at its `old` value there.
        """

    def check(self, workspace: str, repository: Repository) -> None:
        """Raise GitpromptError if the origin is not usable now. Changes nothing."""


DRIVERS: Mapping[str, Callable[[], Driver]] = {
    "filesystem": Filesystem,
}


def make(name: str) -> Driver:
    if name not in DRIVERS:
        names = ", ".join(sorted(DRIVERS))
        raise SetupError(f"there is no driver '{name}'", hint=f"DRIVER is one of: {names}.")
    return DRIVERS[name]()
