# SPDX-License-Identifier: Apache-2.0
"""Forgets old telemetry, a few rows at a time, so that what comes in meanwhile never waits long.

Rollups, keys, pins, suites and the audit log stay. Counters that are made of rollups never go down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import sqlite
from gitprompt.store.tables import rows
from gitprompt.store.tables.rows import Connection

_TABLES = ("log", "trace", "run", "result", "metric")
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
    # Rows are as good as in order of time: look only at the oldest.
    oldest = sqlite.query(
        db,
        f"SELECT id, {column} FROM {table} ORDER BY id LIMIT ?",
        (limit,),
    )
    ids = [row[0] for row in oldest if row[1] < value]
    if not ids:
        return 0
    selection = f"SELECT value FROM json_each('[{','.join(map(str, ids))}]')"
    if table in _TALLIED:
        for workspace, number in sqlite.query(
            db,
            f"SELECT workspace, count(*) FROM {table} WHERE id IN ({selection}) GROUP BY workspace",
        ):
            rows.add_to_tally(db, table, [workspace], step=-number)
    db.execute(f"DELETE FROM {table} WHERE id IN ({selection})")
    return len(ids)
