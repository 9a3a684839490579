# SPDX-License-Identifier: Apache-2.0
"""Git in the database: keys and bytes, of which each is written once. Only where several nodes have one database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection


class ObjectCreation(NamedTuple):
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


class ObjectRemoval(NamedTuple):
    workspace: str
    key: str

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            db.execute("DELETE FROM git_object WHERE workspace = $1 AND key = $2", item)
        return [None] * len(items)


class OneObject(NamedTuple):
    workspace: str
    key: str

    def answer(self, db: Connection) -> bytes | None:
        row = db.row("SELECT data FROM git_object WHERE workspace = $1 AND key = $2", self)
        return bytes(row[0]) if row else None


class NextKey(NamedTuple):
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


class WorkspacesWithObjects(NamedTuple):
    """Each is one look into the primary key, however many objects it has."""

    def answer(self, db: Connection) -> list[str]:
        found: list[str] = []
        sql = "SELECT workspace FROM git_object WHERE workspace > $1 ORDER BY workspace LIMIT 1"
        while row := db.row(sql, (found[-1] if found else "",)):
            found.append(str(row[0]))
        return found
