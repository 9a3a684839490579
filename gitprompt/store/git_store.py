# SPDX-License-Identifier: Apache-2.0
"""The store that DRIVER=postgres gets: objects in a table. Its keys are `git/{workspace}/…`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gitprompt.errors import GitpromptError, OriginUnreachable
from gitprompt.store.database import Database
from gitprompt.store.tables.git_objects import (
    NextKey,
    ObjectCreation,
    ObjectRemoval,
    OneObject,
    WorkspacesWithObjects,
)


class GitObjects:
    """An object store in a database, which is opened after the driver that has it is made."""

    def __init__(self) -> None:
        self._database: Database | None = None

    def open(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> bytes | None:
        with self._told() as database:
            return database.read_now(OneObject(*_parted(key)))

    def create(self, key: str, data: bytes) -> bool:
        with self._told() as database:
            return database.write_now(ObjectCreation(*_parted(key), data))

    def remove(self, key: str) -> None:
        with self._told() as database:
            database.write_now(ObjectRemoval(*_parted(key)))

    def first_after(self, folder: str, key: str) -> str | None:
        workspace, inside = _parted(folder)
        after = max(_parted(key)[1], inside)
        with self._told() as database:
            found = database.read_now(NextKey(workspace, after, f"{inside[:-1]}0"))  # 0 follows /
            return found and f"{_ROOT}{workspace}/{found}"

    def folders(self, folder: str) -> list[str]:
        """Of `git/` alone."""
        assert folder == _ROOT
        with self._told() as database:
            return database.read_now(WorkspacesWithObjects())

    @contextmanager
    def _told(self) -> Iterator[Database]:
        assert self._database is not None, "it is opened first"
        try:
            yield self._database
        except GitpromptError as error:
            raise OriginUnreachable(f"the database: {error.message}", hint=error.hint) from error


_ROOT = "git/"


def _parted(key: str) -> tuple[str, str]:
    workspace, _, inside = key.removeprefix(_ROOT).partition("/")
    return workspace, inside
