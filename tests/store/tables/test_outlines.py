# SPDX-License-Identifier: Apache-2.0
"""The outline of a trace has each span once, by start, and nothing that spans carry."""

from __future__ import annotations

import json

from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.outlines import LogsOfSpans, NumberedSpan, OneOutline
from gitprompt.store.tables.traces import CountedSpan, NewSpans, SpanRow
from tests.store.stored import new_log, new_trace

TRACE = "550e8400-e29b-41d4-a716-446655440000"
FACTS = json.dumps({"kind": "llm", "model": "gpt-4o"})


def filled(database: Database) -> None:
    database.write_now(new_trace(TRACE))
    database.write_now(new_trace("other"))
    entry = Actor("default", "t").did("x", 1)
    for trace, name, start, facts in ((TRACE, "b", 20, None), (TRACE, "a", 10, FACTS), (TRACE, "z", None, None),
                                      ("other", "a", 1, None)):  # fmt: skip
        row = SpanRow(name, None, f"span {name}", "ok", start, 30, '{"big": 1}', facts, 7_200)
        database.write_now(NewSpans("default", trace, [CountedSpan(row)], entry))


def test_spans_come_by_start_in_pages(database: Database) -> None:
    filled(database)
    outline = database.read_now(OneOutline("default", TRACE.replace("-", "")))
    assert outline is not None
    assert [(span.span_id, span.kind, span.model) for span in outline.spans] == [
        ("a", "llm", "gpt-4o"), ("b", "other", ""), ("z", "other", ""),
    ]  # fmt: skip
    assert outline.total.spans == 3
    part = database.read_now(OneOutline("default", TRACE, 1, 1))
    assert part is not None
    assert [span.span_id for span in part.spans] == ["b"]
    assert database.read_now(OneOutline("other", TRACE)) is None
    assert database.read_now(OneOutline("default", "none")) is None


def test_a_span_is_found_by_its_number_in_its_trace_alone(database: Database) -> None:
    filled(database)
    outline = database.read_now(OneOutline("default", TRACE))
    assert outline is not None
    number = outline.spans[0].number
    found = database.read_now(NumberedSpan("default", TRACE, number))
    assert found is not None
    assert (found.span_id, found.metadata) == ("a", '{"big": 1}')
    assert database.read_now(NumberedSpan("default", "other", number)) is None
    assert database.read_now(NumberedSpan("else", TRACE, number)) is None


def test_logs_of_a_trace_are_those_of_its_spans(database: Database) -> None:
    filled(database)
    database.write_now(new_log(trace_id=TRACE.upper(), span_id="a", model="m"))
    database.write_now(new_log(trace_id=TRACE, span_id=None))
    database.write_now(new_log(trace_id="else", span_id="a"))
    (found,) = database.read_now(LogsOfSpans("default", TRACE, 9))
    assert found[1].model == "m"
    assert database.read_now(LogsOfSpans("other", TRACE, 9)) == []
