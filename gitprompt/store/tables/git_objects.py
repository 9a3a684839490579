# SPDX-License-Identifier: Apache-2.0
"""Git in the database: keys and bytes, of which each is written once. Only where several nodes have one database.

`GitObjects` is the store that DRIVER=postgres gets; its keys are `git/{workspace}/…`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitprompt.errors import GitpromptError, OriginUnreachable
from gitprompt.store.database import Database
from gitprompt.store.engines import Connection


class _Creation(NamedTuple):
    """Bytes under a key that is not there; the result is whether it was not."""

    workspace: str
    key: str
    data: bytes

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[bool]:
        return [
            db.execute(
                "INSERT INTO git_object (workspace, key, data) VALUES ($1, $2, $3)"
                " ON CONFLICT (workspace, key) DO NOTHING",
                item,
            )
            == 1
            for item in items
        ]


class _Removal(NamedTuple):
    workspace: str
    key: str

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            db.execute("DELETE FROM git_object WHERE workspace = $1 AND key = $2", item)
        return [None] * len(items)


class _Object(NamedTuple):
    workspace: str
    key: str

    def answer(self, db: Connection) -> bytes | None:
        row = db.row("SELECT data FROM git_object WHERE workspace = $1 AND key = $2", self)
        return bytes(row[0]) if row else None


class _NextKey(NamedTuple):
    """The first key after one, and before another."""

    workspace: str
    after: str
    before: str

    def answer(self, db: Connection) -> str | None:
        row = db.row(
            "SELECT key FROM git_object WHERE workspace = $1 AND key > $2 AND key < $3"
            " ORDER BY key LIMIT 1",
            self,
        )
        return str(row[0]) if row else None


class _Workspaces(NamedTuple):
    """Each is one look into the primary key, however many objects it has."""

    def answer(self, db: Connection) -> list[str]:
        found: list[str] = []
        sql = "SELECT workspace FROM git_object WHERE workspace > $1 ORDER BY workspace LIMIT 1"
        while row := db.row(sql, (found[-1] if found else "",)):
            found.append(str(row[0]))
        return found


class GitObjects:
    """An object store in a database, which is opened after the driver that has it is made."""

    def __init__(self) -> None:
        self._database: Database | None = None

    def open(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> bytes | None:
        with self._told() as database:
            return database.read_now(_Object(*_parted(key)))

    def create(self, key: str, data: bytes) -> bool:
        with self._told() as database:
            return database.write_now(_Creation(*_parted(key), data))

    def remove(self, key: str) -> None:
        with self._told() as database:
            database.write_now(_Removal(*_parted(key)))

    def first_after(self, folder: str, key: str) -> str | None:
        workspace, inside = _parted(folder)
        after = max(_parted(key)[1], inside) if key else inside
        with self._told() as database:
            found = database.read_now(_NextKey(workspace, after, f"{inside[:-1]}0"))  # 0 follows /
            return found and f"{_ROOT}{workspace}/{found}"

    def folders(self, folder: str) -> list[str]:
        """Of `git/` alone."""
        assert folder == _ROOT
        with self._told() as database:
            return database.read_now(_Workspaces())

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
