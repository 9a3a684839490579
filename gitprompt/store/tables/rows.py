# SPDX-License-Identifier: Apache-2.0
"""What the tables share: bound values, rows with a number, pages newest first, tallies."""

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
    ids = db.numbers(table, len(rows))
    db.insert(
        table, f"id, {columns}", [(number, *row) for number, row in zip(ids, rows, strict=True)]
    )
    return ids


def add_up(db: Connection, table: str, key: str, sums: Sequence[str], rows: Iterable[Row]) -> None:
    """Add to the sums of rows, each made if it is absent: values of `key`, then of `sums`.

    In order of their keys: two writers that take the same rows in different orders would wait for
    each other for ever.
    """
    db.execute_each(_addition(table, key, tuple(sums)), sorted(rows))


@cache
def _addition(table: str, key: str, sums: tuple[str, ...]) -> str:
    columns = f"{key}, {', '.join(sums)}"
    places = ", ".join(f"${number}" for number in range(1, columns.count(",") + 2))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({places})"
        f" ON CONFLICT ({key}) DO UPDATE SET {added}"
    )


def workspaces(db: Connection) -> list[str]:
    """The workspaces that ever stored something."""
    return [row[0] for row in db.query("SELECT workspace FROM tally WHERE kind = 'audit'")]


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


class Window(NamedTuple):
    """Which part of a list: `before` is the `place_of` of the last row of the page before."""

    limit: int
    offset: int = 0
    before: Sequence[int] | None = None


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


class Listing(NamedTuple):
    """A table that can be listed: `columns` beside the id, and the `kind` of its tally; None: its
    rows are counted. `at` is the column of when a row happened, which is not when it came; None: the rows
    are in the order in which they came. `tags` is the table of their tags."""

    table: str
    columns: str
    kind: str | None = None
    at: str | None = None
    tags: str | None = None

    @property
    def order(self) -> tuple[str, ...]:
        return ("id",) if self.at is None else (self.at, "id")

    def place_of(self, row: Row) -> list[int]:
        """Where a row of the list is: what a cursor says."""
        names = ("id", *self.columns.split(", "))
        return [row[names.index(column)] for column in self.order]


MAX_PAGE = 16_000_000  # characters of a page, and a row


class PageRows(NamedTuple):
    """The rows of a page, how many there are in all, and whether it ends early, being large."""

    rows: list[Row]
    total: int
    is_cut: bool


class Page(NamedTuple):
    """The (id, *columns) of a part of a workspace's rows that meet all conditions, newest first, and
    how many meet them."""

    listing: Listing
    workspace: str
    window: Window
    conditions: Sequence[Condition] = ()

    def answer(self, db: Connection) -> PageRows:
        table, columns, kind, _, tags = self.listing
        tagged = [one for one in self.conditions if one.operator == "has"]
        others = [one for one in self.conditions if one.operator != "has"]
        if kind is not None and not self.conditions:
            total = tally(db, self.workspace, kind)
        else:
            bound = Bound()
            sql = f"SELECT count(*) FROM {self._from(bound, tagged, others)}"
            total = int(db.query(sql, bound.values)[0][0])
        bound = Bound()
        shown = ", ".join(f"{table}.{column}" for column in ("id", *columns.split(", ")))
        sql = f"SELECT {shown} FROM {self._from(bound, tagged, others)}"
        order = [f"{tags if tagged else table}.{column}" for column in self.listing.order]
        if self.window.before is not None:
            sql += f" AND ({', '.join(order)}) < ({bound.bind_all(self.window.before)})"
        newest_first = ", ".join(f"{column} DESC" for column in order)
        sql += f" ORDER BY {newest_first} LIMIT {bound.bind(self.window.limit)}"
        sql += f" OFFSET {bound.bind(self.window.offset)}"
        rows: list[Row] = []
        size = 0
        for row in db.stream(sql, bound.values):
            if size > MAX_PAGE:
                return PageRows(rows, total, True)
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
        return PageRows(rows, total, False)

    def _from(self, bound: Bound, tagged: Sequence[Condition], others: Sequence[Condition]) -> str:
        """What follows FROM. The rows of a tag are found in the order of the list."""
        table, tags = self.listing.table, self.listing.tags
        workspace = Condition("workspace", self.workspace)
        if not tagged:
            return f"{table} WHERE {where(bound, [workspace, *others], table)}"
        assert tags is not None
        times = [one for one in others if one.column == self.listing.at]
        rest = [one for one in others if one.column != self.listing.at]
        return (
            f"{tags} JOIN {table} ON {table}.workspace = {tags}.workspace AND {table}.id = {tags}.id"
            f" WHERE {where(bound, [workspace, *tagged, *times], tags)}"
            f" AND {where(bound, rest, table)}"
        )


# How many rows a workspace has


class Tally(NamedTuple):
    """How many rows of a kind a workspace has."""

    workspace: str
    kind: str

    def answer(self, db: Connection) -> int:
        return tally(db, *self)


def tally(db: Connection, workspace: str, kind: str) -> int:
    row = db.row("SELECT rows FROM tally WHERE workspace = $1 AND kind = $2", (workspace, kind))
    return int(row[0]) if row else 0


def add_to_tally(db: Connection, kind: str, workspaces: Iterable[str], step: int = 1) -> None:
    """Count one row more (or less) for each of `workspaces`."""
    counts: dict[str, int] = {}
    for workspace in workspaces:
        counts[workspace] = counts.get(workspace, 0) + step
    add_up(
        db, "tally", "workspace, kind", ["rows"], [(name, kind, n) for name, n in counts.items()]
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
