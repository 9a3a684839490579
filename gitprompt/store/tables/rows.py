# SPDX-License-Identifier: Apache-2.0
"""What the tables of telemetry share: many rows in one statement, and pages newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

import apsw

from gitprompt.store.engines import sqlite

Connection = apsw.Connection
_SIZES = (256, 64, 16, 4, 1)


def insert(
    db: Connection,
    table: str,
    columns: str,
    rows: Sequence[Sequence[Any]],
    *,
    verb: str = "INSERT",
) -> None:
    """Insert rows; all but them are constants. Raises apsw.ConstraintError."""
    placeholders = f"({','.join('?' * (columns.count(',') + 1))})"
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            values = list(chain.from_iterable(rows[at : at + size]))
            db.execute(
                f"{verb} INTO {table} ({columns}) VALUES {','.join([placeholders] * size)}", values
            )
            at += size


class Condition(NamedTuple):
    """One filter of a list. `column` is a name that the program knows, never one that was sent."""

    column: str
    value: Any
    operator: Literal["=", "<", ">="] = "="


class Window(NamedTuple):
    """Which part of a list: `before` is the id of the last row of the page before."""

    limit: int
    offset: int = 0
    before: int | None = None


def where(conditions: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    """The SQL of all conditions together, and the values that are bound to it."""
    assert all(condition.column.isidentifier() for condition in conditions)
    sql = " AND ".join(f"{condition.column} {condition.operator} ?" for condition in conditions)
    return sql or "1", tuple(condition.value for condition in conditions)


class Listing(NamedTuple):
    """A table that can be listed: `columns` beside the id, and the `kind` of its tally; None: its
    rows are counted."""

    table: str
    columns: str
    kind: str | None = None


class Page(NamedTuple):
    """The (id, *columns) of a part of the rows that meet all conditions, newest first, and how many
    meet them. `tallied` is the workspace of which these are all rows, if no filter narrows them."""

    listing: Listing
    window: Window
    conditions: Sequence[Condition]
    tallied: str | None = None

    def answer(self, db: Connection) -> tuple[list[tuple[Any, ...]], int]:
        table, columns, kind = self.listing
        conditions, values = where(self.conditions)
        if self.tallied is not None and kind is not None:
            total = tally(db, self.tallied, kind)
        else:
            sql = f"SELECT count(*) FROM {table} WHERE {conditions}"
            total = int(sqlite.query(db, sql, values)[0][0])
        if self.window.before is not None:
            conditions, values = f"{conditions} AND id < ?", (*values, self.window.before)
        sql = f"SELECT id, {columns} FROM {table} WHERE {conditions} ORDER BY id DESC"
        values = (*values, self.window.limit, self.window.offset)
        return sqlite.query(db, f"{sql} LIMIT ? OFFSET ?", values), total


# How many rows a workspace has


class Tally(NamedTuple):
    """How many rows of a kind a workspace has."""

    workspace: str
    kind: str

    def answer(self, db: Connection) -> int:
        return tally(db, *self)


def tally(db: Connection, workspace: str, kind: str) -> int:
    row = sqlite.row(
        db, "SELECT rows FROM tally WHERE workspace = ? AND kind = ?", (workspace, kind)
    )
    return int(row[0]) if row else 0


def add_to_tally(db: Connection, kind: str, workspaces: Iterable[str], step: int = 1) -> None:
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
