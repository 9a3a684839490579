# SPDX-License-Identifier: Apache-2.0
"""Who is signed in to the pages, by the hashes of their cookies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import AuditRow


class SessionRow(NamedTuple):
    """`key_id` None: it was opened with the local token of which `token` is the HMAC. `scopes` are
    comma-separated; `changes`: it may change something; `plain`: it was opened over http from elsewhere, so
    that whoever is on the way knows it. Times are Unix seconds."""

    hash: str
    key_id: int | None
    token: str | None
    scopes: str
    changes: int
    plain: int
    created_at: int
    seen_at: int
    expires_at: int


_COLUMNS = ", ".join(SessionRow._fields)


class NewSession(NamedTuple):
    """A session begins; those that have expired are forgotten."""

    row: SessionRow
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            db.execute("DELETE FROM ui_session WHERE expires_at < $1", (item.row.created_at,))
        db.insert("ui_session", _COLUMNS, [item.row for item in items])
        audit.insert(db, [item.audit for item in items])
        return [None] * len(items)


class SessionSeen(NamedTuple):
    """A session was used at a time."""

    hash: str
    at: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        db.execute_each(
            "UPDATE ui_session SET seen_at = $1 WHERE hash = $2 AND seen_at < $1",
            [(item.at, item.hash) for item in items],
        )
        return [None] * len(items)


class SessionEnd(NamedTuple):
    """A session ends; one that is not there has ended already."""

    hash: str
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        ended = [
            item
            for item in items
            if db.execute("DELETE FROM ui_session WHERE hash = $1", (item.hash,))
        ]
        audit.insert(db, [item.audit for item in ended])
        return [None] * len(items)


class PlainSessions(NamedTuple):
    """How many sessions that are not over were opened over http from elsewhere; `now` is a Unix time."""

    now: int

    def answer(self, db: Connection) -> int:
        row = db.row("SELECT count(*) FROM ui_session WHERE plain = 1 AND expires_at > $1", self)
        return int(row[0]) if row else 0


class OneSession(NamedTuple):
    """The session of a cookie, by its hash."""

    hash: str

    def answer(self, db: Connection) -> SessionRow | None:
        row = db.row(f"SELECT {_COLUMNS} FROM ui_session WHERE hash = $1", self)
        return SessionRow(*row) if row else None
