# SPDX-License-Identifier: Apache-2.0
"""What is SQLite's own in its engine; what every engine keeps is in tests/contracts/test_engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from gitprompt.store.engines.duplicate import Duplicate
from gitprompt.store.engines.sqlite import Sqlite, SqliteConnection


@pytest.fixture
def engine(tmp_path: Path) -> Sqlite:
    return Sqlite(str(tmp_path / "telemetry.db"))


@pytest.fixture
def db(engine: Sqlite) -> Iterator[SqliteConnection]:
    connection = engine.writer()
    yield connection
    connection.close()


@pytest.mark.parametrize(("rows", "statements"), [(1, 1), (5, 2), (256, 1), (600, 6)])
def test_many_rows_are_few_statements_of_few_kinds(
    db: SqliteConnection, rows: int, statements: int
) -> None:
    texts: list[str] = []
    db.db.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: texts.append(event["sql"]))
    db.insert("tally", "workspace, kind, rows", [("default", str(n), n) for n in range(rows)])
    db.db.trace_v2(0, None)
    assert len(texts) == statements
    assert db.query("SELECT count(*), sum(rows) FROM tally") == [(rows, sum(range(rows)))]


def test_a_row_that_refers_to_nothing_is_refused_like_a_key_that_is_there(
    db: SqliteConnection,
) -> None:
    columns = "workspace, trace, span_id, id, name, status, created_at"
    with pytest.raises(Duplicate):
        db.insert("span", columns, [("default", 99, "s", 1, "n", "ok", 1)])


def test_what_the_writer_commits_is_on_disk_when_it_returns(db: SqliteConnection) -> None:
    assert db.db.pragma("synchronous") == 2


def test_a_reader_never_waits_for_the_writer(engine: Sqlite, db: SqliteConnection) -> None:
    reader = engine.reader()
    reader.db.set_busy_timeout(0)
    with db.transaction():
        db.execute("INSERT INTO tally (workspace, kind, rows) VALUES ('default', 'log', 1)")
        assert reader.query("SELECT * FROM tally") == []
    reader.close()


def test_numbers_that_are_rolled_back_were_never_seen(db: SqliteConnection) -> None:
    with pytest.raises(ZeroDivisionError), db.savepoint():
        db.numbers("log", 1 // 0)
    with db.transaction():
        assert list(db.numbers("log", 2)) == [1, 2]
        assert list(db.numbers("span", 1)) == [1]
        assert list(db.numbers("log", 1)) == [3]
