# SPDX-License-Identifier: Apache-2.0
"""Rollups are a function of the rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.core.telemetry.usage import Usage, bucket_of, percentile
from gitprompt.store.engines.sqlite import Sqlite
from gitprompt.store.tables import logs, rollups, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.traces import (
    CountedSpan,
    EnsuredTrace,
    NewSpans,
    SpanRow,
    TraceRow,
)
from tests.store.stored import new_log

TRACE_IDS = st.sampled_from(["a-b", "AB", "c"])  # the first two are two spellings of one call's


STEP = st.one_of(
    st.tuples(st.just("log"), TRACE_IDS, st.sampled_from(["s1", "s2", None])),
    st.tuples(st.just("span"), TRACE_IDS, st.sampled_from(["s1", "s2", "s3"])),
    st.tuples(st.just("delete"), TRACE_IDS, st.none()),
)


@given(st.lists(STEP, max_size=25), st.integers(0, 5_000))
@settings(max_examples=60)
def test_rollups_that_were_kept_equal_rollups_that_are_rebuilt(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str | None]], ms: int
) -> None:
    db = Sqlite(str(tmp_path_factory.mktemp("r") / "t.db")).writer()
    entry = Actor("default", "t").did("x", 1)
    for number, (what, trace, span) in enumerate(steps):
        row = TraceRow("default", trace, "p", "1", None, 7_200)
        traces.ensure(db, [EnsuredTrace(row, entry)])
        if what == "log":
            logs.insert(db, [new_log(trace_id=trace if span else None, span_id=span, latency_ms=ms,
                                     tokens_in=number, cost_usd=0.1)])  # fmt: skip
        elif what == "span":
            metadata = {"kind": "llm", "model": "m", "tokens_in": 3, "cost_usd": 0.2}
            made = SpanRow(span or "", None, "n", "error", 0, ms, json.dumps(metadata), None, 7_200)
            usage = Usage("default", "", "", 2, 1, 3, 0, 0, 200_000_000, ms)
            traces.insert_spans(db, [NewSpans("default", trace, [CountedSpan(made, usage)], entry)])
        else:
            traces.delete(db, [traces.TraceDeletion("default", trace, entry)])
    kept = StatisticsQuery("default").answer(db)
    rollups.rebuild(db)
    assert StatisticsQuery("default").answer(db) == kept
    db.close()


@given(st.integers(0, 1 << 40))
def test_a_bucket_is_exact_or_one_in_a_thousand(latency: int) -> None:
    bucket = bucket_of(latency)
    assert bucket <= latency
    assert latency - bucket <= latency / 1_000
    assert bucket_of(bucket) == bucket


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=200))
def test_percentiles_are_those_of_the_values(values: list[int]) -> None:
    buckets = sorted(Counter(values).items())
    ordered = sorted(values)
    for share in (0.5, 0.95):
        rank = max(1, -(-round(len(values) * share * 100) // 100))
        assert percentile(buckets, share) == ordered[min(rank, len(values)) - 1]
