# SPDX-License-Identifier: Apache-2.0
"""Drivers: where a workspace's repository comes from, and where a write must succeed first.

The server always reads a local repository. To add a driver: write `drivers/<name>.py` with a class
that keeps the `Driver` contract, and name in `DRIVERS` how it is made of the settings; the contract suite picks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gitprompt.config import ServerSettings
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.drivers import postgres, s3
from gitprompt.drivers.filesystem import Filesystem
from gitprompt.drivers.github import Github
from gitprompt.drivers.mirror import Mirror
from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.shelf import Served
from gitprompt.errors import SetupError
from gitprompt.git.origin import parse_origin
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository


class Driver(Protocol):
    """One origin for all workspaces. Methods block; the server calls them from a thread."""

    name: str

    is_mirror: bool
    """False: the local repository is the origin, and a `git push` to it is a publication."""

    def fetch(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """Bring what is new at the origin into the local repository.

        Idempotent. Never moves a version tag and never deletes one: those that are another object at
        the origin, or None if it has deleted them, are the result; None if it was not asked, because it
        was just now, or is here. Raises OriginUnreachable; the local repository is then as it was.
        """

    def workspaces(self) -> Sequence[str]:
        """Those that have an origin, and are made at the start if they are not here yet."""

    def admit(self, workspace: str) -> None:
        """Raise NotFound for a workspace that this driver can have nowhere."""

    def claim(self, workspace: str, repository: Repository) -> None:
        """Before its first fetch: make the local repository of a workspace the origin's, or raise NotClaimed for
        one that has a history of its own, or of another origin."""

    def expect(self, workspace: str) -> None:
        """Somebody says that the origin has something new: the next fetch must ask it, however short
        ago the last one was."""

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Make the updates at the origin, by compare-and-swap, all of them or none.

        The objects are in the local repository already; its refs are not moved yet. Returns when
        the origin is durable. Raises Conflict if a ref is neither at its `old` value there nor, which may
        be our own work of a moment ago, at its `new` one; and OriginUnreachable if it is not known to be done.
        """

    def check(self, workspace: str, repository: Repository) -> None:
        """Raise GitpromptError if the origin is not usable now. Changes nothing."""

    def position(self, repository: Repository) -> int:
        """Up to where the history of its origin is here; 0 where it has no such number."""

    def show(self, workspace: str, position: int, served: Callable[[], Served]) -> bool:
        """Let readers without Git find what is served at a position, where the origin has a place for that. False: not all
        of it is there yet, and it has to be shown again. Raises OriginUnreachable."""

    def stop_showing(self) -> None:
        """Soon: whoever shows is in the middle of it."""

    def close(self) -> None:
        """End what it does in the background."""


def _filesystem(settings: ServerSettings) -> Driver:
    if not settings.origin:
        return Filesystem(is_hosted=not settings.repo)
    if settings.repo:
        raise SetupError("--origin and --repo exclude each other", hint="Leave one of them out.")
    if settings.fetch:
        raise SetupError(
            "--fetch is for a clone that is served with --repo",
            hint="A mirror is fetched anyway: leave it out.",
        )
    return Mirror({DEFAULT_WORKSPACE: parse_origin(settings.origin)})


DRIVERS: Mapping[str, Callable[[ServerSettings, ObjectStore | None], Driver]] = {
    "filesystem": lambda settings, _: _filesystem(settings),
    "github": lambda settings, _: Github(settings),
    "postgres": postgres.make,
    "s3": lambda settings, _: s3.make(settings),
}


def make(settings: ServerSettings, tables: ObjectStore | None = None) -> Driver:
    """The driver that the settings name. `tables` is the store in their database, which is not opened yet. Raises
    SetupError."""
    name = settings.driver
    if name not in DRIVERS:
        names = ", ".join(sorted(DRIVERS))
        raise SetupError(f"there is no driver '{name}'", hint=f"DRIVER is one of: {names}.")
    for setting in ("origin", "repo", "fetch"):
        if name != "filesystem" and getattr(settings, setting):
            raise SetupError(
                f"DRIVER={name} and --{setting} exclude each other",
                hint="Unset DRIVER to serve a repository of this machine, or any origin.",
            )
    return DRIVERS[name](settings, tables)
