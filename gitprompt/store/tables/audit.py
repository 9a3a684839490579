# SPDX-License-Identifier: Apache-2.0
"""Who did what. A row is written with the change itself; for what moves refs, which no transaction
here can cover, it is written before as pending and settled after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.git.refs import ref_of_text, text_of_ref
from gitprompt.store.engines import Connection
from gitprompt.store.tables import moves, rows
from gitprompt.store.tables.pages import Listing


class AuditRow(NamedTuple):
    """`outcome` is done, pending or failed; `timestamp` is in Unix seconds."""

    workspace: str
    action: str
    prompt_name: str | None
    version_tag: str | None
    api_key_name: str
    ip_address: str | None
    target_id: str | None
    timestamp: int
    outcome: str = "done"

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        insert(db, items)
        return [None] * len(items)


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
    """An entry for what moves a ref, and where that ref is when it is done."""

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


def insert(db: Connection, entries: Sequence[AuditRow]) -> None:
    """Write rows."""
    rows.append(db, "audit", COLUMNS, entries)
    rows.add_to_tally(db, "audit", [entry.workspace for entry in entries])


def _begin(db: Connection, items: Sequence[Expected]) -> Sequence[int]:
    """Write pending rows; returns their ids."""
    ids = rows.insert_numbered(
        db,
        "audit",
        f"{COLUMNS}, ref, oid, boot",
        [
            (*item.entry._replace(outcome="pending"), text_of_ref(item.ref), item.oid, db.boot)
            for item in items
        ],
    )
    rows.add_to_tally(db, "audit", [item.entry.workspace for item in items])
    return ids


class ExpectedTogether(NamedTuple):
    """What one push moves: written at once, or not at all."""

    expected: Sequence[Expected]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Sequence[int]]:
        return [_begin(db, item.expected) for item in items]


class Settled(NamedTuple):
    """(id, outcome) of rows of a workspace that were pending."""

    workspace: str
    outcomes: Sequence[tuple[int, str]]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        db.execute_each(
            "UPDATE audit SET outcome = $1 WHERE workspace = $2 AND id = $3",
            [
                (outcome, item.workspace, number)
                for item in items
                for number, outcome in item.outcomes
            ],
        )
        for workspace in sorted({item.workspace for item in items}):
            moves.note_refs(db, workspace)
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
    """What was begun and not settled by a process that is dead; one that lives settles its own."""

    def answer(self, db: Connection) -> list[tuple[int, Expected]]:
        pending = db.query(
            f"SELECT boot, id, ref, oid, {COLUMNS} FROM audit WHERE outcome = 'pending' ORDER BY id"
        )
        living = db.living() if pending else ()
        return [
            (number, Expected(AuditRow(*columns), ref_of_text(ref), oid))
            for boot, number, ref, oid, *columns in pending
            if boot not in living
        ]


def _has(db: Connection, entry: AuditRow) -> bool:
    return (
        db.row(
            "SELECT 1 FROM audit WHERE workspace = $1 AND action = $2 AND target_id = $3 LIMIT 1",
            (entry.workspace, entry.action, entry.target_id),
        )
        is not None
    )
