# SPDX-License-Identifier: Apache-2.0
"""Runs of workflows: they begin, change and end, once."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.errors import Conflict, NotFound
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.rows import Tally
from gitprompt.store.tables.runs import ChangedRun, OneRun, RunDeletion, Running, RunRow, RunUpdate
from gitprompt.store.tables.traces import TraceDeletion
from tests.store.stored import new_run, new_trace

ENTRY = Actor("default", "test").did("run:update", 9)


def change(database: Database, run: str = "r", **fields: Any) -> ChangedRun:
    empty = dict.fromkeys(RunUpdate._fields)
    update = RunUpdate(
        **{**empty, "workspace": "default", "run_id": run, "now": 9, "audit": ENTRY, **fields}
    )
    return database.write_now(update)


def one(database: Database, run: str = "r") -> RunRow:
    row = database.read_now(OneRun("default", run))
    assert row is not None
    return row


def test_the_same_run_sent_twice_is_one(database: Database) -> None:
    assert database.write_now(new_run("r")) is True
    assert database.write_now(new_run("r", created_at=8_000)) is False
    assert database.read_now(Tally("default", "run")) == 1
    with pytest.raises(Conflict, match="Run r exists with other content"):
        database.write_now(new_run("r", workflow_name="other"))


def test_times_are_compared_only_if_the_caller_gave_them(database: Database) -> None:
    database.write_now(new_run("r", start_time=1))
    assert database.write_now(new_run("r", start_time=2)) is False
    with pytest.raises(Conflict):
        database.write_now(new_run("r", start_time=2, timed=True))


def test_a_run_needs_its_trace(database: Database) -> None:
    with pytest.raises(NotFound, match="Trace not found"):
        database.write_now(new_run("r", trace_id="t"))
    database.write_now(new_trace("t", "other"))
    with pytest.raises(NotFound, match="Trace not found"):
        database.write_now(new_run("r", trace_id="t"))


def test_a_change_replaces_only_what_it_names(database: Database) -> None:
    database.write_now(new_run("r", output='"old"', metadata='{"a": 1}'))
    change(database, output='"new"')
    row = one(database)
    assert (row.output, row.metadata, row.status) == ('"new"', '{"a": 1}', "running")


def test_a_clock_that_goes_back_makes_no_run_older(database: Database) -> None:
    database.write_now(new_run("r", updated_at=50))
    change(database, now=40)
    assert one(database).updated_at == 50
    change(database, now=60)
    assert one(database).updated_at == 60


def test_a_run_that_is_opened_again_ends_for_the_first_time_once(database: Database) -> None:
    database.write_now(new_run("r"))
    assert change(database, status="completed", end_time=7).ends_first
    assert one(database).end_time == 7
    assert not change(database, status="running").ends_first
    assert one(database).end_time is None
    assert not change(database, status="failed", end_time=9).ends_first


def test_the_end_that_was_told_first_stays(database: Database) -> None:
    database.write_now(new_run("r"))
    change(database, status="completed", end_time=7)
    assert change(database, status="completed", end_time=9).end_time == 7


def test_what_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="Run not found"):
        change(database, "none")
    with pytest.raises(NotFound, match="Run not found"):
        database.write_now(RunDeletion("default", "none", ENTRY))
    assert database.read_now(OneRun("default", "none")) is None


def test_a_run_that_is_deleted_is_not_counted(database: Database) -> None:
    database.write_now(new_run("r"))
    database.write_now(RunDeletion("default", "r", ENTRY))
    assert database.read_now(Tally("default", "run")) == 0


def test_a_run_outlives_its_trace(database: Database) -> None:
    database.write_now(new_trace("t"))
    database.write_now(new_run("r", trace_id="t"))
    database.write_now(TraceDeletion("default", "t", ENTRY))
    assert one(database).trace_id is None


def test_the_newest_runs_that_are_running_are_known(database: Database) -> None:
    for number, status in enumerate(("running", "completed", "running", "running")):
        database.write_now(new_run(f"r{number}", status=status, created_at=number))
    assert database.read_now(Running(1, 1)) == [("default", "r3", 3)]
    assert [row[1] for row in database.read_now(Running(1, 9))] == ["r3", "r2"]
