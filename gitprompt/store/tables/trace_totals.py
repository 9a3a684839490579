# SPDX-License-Identifier: Apache-2.0
"""What the spans of a trace are together: a function of them, kept in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.numbers import NANO
from gitprompt.core.telemetry.usage import SpanFacts, Usage
from gitprompt.store.engines import Connection


class TraceTotal(NamedTuple):
    """`duration` from the first start to the last end, as the caller sent times, usually in milliseconds; None if
    no span has both. `tokens` and `cost_usd` are of the calls of models, the cost of those where it is known."""

    spans: int
    errors: int
    duration: int | None
    tokens: int
    cost_usd: float


class SpanTotal(NamedTuple):
    """What one span adds to its trace, by workspace and number."""

    workspace: str
    trace: int
    status: str
    start_time: int | None
    end_time: int | None
    usage: Usage | None


TABLE = "trace_total"
COLUMNS = "spans, errors, duration, tokens, cost_nano"
_KEPT = "workspace, id, created_at, spans, errors, first_start, last_end, tokens, cost_nano, duration, failed"


def total_of(row: Sequence[Any]) -> TraceTotal:
    """From the COLUMNS."""
    spans, errors, duration, tokens, cost = row
    return TraceTotal(spans, errors, None if duration < 0 else duration, tokens, cost / NANO)


def begin(db: Connection, traces: Iterable[tuple[str, int, int]]) -> None:
    """Traces without spans: (workspace, id, created_at)."""
    rows = [(*trace, 0, 0, None, None, 0, 0, -1, 0) for trace in traces]
    if rows:
        db.insert(TABLE, _KEPT, rows)


def add(db: Connection, spans: Iterable[SpanTotal]) -> None:
    """Count spans that were just stored."""
    sums: dict[tuple[str, int], list[Any]] = {}
    for workspace, trace, status, start, end, usage in spans:
        total = sums.setdefault((workspace, trace), [0, 0, None, None, 0, 0])
        total[0] += 1
        total[1] += status == "error"
        if start is not None and (total[2] is None or start < total[2]):
            total[2] = start
        if end is not None and (total[3] is None or end > total[3]):
            total[3] = end
        if usage is not None:
            total[4] += usage.tokens_in + usage.tokens_out
            total[5] += usage.cost_nano or 0
    db.execute_each(_ADD, [(*total, *key) for key, total in sorted(sums.items())])


_FIRST = (
    "CASE WHEN first_start IS NULL OR CAST($3 AS BIGINT) < first_start THEN CAST($3 AS BIGINT)"
    " ELSE first_start END"
)
_LAST = (
    "CASE WHEN last_end IS NULL OR CAST($4 AS BIGINT) > last_end THEN CAST($4 AS BIGINT)"
    " ELSE last_end END"
)
_ADD = (
    "UPDATE trace_total SET spans = spans + $1, errors = errors + $2,"
    f" first_start = {_FIRST}, last_end = {_LAST}, duration = coalesce({_LAST} - {_FIRST}, -1),"
    " failed = CASE WHEN errors + $2 > 0 THEN 1 ELSE 0 END,"
    " tokens = tokens + $5, cost_nano = cost_nano + $6 WHERE workspace = $7 AND id = $8"
)


def of_span(status: str, facts: SpanFacts) -> TraceTotal:
    """What a span that has no end has added."""
    cost = 0.0 if facts.cost_usd is None else facts.cost_usd
    return TraceTotal(1, int(status == "error"), None, facts.tokens_in + facts.tokens_out, cost)


def take_out(db: Connection, workspace: str, trace: int, total: TraceTotal) -> None:
    """An open span goes, to be stored again as it ended."""
    db.execute(
        "UPDATE trace_total SET spans = spans - 1, errors = errors - $1,"
        " failed = CASE WHEN errors - $1 > 0 THEN 1 ELSE 0 END,"
        " tokens = tokens - $2, cost_nano = cost_nano - $3 WHERE workspace = $4 AND id = $5",
        (total.errors, total.tokens, round(total.cost_usd * NANO), workspace, trace),
    )


class TotalOfTrace(NamedTuple):
    """The total of a trace by its number; None if it is gone."""

    workspace: str
    trace: int

    def answer(self, db: Connection) -> TraceTotal | None:
        sql = f"SELECT {COLUMNS} FROM trace_total WHERE workspace = $1 AND id = $2"
        row = db.row(sql, self)
        return total_of(row) if row else None
