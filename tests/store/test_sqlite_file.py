# SPDX-License-Identifier: Apache-2.0
"""A SQLite file is opened, kept durable and private; what SQLite refuses is said in our words."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from gitprompt.errors import SetupError, Unavailable
from gitprompt.store import sqlite_file
from gitprompt.store.sqlite_file import Corrupt


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "index.db")


@pytest.fixture
def db(path: str) -> Iterator[apsw.Connection]:
    connection = sqlite_file.connect(path, "index", durability="NORMAL")
    yield connection
    connection.close()


def insert(db: apsw.Connection, workspace: str) -> None:
    db.execute("INSERT INTO workspace (workspace, settings) VALUES (?, '[]')", (workspace,))


def count(db: apsw.Connection) -> int:
    return int(sqlite_file.query(db, "SELECT count(*) FROM workspace")[0][0])


@pytest.mark.parametrize(("durability", "level"), [("FULL", 2), ("NORMAL", 1)])
def test_a_commit_is_as_durable_as_was_asked(path: str, durability: str, level: int) -> None:
    for _ in range(2):  # a new file, and one that is there
        db = sqlite_file.connect(path, "index", durability=durability)  # type: ignore[arg-type]
        assert db.pragma("synchronous") == level
        assert db.pragma("journal_mode") == "wal"
        assert db.pragma("foreign_keys") == 1
        db.close()


def test_only_its_owner_reads_the_file(path: str, db: apsw.Connection) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_damaged_file_is_corrupt_and_says_what_to_do(path: str) -> None:
    Path(path).write_bytes(b"no database" * 1_000)
    with pytest.raises(Corrupt, match="is damaged") as caught:
        sqlite_file.connect(path, "index", durability="FULL")
    assert "gitprompt doctor" in (caught.value.hint or "")


def test_a_file_that_cannot_be_opened_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be used"):
        sqlite_file.connect(str(tmp_path / "none" / "x.db"), "index", durability="FULL")


def test_a_file_of_a_newer_schema_is_refused_and_left_alone(path: str, db: apsw.Connection) -> None:
    db.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(SetupError, match=r"newer gitprompt \(schema 99"):
        sqlite_file.connect(path, "index", durability="FULL")
    assert db.execute("SELECT version FROM schema_version").get == 99


def test_a_transaction_that_raises_has_not_happened(db: apsw.Connection) -> None:
    with sqlite_file.transaction(db):
        insert(db, "a")
    with pytest.raises(apsw.ConstraintError), sqlite_file.transaction(db):
        insert(db, "a")
    assert (count(db), db.in_transaction) == (1, False)


def test_what_another_process_holds_is_busy_for_a_while(path: str, db: apsw.Connection) -> None:
    db.set_busy_timeout(0)
    other = apsw.Connection(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another process") as caught:
        sqlite_file.transaction(db).__enter__()
    assert caught.value.headers["Retry-After"] == "1"
    other.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (apsw.FullError("x"), "the disk is full; nothing was stored"),
        (apsw.IOError("x"), "the database cannot be written: x"),
        (apsw.ReadOnlyError("x"), "the database cannot be written: x"),
        (apsw.BusyError("x"), "the database is locked by another process"),
        (apsw.CorruptError("x"), "the database is damaged: x"),
    ],
)
def test_a_refusal_is_told_in_our_words(error: Exception, words: str) -> None:
    assert str(sqlite_file.explained(error)) == words


def test_a_row_is_the_first_or_none(db: apsw.Connection) -> None:
    insert(db, "b")
    insert(db, "a")
    sql = "SELECT workspace FROM workspace WHERE workspace < ? ORDER BY workspace"
    assert sqlite_file.row(db, sql, ("z",)) == ("a",)
    assert sqlite_file.row(db, sql, ("a",)) is None


def test_the_size_is_that_of_the_file_and_its_journal(path: str, db: apsw.Connection) -> None:
    both = os.path.getsize(path) + os.path.getsize(f"{path}-wal")
    assert sqlite_file.size_of(path) == both
    assert sqlite_file.size_of(path + ".none") == 0
