# SPDX-License-Identifier: Apache-2.0
"""What the tables of telemetry share: many rows in one statement, and pages newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import apsw

from gitprompt.store.engines import sqlite

_SIZES = (256, 64, 16, 4, 1)


def insert(
    db: apsw.Connection,
    table: str,
    columns: str,
    rows: Sequence[Sequence[Any]],
    *,
    verb: str = "INSERT",
) -> None:
    """Insert rows; all but them are constants. Raises apsw.ConstraintError."""
    one = f"({','.join('?' * (columns.count(',') + 1))})"
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            values = list(chain.from_iterable(rows[at : at + size]))
            db.execute(f"{verb} INTO {table} ({columns}) VALUES {','.join([one] * size)}", values)
            at += size


Connection = apsw.Connection


class Condition(NamedTuple):
    """One filter of a list: SQL with one hole, and its value."""

    sql: str
    value: Any


class Window(NamedTuple):
    """Which part of a list: `before` is the id of the last row of the page before."""

    limit: int
    offset: int = 0
    before: int | None = None


def _where(conditions: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    where = " AND ".join(condition.sql for condition in conditions) or "1"
    return where, tuple(condition.value for condition in conditions)


def newest_first(
    db: apsw.Connection,
    table: str,
    columns: str,
    window: Window,
    conditions: Sequence[Condition],
) -> list[tuple[Any, ...]]:
    """(id, *columns) of the rows that meet all conditions."""
    if window.before is not None:
        conditions = [*conditions, Condition("id < ?", window.before)]
    where, values = _where(conditions)
    sql = f"SELECT id, {columns} FROM {table} WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?"
    return sqlite.query(db, sql, (*values, window.limit, window.offset))


def count(db: apsw.Connection, table: str, conditions: Sequence[Condition]) -> int:
    where, values = _where(conditions)
    return int(sqlite.query(db, f"SELECT count(*) FROM {table} WHERE {where}", values)[0][0])


# How many rows a workspace has


def tally(db: apsw.Connection, workspace: str, kind: str) -> int:
    found = sqlite.row(
        db, "SELECT rows FROM tally WHERE workspace = ? AND kind = ?", (workspace, kind)
    )
    return int(found[0]) if found else 0


def add_to_tally(db: apsw.Connection, kind: str, workspaces: Iterable[str], step: int = 1) -> None:
    """Count one row more (or less) for each of `workspaces`."""
    counts: dict[str, int] = {}
    for workspace in workspaces:
        counts[workspace] = counts.get(workspace, 0) + step
    for workspace, number in counts.items():
        db.execute(
            "INSERT INTO tally (workspace, kind, rows) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
            (workspace, kind, number),
        )


# JSON in a column


def same_json(first: str | None, second: str | None) -> bool:
    """Whether two columns say the same, whatever the order of their keys."""
    if first == second:
        return True
    return (
        first is not None and second is not None and bool(json.loads(first) == json.loads(second))
    )


def differs(
    before: Sequence[Any], after: Sequence[Any], columns: Sequence[str], documents: Iterable[str]
) -> bool:
    """Whether two rows say something else; `documents` are the columns that hold JSON."""
    as_json = frozenset(documents)
    return any(
        not (same_json(old, new) if column in as_json else old == new)
        for old, new, column in zip(before, after, columns, strict=True)
    )
