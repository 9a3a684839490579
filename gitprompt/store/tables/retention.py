# SPDX-License-Identifier: Apache-2.0
"""Forgets old telemetry, a few rows at a time, so that what comes in meanwhile never waits long. Old is
what happened long ago, whenever it came.

Rollups, keys, pins, suites and the audit log stay. Counters that are made of rollups never go down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection
from gitprompt.store.tables import rows

_TABLES = ("log", "trace", "run", "score", "metric")
_TALLIED = ("log", "trace", "run")


class OldRows(NamedTuple):
    """At most `limit` rows of each table from `before` a Unix time are deleted. The result is how
    many were; 0 when there are no more."""

    before: int
    limit: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[int]:
        return [sum(_forget(db, table, *item) for table in _TABLES) for item in items]


def _forget(db: Connection, table: str, before: int, limit: int) -> int:
    column, value = ("timestamp", before * 1000) if table == "metric" else ("created_at", before)
    removed = 0
    for workspace in rows.workspaces(db):
        number = db.execute(
            f"DELETE FROM {table} WHERE workspace = $1 AND id IN (SELECT id FROM {table}"
            f" WHERE workspace = $1 AND {column} < $2 ORDER BY {column} LIMIT $3)",
            (workspace, value, limit - removed),
        )
        if number and table in _TALLIED:
            rows.add_to_tally(db, table, [workspace], step=-number)
        removed += number
        if removed >= limit:
            break
    return removed
