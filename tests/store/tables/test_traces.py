# SPDX-License-Identifier: Apache-2.0
"""Traces and spans as rows."""

from __future__ import annotations

from gitprompt.errors import Conflict, NotFound
from gitprompt.store.database import Database
from gitprompt.store.tables import traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.traces import (
    CountedSpan,
    NewSpans,
    OneTrace,
    SpanRow,
    StoredSpans,
    TraceInsertion,
    TraceRow,
)


def test_spans_of_one_group_are_refused_apart(database: Database) -> None:
    def spans(trace: str, *ids: str, name: str = "n") -> NewSpans:
        made = [CountedSpan(SpanRow(one, None, name, "ok", 1, 2, None, None, 7_200)) for one in ids]
        return NewSpans("default", trace, made, Actor("default", "t").did("x", 1))

    trace = TraceRow("default", "t", None, None, None, 7_200)
    database.writer.run(TraceInsertion(trace, Actor("default", "t").did("x", 1)))
    outcomes = database.writer.call(
        lambda db: traces.insert_spans(
            db,
            [
                spans("t", "a", "b"),
                spans("none", "a"),
                spans("t", "b", name="other"),
                spans("t", "c"),
            ],
        )
    )
    assert [type(outcome) for outcome in outcomes] == [StoredSpans, NotFound, Conflict, StoredSpans]
    found = database.read_now(OneTrace("default", "t"))
    assert found is not None
    assert [span.span_id for span in found.spans] == ["a", "b", "c"]
