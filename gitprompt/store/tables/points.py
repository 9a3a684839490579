# SPDX-License-Identifier: Apache-2.0
"""Custom metric points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from gitprompt.store.engines import sqlite
from gitprompt.store.tables import audit, rows
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.rows import Condition, Connection

Aggregate = Literal["avg", "sum", "min", "max", "count", "last"]
MAX_STEPS = 10_000


class PointRow(NamedTuple):
    """`labels` is JSON with sorted keys; `timestamp` in milliseconds."""

    workspace: str
    name: str
    value: float
    type: str
    labels: str
    prompt_name: str | None
    version_tag: str | None
    timestamp: int


class NewPoints(NamedTuple):
    points: Sequence[PointRow]
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[int]:
        return insert(db, items)


class Step(NamedTuple):
    """The points of one step, aggregated. `timestamp` is where the step begins."""

    timestamp: int
    value: float
    points: int


COLUMNS = ", ".join(PointRow._fields)
_SQL: dict[Aggregate, str] = {
    "avg": "avg(value)",
    "sum": "sum(value)",
    "min": "min(value)",
    "max": "max(value)",
    "count": "count(*) * 1.0",
    # SQLite takes a bare column from the row of the maximum.
    "last": "value",
}


def insert(db: Connection, items: Sequence[NewPoints]) -> list[int]:
    """How many points each item had."""
    rows.insert(db, "metric", COLUMNS, [point for item in items for point in item.points])
    audit.insert(db, [item.audit for item in items])
    return [len(item.points) for item in items]


class Steps(NamedTuple):
    """The points that meet all conditions, by steps of `step` milliseconds, oldest first."""

    conditions: Sequence[Condition]
    step: int
    aggregate: Aggregate

    def answer(self, db: Connection) -> list[Step]:
        where, values = rows.where(self.conditions)
        steps = sqlite.query(
            db,
            f"SELECT at, value, points FROM (SELECT timestamp / ? * ? AS at, {_SQL[self.aggregate]}"
            f" AS value, count(*) AS points, max(timestamp * 4194304 + id % 4194304) FROM metric"
            f" WHERE {where} GROUP BY at ORDER BY at LIMIT ?)",
            (self.step, self.step, *values, MAX_STEPS),
        )
        return [Step(*row) for row in steps]
