# SPDX-License-Identifier: Apache-2.0
"""The outline of a trace: what a picture of it needs of each span, without what spans carry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gitprompt.store.engines import Connection, Row
from gitprompt.store.tables import logs, trace_ids, trace_totals
from gitprompt.store.tables.logs import LogRow
from gitprompt.store.tables.trace_totals import TraceTotal
from gitprompt.store.tables.traces import TRACE_COLUMNS, SpanRow, TraceRow


class OutlinedSpan(NamedTuple):
    """`number` is its number in the database, `facts` the JSON of what it was recognised as."""

    number: int
    span_id: str
    parent_id: str | None
    name: str
    status: str
    start_time: int | None
    end_time: int | None
    facts: str | None

    @property
    def kind(self) -> str:
        return str(self._facts.get("kind", "other"))

    @property
    def model(self) -> str:
        return str(self._facts.get("model") or "")

    @property
    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = json.loads(self.facts) if self.facts else {}
        return facts


class Outline(NamedTuple):
    """`id` is the number of the trace, `began` its first start, None if no span has one; spans are by start."""

    id: int
    row: TraceRow
    total: TraceTotal
    began: int | None
    spans: Sequence[OutlinedSpan]


_COLUMNS = "id, span_id, parent_id, name, status, start_time, end_time, facts"
_BY_START = "ORDER BY start_time IS NULL, start_time, id"


class OneOutline(NamedTuple):
    """A trace with some of its spans, by default all; None if it is not there."""

    workspace: str
    trace_id: str
    limit: int = 1 << 60
    offset: int = 0

    def answer(self, db: Connection) -> Outline | None:
        row = db.row(
            f"SELECT id, {TRACE_COLUMNS} FROM trace WHERE trace.workspace = $1"
            f" AND {trace_ids.TRACE_KEY} = $2",
            (self.workspace, trace_ids.key_of(self.trace_id)),
        )
        sql = f"SELECT first_start, {trace_totals.COLUMNS} FROM trace_total WHERE workspace = $1 AND id = $2"
        total = db.row(sql, (self.workspace, row[0])) if row is not None else None
        if row is None or total is None:
            return None
        spans = db.query(
            f"SELECT {_COLUMNS} FROM span WHERE workspace = $1 AND trace = $2 {_BY_START}"
            " LIMIT $3 OFFSET $4",
            (self.workspace, row[0], self.limit, self.offset),
        )
        outlined = [OutlinedSpan(*span) for span in spans]
        counted = trace_totals.total_of(total[1:])
        return Outline(row[0], TraceRow(*row[1:]), counted, total[0], outlined)


class MadeOfSpans(NamedTuple):
    """What `make` makes of the spans of a trace, in the thread that reads them, so that they need not be held:
    rows of OutlinedSpan's fields, by start. None if the trace is not there."""

    workspace: str
    trace_id: str
    make: Callable[[Iterator[Row]], bytes]

    def answer(self, db: Connection) -> bytes | None:
        row = db.row(
            f"SELECT id FROM trace WHERE trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2",
            (self.workspace, trace_ids.key_of(self.trace_id)),
        )
        if row is None:
            return None
        sql = f"SELECT {_COLUMNS} FROM span WHERE workspace = $1 AND trace = $2 {_BY_START}"
        return self.make(iter(db.stream(sql, (self.workspace, row[0]))))


class NumberedSpan(NamedTuple):
    """A span of a trace by its number in the database."""

    workspace: str
    trace_id: str
    number: int

    def answer(self, db: Connection) -> SpanRow | None:
        columns = ", ".join(f"span.{column}" for column in SpanRow._fields)
        row = db.row(
            f"SELECT {columns} FROM trace JOIN span ON span.workspace = trace.workspace"
            f" AND span.trace = trace.id WHERE trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2"
            " AND span.id = $3",
            (self.workspace, trace_ids.key_of(self.trace_id), self.number),
        )
        return SpanRow(*row) if row else None


class LogsOfSpans(NamedTuple):
    """The logs of calls of a trace that name its spans, newest first: (id, log)."""

    workspace: str
    trace_id: str
    limit: int

    def answer(self, db: Connection) -> list[tuple[int, LogRow]]:
        rows = db.query(
            f"SELECT id, {logs.COLUMNS} FROM log WHERE workspace = $1 AND {trace_ids.LOG_KEY} = $2"
            " AND span_id IS NOT NULL ORDER BY id DESC LIMIT $3",
            (self.workspace, trace_ids.key_of(self.trace_id), self.limit),
        )
        return [(row[0], LogRow(*row[1:])) for row in rows]
