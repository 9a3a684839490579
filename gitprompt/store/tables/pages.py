# SPDX-License-Identifier: Apache-2.0
"""Pages of lists, newest first, narrowed by conditions, and how many rows there are in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitprompt.store.engines import Connection, Row
from gitprompt.store.tables.rows import Bound, Condition, tally, where


class Window(NamedTuple):
    """Which part of a list: `before` is the `place_of` of the last row of the page before."""

    limit: int
    offset: int = 0
    before: Sequence[int] | None = None


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
COUNTED = 10_000  # rows beyond the page that are counted one by one: what is found by a filter has no tally


class PageRows(NamedTuple):
    """The rows of a page, how many there are in all, whether it ends early, being large, and whether there
    are more in all: then there are more than the page shows, too."""

    rows: list[Row]
    total: int
    is_cut: bool
    are_more: bool = False


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
            total, are_more = tally(db, self.workspace, kind), False
        else:
            most = self.window.offset + self.window.limit + COUNTED
            bound = Bound()
            source = self._from(bound, tagged, others, shown=False)
            sql = f"SELECT 1 FROM {source} LIMIT {bound.bind(most + 1)}"
            found = db.query(f"SELECT count(*) FROM ({sql}) AS found", bound.values)[0][0]
            total, are_more = min(found, most), found > most
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
                return PageRows(rows, total, True, are_more)
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
        return PageRows(rows, total, False, are_more)

    def _from(
        self,
        bound: Bound,
        tagged: Sequence[Condition],
        others: Sequence[Condition],
        *,
        shown: bool = True,
    ) -> str:
        """What follows FROM. The rows of a tag are found in the order of the list; they themselves are
        looked up only if they are shown, or narrowed by more."""
        table, tags = self.listing.table, self.listing.tags
        workspace = Condition("workspace", self.workspace)
        if not tagged:
            return f"{table} WHERE {where(bound, [workspace, *others], table)}"
        assert tags is not None
        times = [one for one in others if one.column == self.listing.at]
        rest = [one for one in others if one.column != self.listing.at]
        found = where(bound, [workspace, *tagged, *times], tags)
        if not shown and not rest:
            return f"{tags} WHERE {found}"
        same = f"{table}.workspace = {tags}.workspace AND {table}.id = {tags}.id"
        return f"{tags} JOIN {table} ON {same} WHERE {found} AND {where(bound, rest, table)}"
