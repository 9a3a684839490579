# SPDX-License-Identifier: Apache-2.0
"""Custom metric points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, rows
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.rows import Bound, Condition

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
    "count": "CAST(count(*) AS DOUBLE PRECISION)",
    "last": "max(CASE WHEN newest = 1 THEN value END)",
}


def insert(db: Connection, items: Sequence[NewPoints]) -> list[int]:
    """How many points each item had."""
    rows.append(db, "metric", COLUMNS, [point for item in items for point in item.points])
    audit.insert(db, [item.audit for item in items])
    return [len(item.points) for item in items]


class Steps(NamedTuple):
    """The points that meet all conditions, by steps of `step` milliseconds, oldest first."""

    conditions: Sequence[Condition]
    step: int
    aggregate: Aggregate

    def answer(self, db: Connection) -> list[Step]:
        bound = Bound()
        step = bound.bind(self.step)
        newest = (
            f", row_number() OVER (PARTITION BY timestamp / {step} ORDER BY timestamp DESC, id DESC)"
            " AS newest"
            if self.aggregate == "last"
            else ""
        )
        steps = db.query(
            f"SELECT begins, {_SQL[self.aggregate]}, count(*) FROM (SELECT timestamp / {step} * {step}"
            f" AS begins, value{newest} FROM metric WHERE {rows.where(bound, self.conditions, 'metric')})"
            f" AS point GROUP BY begins ORDER BY begins LIMIT {bound.bind(MAX_STEPS)}",
            bound.values,
        )
        return [Step(*row) for row in steps]
