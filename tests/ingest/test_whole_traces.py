# SPDX-License-Identifier: Apache-2.0
"""Traces with their spans, many at once: completed and never changed, counted once, in any order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt import statistics
from gitprompt.ingest import NOTHING, TOO_EARLY, About, Ingest, SentSpan
from gitprompt.ingest.whole_traces import SentTrace, TraceOutcome, store
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.store.tables.traces import OneTrace, TraceRow
from tests import databases

NOW = 1_700_000_000
CALL = {"kind": "llm", "model": "m", "tokens_in": 10, "cost_usd": 0.5}
NUMBERS = st.integers(0, 3)
_WORKSPACES = itertools.count()


def trace_id(number: int) -> str:
    return f"{number:032x}"


def span(number: int, *, timestamp: int = NOW) -> SentSpan:
    return SentSpan(
        f"s{number}", None, "call", "ok", 0, 9, CALL, json.dumps(CALL), timestamp=timestamp
    )


def trace(
    number: int, *spans: SentSpan, about: About = NOTHING, metadata: str | None = None
) -> SentTrace:
    return SentTrace(trace_id(number), "p", "1", metadata, NOW, about, spans)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(databases.location(tmp_path_factory.mktemp("data")))
    yield opened
    opened.close()


def stored(database: Database, workspace: str, *traces: SentTrace) -> list[TraceOutcome]:
    ingest = Ingest(database, lambda: NOW)
    return asyncio.run(store(ingest, Actor(workspace, "ci", ""), traces))


def read(database: Database, workspace: str, number: int) -> tuple[TraceRow, list[str]]:
    found = database.read_now(OneTrace(workspace, trace_id(number)))
    assert found is not None
    return found.row, [row.span_id for row in found.spans]


def test_what_is_there_is_completed_key_by_key_and_never_changed(database: Database) -> None:
    first = stored(database, "keys", trace(1, span(1)))
    assert first == [TraceOutcome(1, [], None, [])]
    (second,) = stored(
        database, "keys", trace(1, span(2), about=About(name="n"), metadata='{"a": 1}')
    )
    assert (second.stored, second.kept) == (1, [])
    (third,) = stored(
        database, "keys", trace(1, about=About(name="m"), metadata='{"a": 2, "b": 3}')
    )
    assert third.kept == ["name", "metadata.a"]
    row, spans = read(database, "keys", 1)
    assert (row.name, json.loads(row.metadata or ""), spans) == (
        "n",
        {"a": 1, "b": 3},
        ["s1", "s2"],
    )


def test_what_is_yet_to_come_is_refused_by_itself(database: Database) -> None:
    late = NOW + 100_000
    whole, part = stored(
        database,
        "early",
        trace(1)._replace(timestamp=late),
        trace(2, span(1), span(2, timestamp=late)),
    )
    assert whole.why == TOO_EARLY
    assert (part.stored, [one.span_id for one in part.refused]) == (1, ["s2"])


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.tuples(NUMBERS, st.lists(NUMBERS, max_size=4)), max_size=4), max_size=4)
)
def test_a_call_counts_once_in_whatever_parts_it_comes(
    database: Database, requests: list[list[tuple[int, list[int]]]]
) -> None:
    workspace = f"parts-{next(_WORKSPACES)}"
    wanted: dict[int, set[str]] = {}
    for request in requests:
        stored(
            database, workspace, *(trace(number, *map(span, spans)) for number, spans in request)
        )
        for number, spans in request:
            wanted.setdefault(number, set()).update(f"s{one}" for one in spans)
    for number, ids in wanted.items():
        assert set(read(database, workspace, number)[1]) == ids
    calls = sum(map(len, wanted.values()))
    for _ in range(2):
        versions = asyncio.run(statistics.of_versions(database, workspace, "p", ["1"]))
        assert (versions["1"].calls if "1" in versions else 0) == calls
        database.write_now(RollupRebuild(0))
