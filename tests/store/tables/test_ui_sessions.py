# SPDX-License-Identifier: Apache-2.0
"""Sessions of the pages: found by a hash, gone with their key."""

from __future__ import annotations

from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyInsertion, KeyRemoval
from gitprompt.store.tables.ui_sessions import (
    NewSession,
    OneSession,
    PlainSessions,
    SessionEnd,
    SessionRow,
    SessionSeen,
)

AUDIT = Actor("default", "test").did("ui:login", 1)


def begin(
    database: Database, hash: str, key_id: int | None = None, *, at: int = 10, plain: int = 0
) -> SessionRow:
    row = SessionRow(hash, key_id, None, "read", 0, plain, at, at, at + 100)
    database.write_now(NewSession(row, AUDIT))
    return row


def test_a_session_is_found_used_and_ended(database: Database) -> None:
    row = begin(database, "h")
    assert database.read_now(OneSession("h")) == row
    assert database.read_now(OneSession("other")) is None
    database.write_now(SessionSeen("h", 50))
    database.write_now(SessionSeen("h", 40))  # from a node whose clock is behind
    assert database.read_now(OneSession("h")) == row._replace(seen_at=50)
    database.write_now(SessionEnd("h", AUDIT))
    database.write_now(SessionEnd("h", AUDIT))
    assert database.read_now(OneSession("h")) is None


def test_a_session_goes_with_its_key(database: Database) -> None:
    keys = [
        database.add_key(KeyInsertion(name, "default", "read", f"hash {name}", 1, None, AUDIT))
        for name in ("ada", "bob")
    ]
    for key in keys:
        begin(database, f"session of {key.name}", key.id)
    assert database.remove_key(KeyRemoval(keys[0].id, None, AUDIT))
    assert database.read_now(OneSession("session of ada")) is None
    assert database.read_now(OneSession("session of bob")) is not None


def test_sessions_that_expired_are_forgotten_when_another_begins(database: Database) -> None:
    begin(database, "old", at=10)
    begin(database, "new", at=111)
    assert database.read_now(OneSession("old")) is None


def test_sessions_that_others_may_know_are_counted(database: Database) -> None:
    begin(database, "here")
    begin(database, "elsewhere", plain=1)
    assert database.read_now(PlainSessions(50)) == 1
    assert database.read_now(PlainSessions(110)) == 0
