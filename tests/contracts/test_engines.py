# SPDX-License-Identifier: Apache-2.0
"""What every SQL engine keeps, whatever it is: the contract of `store.engines`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitprompt.config import database_location
from gitprompt.errors import SetupError
from gitprompt.store.database import Database
from gitprompt.store.engines import Connection, Duplicate, Engine, engine_at
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyInsertion, KeyRemoval
from tests import databases
from tests.world import eventually

DID = Actor("w", "n").did("key:create", 1)
PIN = "workspace, name, version, tag, blob, created_at, author, path, first_seen"
KEY = "workspace, name, version"


def pin(name: str, version: str = "1", tag: str = "t") -> tuple[Any, ...]:
    return "default", name, version, tag, "b", 1, "Ada", "p", 2


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An empty database of the engine that is tested."""
    return engine_at(databases.location(tmp_path))


@pytest.fixture
def db(engine: Engine) -> Iterator[Connection]:
    connection = engine.writer()
    yield connection
    connection.close()


def names(db: Connection) -> list[str]:
    return [row[0] for row in db.query("SELECT name FROM pin ORDER BY name")]


def test_values_are_numbered_and_one_may_stand_twice(db: Connection) -> None:
    db.insert("pin", PIN, [pin("a"), pin("b", tag="b")])
    sql = "SELECT name FROM pin WHERE workspace = $1 AND (name = $2 OR tag = $2) ORDER BY name"
    assert db.query(sql, ("default", "b")) == [("b",)]
    assert db.row(sql, ("default", "none")) is None
    assert list(db.stream(sql, ("default", "t"))) == [("a",)]


def test_a_change_says_how_many_rows_it_changed(db: Connection) -> None:
    db.insert("pin", PIN, [pin("a"), pin("b")])
    assert db.execute("UPDATE pin SET tag = $1 WHERE workspace = $2", ("x", "default")) == 2
    assert db.execute("DELETE FROM pin WHERE workspace = $1 AND name = $2", ("other", "a")) == 0


@pytest.mark.parametrize("number", [1, 3, 16, 17, 400])
def test_any_number_of_rows_is_inserted(db: Connection, number: int) -> None:
    db.insert("pin", PIN, [pin(f"{at:04}") for at in range(number)])
    assert names(db) == [f"{at:04}" for at in range(number)]


def test_a_key_that_is_there_raises_or_is_left_out(db: Connection) -> None:
    db.insert("pin", PIN, [pin("a")])
    with pytest.raises(Duplicate), db.savepoint():
        db.insert("pin", PIN, [pin("b"), pin("a", tag="new")])
    assert names(db) == ["a"]
    db.insert("pin", PIN, [pin("a", tag="new"), pin("c")], keep=KEY)
    assert db.query("SELECT name, tag FROM pin ORDER BY name") == [("a", "t"), ("c", "t")]


def test_sums_are_added_to_what_is_there(db: Connection) -> None:
    for rows in ([("a", "log", 2), ("b", "log", 1)], [("a", "log", 3)], []):
        db.add_up("tally", "workspace, kind", ["rows"], rows)
    assert db.query("SELECT workspace, rows FROM tally ORDER BY 1") == [("a", 5), ("b", 1)]


def test_a_statement_runs_with_each_row_of_values(db: Connection) -> None:
    db.insert("pin", PIN, [pin("a"), pin("b"), pin("c")])
    sql = "UPDATE pin SET tag = $1 WHERE workspace = 'default' AND name = $2"
    db.execute_each(sql, [("x", "a"), ("y", "b")])
    db.execute_each(sql, [("z", "c")])
    assert db.query("SELECT tag FROM pin ORDER BY name") == [("x",), ("y",), ("z",)]


def test_a_stream_goes_on_while_others_write(db: Connection) -> None:
    db.insert("pin", PIN, [pin(f"{at:05}") for at in range(5_000)])
    with db.transaction():
        seen = 0
        for (_,) in db.stream("SELECT name FROM pin ORDER BY name"):
            seen += 1
            if seen % 1_000 == 0:
                db.add_up("tally", "workspace, kind", ["rows"], [("a", "seen", 1_000)])
    assert (seen, db.row("SELECT rows FROM tally")) == (5_000, (5_000,))


def test_numbers_ascend_and_are_never_given_to_two_rows(engine: Engine, db: Connection) -> None:
    with db.transaction():
        first = list(db.numbers("suite", 3))
    other = engine.writer()
    with other.transaction():
        second = list(other.numbers("suite", 2))
    other.close()
    assert first == sorted(set(first))
    assert min(second) > max(first)
    assert list(db.numbers("suite", 0)) == []


def test_a_transaction_is_seen_by_others_as_a_whole(engine: Engine, db: Connection) -> None:
    reader = engine.reader()
    with db.transaction():
        db.insert("pin", PIN, [pin("a")])
        assert names(reader) == []
        db.insert("pin", PIN, [pin("b")])
    assert names(reader) == ["a", "b"]
    reader.close()


def insert_and_fail(db: Connection, name: str) -> None:
    db.insert("pin", PIN, [pin(name)])
    raise ZeroDivisionError


def test_what_raises_is_undone_and_the_transaction_goes_on(db: Connection) -> None:
    with db.transaction():
        db.insert("pin", PIN, [pin("a")])
        with pytest.raises(ZeroDivisionError), db.savepoint():
            insert_and_fail(db, "b")
    with pytest.raises(ZeroDivisionError), db.transaction():
        insert_and_fail(db, "c")
    assert names(db) == ["a"]


def test_an_error_that_is_not_the_engines_is_told_as_it_is(db: Connection) -> None:
    error = ValueError("ours")
    assert db.explained(error) is error


def test_a_change_of_keys_is_seen_by_every_process(engine: Engine, db: Connection) -> None:
    here, there = engine.generation(), engine.generation()
    before = there.value
    KeyInsertion.apply(db, [KeyInsertion("n", "w", "read", "h", 1, None, DID)])
    here.advance()
    eventually(lambda: there.value != before, seconds=5)
    before = there.value
    KeyRemoval.apply(db, [KeyRemoval(1, None, DID)])
    here.advance()
    eventually(lambda: there.value != before, seconds=5)
    here.close()
    there.close()


def test_the_size_grows_with_what_is_stored(engine: Engine, db: Connection) -> None:
    before = engine.size()
    db.insert("pin", PIN, [pin(f"{at:06}" * 20) for at in range(2_000)])
    assert engine.size() > before


def test_workspace_is_the_first_column_of_every_key_of_telemetry(tmp_path: Path) -> None:
    """What databases that spread over machines ask for; the rest is small and global."""
    db = engine_at(str(tmp_path / "t.db")).writer()
    tables = {row[0] for row in db.query("SELECT name FROM pragma_table_list WHERE type = 'table'")}
    telemetry = {name for name in tables if not name.startswith("sqlite_")}
    for table in telemetry - {"api_key", "schema_version", "sequence", "ui_session"}:
        (first,) = db.query(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1")
        assert first == ("workspace",), table
        unique = f"SELECT name FROM pragma_index_list('{table}') WHERE \"unique\""
        for (index,) in db.query(unique):
            columns = db.query(f"SELECT name FROM pragma_index_info('{index}') WHERE seqno = 0")
            assert columns == [("workspace",)], index
    db.close()


def test_a_location_that_no_engine_reads_is_refused_with_those_that_are() -> None:
    with pytest.raises(SetupError, match="no engine 'mysql'") as caught:
        engine_at("mysql:host")
    assert "sqlite" in (caught.value.hint or "")


def test_the_database_of_a_folder_is_found_whatever_the_folder_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my:data").mkdir()
    Database(database_location("my:data", "")).close()
    assert (tmp_path / "my:data" / "telemetry.db").exists()
