# SPDX-License-Identifier: Apache-2.0
"""One thread writes, and no job takes another with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gitprompt.errors import Unavailable
from gitprompt.store import group_commit
from gitprompt.store.database import Database
from gitprompt.store.tables import logs
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyUse
from gitprompt.store.tables.logs import StoredLog
from gitprompt.store.tables.rows import Tally
from gitprompt.store.tables.traces import (
    CountedSpan,
    EnsuredTrace,
    NewSpans,
    SpanRow,
    TraceRow,
)
from tests.store.stored import new_log
from tests.world import eventually


def stored_id(outcome: Any) -> int:
    assert isinstance(outcome, StoredLog)
    return outcome.id


def _blocked(database: Database, release: threading.Event) -> threading.Thread:
    """Keep the writer busy until `release`; it has begun when this returns, so that no later job
    joins its transaction."""
    begun = threading.Event()

    def hold(_: object) -> None:
        begun.set()
        release.wait()

    holder = threading.Thread(target=database.writer.call, args=(hold,))
    holder.start()
    assert begun.wait(10)
    return holder


def test_a_job_that_fails_takes_nobody_with_it(database: Database) -> None:
    """All of them wait together behind a slow one, and so share a transaction."""
    release = threading.Event()
    blocker = _blocked(database, release)
    outcomes: dict[str, Any] = {}

    def attempt(name: str, function: Callable[[Any], Any]) -> None:
        try:
            outcomes[name] = database.writer.call(function)
        except Exception as error:
            outcomes[name] = type(error).__name__

    jobs = {
        "good": lambda db: stored_id(logs.insert(db, [new_log()])[0]),
        "bad": lambda db: db.insert("log", "id", [("x",)]),
        "worse": lambda _db: 1 / 0,
        "fine": lambda db: stored_id(logs.insert(db, [new_log()])[0]),
    }
    threads = [threading.Thread(target=attempt, args=job) for job in jobs.items()]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: database.writer.waiting == len(jobs))
    finally:
        release.set()
    for thread in [blocker, *threads]:
        thread.join()
    assert outcomes["worse"] == "ZeroDivisionError"
    refusals = ("ConstraintError", "MismatchError", "Duplicate", "InvalidTextRepresentation")
    assert outcomes["bad"] in refusals
    assert len({outcomes["good"], outcomes["fine"]} - {"bad"}) == 2
    assert database.read_now(Tally("default", "log")) == 2


def test_a_full_queue_refuses_and_stores_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 1)
    release = threading.Event()
    holder = _blocked(database, release)
    waits = database.writer.start(KeyUse({}))
    try:
        with pytest.raises(Unavailable, match="too many writes"):
            database.writer.run(new_log())
    finally:
        release.set()
    holder.join()
    assert waits.result() is None
    assert database.read_now(Tally("default", "log")) == 0


def test_what_others_refer_to_comes_first_in_a_group(database: Database) -> None:
    """An export that waits behind another's spans: its trace comes before all spans of the group."""
    entry = Actor("default", "t").did("x", 1)

    def trace(name: str) -> EnsuredTrace:
        return EnsuredTrace(TraceRow("default", name, None, None, None, 1), entry)

    def spans(name: str) -> NewSpans:
        row = SpanRow("s", None, "n", "ok", 1, 2, None, None, 1)
        return NewSpans("default", name, [CountedSpan(row)], entry)

    database.write_now(trace("a"))
    held, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(database.writer.call, hold)
        assert held.wait(10)
        waiting = [database.start(each) for each in (spans("a"), trace("b"), spans("b"))]
        go.set()
        holding.result(10)
        assert [each.result(10) is not None for each in waiting] == [True] * 3
