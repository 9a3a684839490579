# SPDX-License-Identifier: Apache-2.0
"""Logs: a retry is the same log, and a call that a span told before counts once."""

from __future__ import annotations

import json

import pytest

from gitprompt.errors import Conflict
from gitprompt.store.database import Database
from gitprompt.store.tables import logs
from gitprompt.store.tables.logs import RecentModels
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.rows import Condition, Tally
from tests.store.stored import new_log, new_spans, new_trace


def calls(database: Database) -> int:
    return sum(row.calls for row in database.read_now(StatisticsQuery("default")))


def test_the_same_log_sent_twice_is_one(database: Database) -> None:
    first = database.write_now(new_log(log_id="x", metadata='{"a": 1, "b": 2}'))
    again = database.write_now(new_log(log_id="x", metadata='{"b": 2, "a": 1}', created_at=7_300))
    assert (again.id, again.is_new) == (first.id, False)
    assert (calls(database), database.read_now(Tally("default", "log"))) == (1, 1)


def test_the_same_id_with_other_content_is_a_conflict(database: Database) -> None:
    database.write_now(new_log(log_id="x", tokens_in=1))
    with pytest.raises(Conflict, match="Log x exists with other content"):
        database.write_now(new_log(log_id="x", tokens_in=2))


def test_an_id_is_one_of_its_workspace(database: Database) -> None:
    first = database.write_now(new_log(log_id="x", tokens_in=1))
    second = database.write_now(new_log("other", log_id="x", tokens_in=2))
    assert (first.is_new, second.is_new) == (True, True)


def test_of_one_group_each_log_gets_its_own_outcome(database: Database) -> None:
    items = [new_log(log_id=one, tokens_in=n) for n, one in enumerate(("a", "b", "a", "b"))]
    items[3] = items[1]
    outcomes = database.writer.call(lambda db: logs.insert(db, items))
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "StoredLog", "StoredLog", "Conflict", "StoredLog",
    ]  # fmt: skip
    assert calls(database) == 2


@pytest.mark.parametrize("spelling", ["ABCD-ef01", "abcdef01"])
def test_a_call_that_a_span_told_before_counts_once(database: Database, spelling: str) -> None:
    database.write_now(new_trace("abcd-EF01"))
    database.write_now(new_spans("abcd-EF01", "s", tokens_in=3))
    stored = database.write_now(new_log(trace_id=spelling, span_id="s", tokens_in=5))
    assert stored.spanned is not None
    assert stored.spanned.usage.tokens_in == 3
    (row,) = database.read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in) == (1, 5)


def test_a_log_of_another_workspace_takes_nothing_back(database: Database) -> None:
    database.write_now(new_trace("t"))
    database.write_now(new_spans("t", "s", tokens_in=3))
    stored = database.write_now(new_log("other", trace_id="t", span_id="s"))
    assert stored.spanned is None
    assert calls(database) == 1


def test_the_logged_calls_of_a_trace_are_known_by_their_spans(database: Database) -> None:
    database.write_now(new_log(trace_id="T-1", span_id="a", model="m", tokens_in=1))
    database.write_now(new_log(trace_id="T-1", span_id="a", model="second", tokens_in=2))
    logged = database.writer.call(lambda db: dict(logs.of_spans(db, "default", "t1")))
    assert {span: (call.model, call.usage.tokens_in) for span, call in logged.items()} == {
        "a": ("m", 1)
    }


def test_models_of_calls_that_did_not_fail_are_remembered(database: Database) -> None:
    for model, status, workspace in (
        ("a", "ok", "x"), ("b", "error", "x"), ("c", None, "y"), ("a", "ok", "y"),
    ):  # fmt: skip
        database.write_now(new_log(workspace, provider="p", model=model, status=status))
    assert set(database.read_now(RecentModels(10))) == {("p", "a"), ("p", "c")}


def test_a_list_is_narrowed_and_goes_on_before_a_row(database: Database) -> None:
    for number in range(6):
        database.write_now(new_log(model="even" if number % 2 == 0 else "odd"))
    even = [Condition("model", "even")]
    rows, total, *_ = database.read_now(Part(logs.LISTING, "default", Window(2), even))
    assert (total, [row[0] for row in rows]) == (3, [5, 3])
    rows, *_ = database.read_now(
        Part(logs.LISTING, "default", Window(2, 0, logs.LISTING.place_of(rows[-1])), even)
    )
    assert [row[0] for row in rows] == [1]


def test_what_a_log_says_comes_back(database: Database) -> None:
    metadata = json.dumps({"note": "Grüße\n"})
    database.write_now(new_log(metadata=metadata, cost_usd=0.1, error_code="E"))
    ((_, *columns),), *_ = database.read_now(Part(logs.LISTING, "default", Window(1)))
    row = logs.LogRow(*columns)
    assert (row.metadata, row.cost_usd, row.error_code) == (metadata, 0.1, "E")
