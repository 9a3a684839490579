# SPDX-License-Identifier: Apache-2.0
"""A database of an older schema: what is in it stays, and a migration that is cut short is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from gitprompt.errors import SetupError
from gitprompt.store import migration
from gitprompt.store.database import Database
from gitprompt.store.tables import audit, logs, runs, scores, traces
from gitprompt.store.tables.audit import Pending
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.rollups import RollupRebuild, StatisticsQuery
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.suites import NumberedSuites, SuiteNames
from gitprompt.store.tables.trace_totals import TraceTotal
from gitprompt.store.tables.traces import OneTrace
from tests.store.stored import new_log

FOLDER = Path(migration.__file__).parent / "migrations" / "sqlite"


def old_database(path: Path, *, logs: int = 3) -> None:
    """A database of the schema before keys began with the workspace, with rows in every table."""
    db = apsw.Connection(str(path))
    for name in sorted(os.listdir(FOLDER))[:3]:
        db.execute((FOLDER / name).read_text(encoding="utf-8"))
    db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO schema_version VALUES (3)")
    with db:
        for number in range(1, logs + 1):
            workspace = "default" if number % 2 else "other"
            db.execute(
                "INSERT INTO log (workspace, log_id, prompt_name, version_tag, tokens_in, cost_usd,"
                " metadata, created_at) VALUES (?, ?, 'p', '1', ?, 0.5, '{}', 7200)",
                (workspace, f"log-{number}", number),
            )
        db.execute(
            "INSERT INTO trace (id, workspace, trace_id, prompt_name, version_tag, created_at)"
            " VALUES (7, 'default', 'T-1', 'p', '1', 7200);"
            "INSERT INTO span (id, trace, span_id, name, status, start_time, end_time, metadata,"
            " created_at) VALUES (5, 7, 's', 'llm', 'ok', 0, 9, '{\"kind\": \"llm\"}', 7200);"
            "INSERT INTO run (workspace, run_id, workflow_name, status, start_time, created_at,"
            " updated_at, has_ended, trace_id)"
            " VALUES ('other', 'r', 'w', 'completed', 1, 2, 3, 1, NULL);"
            "INSERT INTO suite (id, workspace, name, created_at) VALUES (4, 'default', 'q', 7200);"
            "INSERT INTO result (suite, result_id, score, prompt_name, version_tag, created_at)"
            " VALUES (4, 'res', 0.5, 'p', '1', 7200);"
            "INSERT INTO metric (workspace, name, value, type, labels, timestamp)"
            " VALUES ('default', 'm', 1.5, 'gauge', '{}', 7200000);"
            "INSERT INTO audit (workspace_id, action, api_key_name, timestamp, outcome, ref, oid)"
            " VALUES ('other', 'push', 'k', 9, 'pending', 'refs/heads/main', 'abc');"
            "INSERT INTO tally VALUES ('default', 'log', 2), ('other', 'log', 1),"
            " ('other', 'audit', 1), ('default', 'audit', 0), ('default', 'trace', 1),"
            " ('other', 'run', 1)"
        )
    db.close()


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, by column names in order of the alphabet."""
    db = apsw.Connection(str(path))
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    rows = {}
    for table in tables:
        columns = sorted(row[1] for row in db.execute(f"PRAGMA table_info({table})"))
        rows[table] = sorted(db.execute(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
    db.close()
    return rows


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "telemetry.db"
    old_database(path)
    return path


def test_every_row_is_there_afterwards(old: Path) -> None:
    database = Database(str(old))
    window = Window(10)
    for listing, workspace, number in (
        (logs.LISTING, "default", 2), (logs.LISTING, "other", 1), (traces.LISTING, "default", 1),
        (runs.LISTING, "other", 1), (scores.LISTING, "default", 1), (audit.LISTING, "other", 1),
    ):  # fmt: skip
        rows, total, *_ = database.read_now(Part(listing, workspace, window))
        assert (len(rows), total) == (number, number), listing.table
    stored = database.read_now(OneTrace("default", "T-1"))
    assert stored is not None
    assert [span.span_id for span in stored.spans] == ["s"]
    assert stored.total == TraceTotal(1, 0, 9, 0, 0.0)
    assert database.read_now(NumberedSuites("default"))["q"].id == 4
    assert [entry.ref for _, entry in database.read_now(Pending())] == ["refs/heads/main"]
    database.close()


def test_ids_stay_and_new_ones_follow_them(old: Path) -> None:
    database = Database(str(old))
    assert database.write_now(new_log()).id == 4
    database.write_now(SuiteNames("default", ["r"], 9))
    assert database.read_now(NumberedSuites("default"))["r"].id == 5
    rows, *_ = database.read_now(Part(logs.LISTING, "default", Window(10)))
    assert [row[0] for row in rows] == [4, 3, 1]
    database.close()


def test_a_number_that_was_given_before_is_not_given_again(old: Path) -> None:
    db = apsw.Connection(str(old))
    db.execute("DELETE FROM log WHERE id = 3")
    db.close()
    database = Database(str(old))
    assert database.write_now(new_log()).id == 4
    database.close()


def test_statistics_are_computed_from_what_came_along(old: Path) -> None:
    database = Database(str(old))
    database.write_now(RollupRebuild(0))
    (row,) = database.read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in, row.scores) == (3, 4, 1)
    database.close()


def test_what_a_trace_holds_still_goes_with_it(old: Path) -> None:
    database = Database(str(old))
    database.writer.call(lambda db: db.execute("DELETE FROM trace WHERE workspace = 'default'"))
    assert database.writer.call(lambda db: db.query("SELECT * FROM span")) == []
    database.close()


def test_a_migration_tells_how_far_it_is(old: Path) -> None:
    steps: list[tuple[int, int]] = []
    Database(str(old), progress=lambda done, total: steps.append((done, total))).close()
    assert steps == sorted(steps)
    # Three logs, one row of each other table; a result, a trace (twice) and a run are read once more.
    assert steps[-1][0] == steps[-1][1] == 14


def test_a_disk_with_too_little_room_is_said_before_anything_is_done(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(old)
    usage = shutil.disk_usage(old.parent)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(SetupError, match=r"needs .* GB of free disk"):
        Database(str(old))
    assert everything(old) == before


def test_a_step_that_fails_leaves_the_database_as_it_was(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(old)
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER, folder / "sqlite")
    (folder / "sqlite" / "0005_wrong.sql").write_text("DROP TABLE nobody;\n")
    monkeypatch.setattr(migration, "MIGRATIONS", str(folder))
    with pytest.raises(apsw.SQLError, match="nobody"):
        Database(str(old))
    assert everything(old) == before


def test_a_migration_that_is_killed_has_not_happened(tmp_path: Path) -> None:
    old = tmp_path / "telemetry.db"
    old_database(old, logs=40_000)
    before = everything(old)
    command = (
        "import sys; from gitprompt.store.database import Database\n"
        "Database(sys.argv[1], progress=lambda *step: print(*step, flush=True))"
    )
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", command, str(old)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()  # the first part is copied
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert everything(old) == before
    Database(str(old)).close()
    assert len(everything(old)["log"]) == 40_000


def test_what_was_tagged_before_is_found_by_its_tags(old: Path) -> None:
    db = apsw.Connection(str(old))
    for name in sorted(os.listdir(FOLDER))[3:11]:
        db.execute((FOLDER / name).read_text(encoding="utf-8"), {"after": 0, "until": 99})
    db.execute("UPDATE schema_version SET version = 11")
    db.execute('UPDATE trace SET tags = \'["beta", "beta", 3]\'')
    db.execute("UPDATE run SET tags = '\"alone\"'")
    db.close()
    database = Database(str(old))
    for listing, workspace, tag in (
        (traces.LISTING, "default", "beta"), (runs.LISTING, "other", "alone"),
    ):  # fmt: skip
        wanted = [Condition("tag", tag, "has")]
        assert database.read_now(Part(listing, workspace, Window(9), wanted)).total == 1
    database.close()
