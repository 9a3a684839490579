# SPDX-License-Identifier: Apache-2.0
"""Who did what. A row is written with the change itself; for what moves refs, which no transaction
here can cover, it is written before as pending and settled after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import sqlite
from gitprompt.store.tables import rows
from gitprompt.store.tables.rows import Connection, Listing


class AuditRow(NamedTuple):
    """`outcome` is done, pending or failed; `timestamp` is in Unix seconds."""

    workspace_id: str
    action: str
    prompt_name: str | None
    version_tag: str | None
    api_key_name: str
    ip_address: str | None
    target_id: str | None
    timestamp: int
    outcome: str = "done"

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[int]:
        return insert(db, items)


class Actor(NamedTuple):
    """Who does something, where: a key by its name, from an address. The command line on the data
    directory is the key 'local' without an address."""

    workspace: str
    key_name: str
    ip_address: str | None = None

    def did(
        self,
        action: str,
        now: int,
        *,
        prompt_name: str | None = None,
        version_tag: str | None = None,
        target_id: str | None = None,
        outcome: str = "done",
    ) -> AuditRow:
        return AuditRow(
            self.workspace, action, prompt_name, version_tag, self.key_name, self.ip_address,
            target_id, now, outcome,
        )  # fmt: skip


class Expected(NamedTuple):
    """An entry for what moves a ref, and what shall stand there when it is done."""

    entry: AuditRow
    ref: str
    oid: str

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[int]:
        return _begin(db, items)


# Who acts without an API key, and what no key may be called therefore.
LOCAL = "local"  # the command line, on the data directory
LOCAL_TOKEN = "local token"  # noqa: S105 - hooks and `gitprompt sync`, over the Unix socket
GIT = "git"  # whoever moved a ref behind the server's back
RESERVED = frozenset((LOCAL, LOCAL_TOKEN, GIT))
COLUMNS = ", ".join(AuditRow._fields)
LISTING = Listing("audit", COLUMNS, "audit")


def insert(db: Connection, entries: Sequence[AuditRow]) -> list[int]:
    """Write rows; returns their ids."""
    if not entries:
        return []
    rows.insert(db, "audit", COLUMNS, entries)
    rows.add_to_tally(db, "audit", [entry.workspace_id for entry in entries])
    last = db.last_insert_rowid()
    return list(range(last - len(entries) + 1, last + 1))


def _begin(db: Connection, items: Sequence[Expected]) -> list[int]:
    """Write pending rows; returns their ids."""
    ids = insert(db, [item.entry._replace(outcome="pending") for item in items])
    db.executemany(
        "UPDATE audit SET ref = ?, oid = ? WHERE id = ?",
        [(item.ref, item.oid, row) for item, row in zip(items, ids, strict=True)],
    )
    return ids


class ExpectedTogether(NamedTuple):
    """What one push moves: written at once, or not at all."""

    expected: Sequence[Expected]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[list[int]]:
        return [_begin(db, item.expected) for item in items]


class Settled(NamedTuple):
    """(id, outcome) of rows that were pending."""

    outcomes: Sequence[tuple[int, str]]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        db.executemany(
            "UPDATE audit SET outcome = ? WHERE id = ?",
            [(outcome, row) for item in items for row, outcome in item.outcomes],
        )
        return [None] * len(items)


class NotedOnce(NamedTuple):
    """A row that is written unless one of its action and target is there."""

    entry: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            if not _has(db, item.entry):
                insert(db, [item.entry])
        return [None] * len(items)


class Pending(NamedTuple):
    """What was begun and not settled, as after a crash."""

    def answer(self, db: Connection) -> list[tuple[int, Expected]]:
        pending = sqlite.query(
            db, f"SELECT id, ref, oid, {COLUMNS} FROM audit WHERE outcome = 'pending' ORDER BY id"
        )
        return [(row[0], Expected(AuditRow(*row[3:]), row[1], row[2])) for row in pending]


def _has(db: Connection, entry: AuditRow) -> bool:
    sql = "SELECT 1 FROM audit WHERE workspace_id = ? AND action = ? AND target_id = ? LIMIT 1"
    key = entry.workspace_id, entry.action, entry.target_id
    return sqlite.row(db, sql, key) is not None
