# SPDX-License-Identifier: Apache-2.0
"""The totals of traces are those of their spans, whatever came in which order; lists are narrowed by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.core.telemetry.usage import Usage
from gitprompt.store.database import Database
from gitprompt.store.engines.sqlite import Sqlite
from gitprompt.store.tables import pages, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Part, PartQuery, Window
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.trace_totals import TraceTotal
from gitprompt.store.tables.traces import (
    CountedSpan,
    EnsuredTrace,
    NewSpans,
    OneTrace,
    SpanRow,
    TraceDeletion,
    TraceRow,
)

ENTRY = Actor("default", "t").did("x", 1)
TIMES = st.one_of(st.none(), st.integers(0, 1 << 62))


def span(
    name: str, start: int | None = None, end: int | None = None, *, status: str = "ok",
    tokens: int = 0, cost: int | None = None, ends: bool = False,
) -> CountedSpan:  # fmt: skip
    metadata = json.dumps({"kind": "llm", "tokens_in": tokens}) if tokens else None
    usage = Usage("default", "", "", 2, 0, tokens, 0, 0, cost, 1) if tokens else None
    row = SpanRow(name, None, "n", status, start, end, metadata, None, 7_200)
    return CountedSpan(row, usage, ends=ends)


def stored(
    database: Database, trace: str, *spans: CountedSpan, at: int = 7_200, **about: Any
) -> None:
    row = TraceRow("default", trace, "p", "1", None, at)._replace(**about)
    database.write_now(EnsuredTrace(row, ENTRY))
    if spans:
        database.write_now(NewSpans("default", trace, spans, ENTRY))


def total(database: Database, trace: str) -> TraceTotal:
    found = database.read_now(OneTrace("default", trace))
    assert found is not None
    return found.total


def test_a_trace_is_what_its_spans_are_together(database: Database) -> None:
    stored(database, "a")
    assert total(database, "a") == TraceTotal(0, 0, None, 0, 0.0)
    stored(database, "a", span("1", 10, 20), span("2", 15, 90, status="error"))
    stored(database, "a", span("3", 5, tokens=7, cost=2_000_000_000))
    assert total(database, "a") == TraceTotal(3, 1, 85, 7, 2.0)
    stored(database, "a", span("3", 5, tokens=7, cost=2_000_000_000))  # a retry is no second one
    assert total(database, "a") == TraceTotal(3, 1, 85, 7, 2.0)


def test_an_open_span_that_ends_counts_once(database: Database) -> None:
    stored(database, "a", span("1", 10, status="error", ends=True))
    stored(database, "a", span("1", 10, 30, status="ok", tokens=3, ends=True))
    assert total(database, "a") == TraceTotal(1, 0, 20, 3, 0.0)


SPAN = st.tuples(
    st.sampled_from("ab"), st.integers(0, 9), TIMES, TIMES, st.booleans(), st.integers(0, 9)
)


@given(st.lists(SPAN, max_size=20), st.booleans())
@settings(max_examples=50)
def test_totals_that_were_kept_equal_those_that_are_added_up(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[Any, ...]], deletes: bool
) -> None:
    db = Sqlite(str(tmp_path_factory.mktemp("t") / "t.db")).writer()
    for trace, name, start, end, failed, tokens in steps:
        traces.ensure(db, [EnsuredTrace(TraceRow("default", trace, None, None, None, 1), ENTRY)])
        one = span(str(name), start, end, status="error" if failed else "ok", tokens=tokens)
        traces.insert_spans(db, [NewSpans("default", trace, [one], ENTRY)])
    if deletes:
        traces.delete(db, [TraceDeletion("default", "a", ENTRY)])
    kept = "SELECT id, spans, errors, first_start, last_end FROM trace_total ORDER BY id"
    added = (
        "SELECT trace, count(*), CAST(sum(status = 'error') AS BIGINT), min(start_time), max(end_time)"
        " FROM span GROUP BY trace ORDER BY trace"
    )
    assert db.query(kept) == db.query(added)
    db.close()


# Lists


FAILED, WELL = Condition("failed", 1), Condition("failed", 0)
SLOW = Condition("duration", 100, ">=")


def names(database: Database, *conditions: Condition, most: str = "") -> list[str]:
    page = database.read_now(Part(traces.LISTING, "default", Window(99), conditions, most))
    assert page.total == len(page.rows)
    return [row[2] for row in page.rows]


@pytest.fixture
def several(database: Database) -> Database:
    for at, (trace, start, end, failed, tags) in enumerate(
        [("quick", 0, 9, False, '["x"]'), ("slow", 0, 500, False, None), ("bad", 0, 200, True, '["x"]'),
         ("open", 0, None, False, None), ("worse", 0, 100, True, None)]
    ):  # fmt: skip
        one = span("s", start, end, status="error" if failed else "ok", tokens=1, cost=at * 10**9)
        stored(database, trace, one, at=100 + at, tags=tags, prompt_name="q" if at % 2 else "p")
    return database


@pytest.mark.parametrize("rare", [10_000, 0])
def test_lists_are_narrowed_by_totals_whichever_table_leads(
    several: Database, monkeypatch: pytest.MonkeyPatch, rare: int
) -> None:
    monkeypatch.setattr(PartQuery, "_is_rare", lambda *_: bool(rare))
    assert names(several, FAILED) == ["worse", "bad"]
    assert names(several, WELL) == ["open", "slow", "quick"]
    assert names(several, SLOW) == ["worse", "bad", "slow"]
    assert names(several, SLOW, FAILED, Condition("prompt_name", "p")) == ["worse", "bad"]
    assert names(several, FAILED, Condition("tag", "x", "has")) == ["bad"]
    assert names(several, FAILED, Condition("created_at", 104, "<")) == ["bad"]
    assert names(several, most="duration") == ["slow", "bad", "worse", "quick", "open"]
    assert names(several, Condition("prompt_name", "p"), most="cost_nano") == [
        "worse",
        "bad",
        "quick",
    ]
    assert names(several, Condition("tag", "x", "has"), most="duration") == ["bad", "quick"]


def test_pages_by_duration_follow_each_other(several: Database) -> None:
    seen: list[str] = []
    before = None
    for _ in range(4):
        query = Part(traces.LISTING, "default", Window(2, 0, before), (), "duration")
        page = several.read_now(query)
        seen += [row[2] for row in page.rows]
        if not page.rows:
            break
        before = traces.LISTING.place_of(page.rows[-1], "duration")
    assert seen == ["slow", "bad", "worse", "quick", "open"]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("conditions", "most"), [([FAILED], ""), ([WELL], ""), ([], "duration"), ([], "cost_nano")]
)
def test_a_page_reads_an_index_in_its_order(
    several: Database, conditions: list[Condition], most: str
) -> None:
    page = Part(traces.LISTING, "default", Window(9), conditions, most)
    sql, values = PartQuery(page, several._reader).statement()
    plan = several._reader.query(f"EXPLAIN QUERY PLAN {sql}", values)
    text = "\n".join(str(row[-1]) for row in plan)
    assert "SCAN" not in text, text
    assert "TEMP B-TREE" not in text, text


def test_what_few_rows_meet_leads(several: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def leads(*conditions: Condition) -> str:
        query = Part(traces.LISTING, "default", Window(9), conditions)
        sql, _ = PartQuery(query, several._reader).statement()
        return sql.partition(" FROM ")[2].partition(" ")[0]

    prompt = Condition("prompt_name", "p")
    assert (leads(SLOW), leads(FAILED), leads(SLOW, prompt)) == (
        "trace_total",
        "trace_total",
        "trace",
    )
    monkeypatch.setattr(pages, "COUNTED", 1)
    assert (leads(SLOW), leads(FAILED), leads(SLOW, prompt)) == ("trace", "trace_total", "trace")


def test_of_many_only_so_many_are_looked_at(
    several: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Part(traces.LISTING, "default", Window(1), [FAILED, Condition("prompt_name", "p")])
    page = several.read_now(query)
    assert (page.total, page.are_more) == (2, False)
    monkeypatch.setattr(pages, "LOOKED_AT", 1)
    page = several.read_now(query)
    assert page.are_more
    assert page.total > 1  # there is a page to go on to
