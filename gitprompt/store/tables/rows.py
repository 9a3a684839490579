# SPDX-License-Identifier: Apache-2.0
"""What the tables share: bound values, conditions, rows with a number, tallies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from gitprompt.store.engines import Connection, Row
from gitprompt.store.tables import trace_ids


class Bound:
    """The values of one statement, numbered in the order in which they are in its text."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def bind(self, value: Any) -> str:
        """The placeholder of a value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def bind_all(self, values: Iterable[Any]) -> str:
        """Placeholders for a list in brackets."""
        return ", ".join(self.bind(value) for value in values)


def insert_numbered(
    db: Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]
) -> Sequence[int]:
    """Insert rows that have no id yet; returns the ids that they get, ascending. Raises Duplicate."""
    return db.insert_numbered(table, columns, rows) if rows else []


def append(db: Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    """The same of rows whose ids nobody asks for."""
    if rows:
        db.append(table, columns, rows)


def workspaces(db: Connection) -> list[str]:
    """The workspaces that ever stored something."""
    sql = "SELECT DISTINCT workspace FROM tally WHERE kind = 'audit' ORDER BY workspace"
    return [row[0] for row in db.query(sql)]


def newest_of_each(db: Connection, limit: int, sql: str) -> list[Row]:
    """The rows of a query for `$1` each workspace and `$2` its share of `limit`."""
    names = workspaces(db)
    share = -(-limit // max(1, len(names)))
    return [row for name in names for row in db.query(sql, (name, share))]


_FEW, _MANY = 1, 128  # keys that are asked for together: two texts, each compiled once


def of_keys(
    db: Connection,
    columns: str,
    workspace: str,
    key: str,
    keys: Iterable[tuple[str, str]],
    *,
    also: str = "TRUE",
) -> Iterator[tuple[str, Row]]:
    """(workspace, columns) of the rows with one of the keys, each a workspace and a key in it. `columns` are
    those of a SELECT, with its table; `workspace` and `key` are what the keys are compared with."""
    by_workspace: dict[str, dict[str, None]] = {}
    for name, wanted in keys:
        by_workspace.setdefault(name, {})[wanted] = None
    for name, distinct in by_workspace.items():
        asked = list(distinct)
        size = _FEW if len(asked) <= 8 else _MANY
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            part += part[-1:] * (size - len(part))
            sql = _of_keys(columns, workspace, key, also, size)
            yield from ((name, row) for row in db.query(sql, (name, *part)))


@cache
def _of_keys(columns: str, workspace: str, key: str, also: str, size: int) -> str:
    places = ", ".join(f"${at}" for at in range(2, size + 2))
    return f"SELECT {columns} WHERE {workspace} = $1 AND {key} IN ({places}) AND {also}"


Operator = Literal["=", "<", ">=", "spells", "has"]


class Condition(NamedTuple):
    """One filter of a list. `column` is a name that the program knows, never one that was sent. `spells`:
    it is the id of a trace in any spelling; `has`: it is a tag that a row has."""

    column: str
    value: Any
    operator: Operator = "="


def where(bound: Bound, conditions: Sequence[Condition], table: str) -> str:
    """The SQL of all conditions together, for columns of `table`; their values are bound."""
    return " AND ".join(_sql(bound, condition, table) for condition in conditions) or "TRUE"


def _sql(bound: Bound, condition: Condition, table: str) -> str:
    column, value, operator = condition
    assert column.isidentifier()
    if operator == "spells":
        key = trace_ids.sql_of(f"{table}.{column}")  # the indexes leave out those that have none
        return f"{table}.{column} IS NOT NULL AND {key} = {bound.bind(trace_ids.key_of(value))}"
    return f"{table}.{column} {'=' if operator == 'has' else operator} {bound.bind(value)}"


# How many rows a workspace has


class Tally(NamedTuple):
    """How many rows of a kind a workspace has."""

    workspace: str
    kind: str

    def answer(self, db: Connection) -> int:
        return tally(db, *self)


def tally(db: Connection, workspace: str, kind: str) -> int:
    sql = "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM tally WHERE workspace = $1 AND kind = $2"
    row = db.row(sql, (workspace, kind))
    return int(row[0]) if row else 0


def add_to_tally(db: Connection, kind: str, workspaces: Iterable[str], step: int = 1) -> None:
    """Count one row more (or less) for each of `workspaces`."""
    counts: dict[str, int] = {}
    for workspace in workspaces:
        counts[workspace] = counts.get(workspace, 0) + step
    db.add_up("tally", "workspace, kind", ["rows"], [(name, kind, n) for name, n in counts.items()])


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
