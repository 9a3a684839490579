# SPDX-License-Identifier: Apache-2.0
"""Pages of lists, newest first, narrowed by conditions, and how many rows there are in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection, Row
from gitprompt.store.tables.rows import Bound, Condition, tally, where


class Window(NamedTuple):
    """Which part of a list: `before` is the `place_of` of the last row of the page before."""

    limit: int
    offset: int = 0
    before: Sequence[int] | None = None


class TotalsTable(NamedTuple):
    """A table with a row for each row of another: what belongs to that is together. `columns` are shown after
    its own."""

    table: str
    columns: str


class Listing(NamedTuple):
    """A table that can be listed: `columns` beside the id, and the `kind` of its tally; None: its
    rows are counted. `at` is the column of when a row happened, which is not when it came; None: the rows
    are in the order in which they came. `tags` is the table of their tags."""

    table: str
    columns: str
    kind: str | None = None
    at: str | None = None
    tags: str | None = None
    totals: TotalsTable | None = None

    @property
    def order(self) -> tuple[str, ...]:
        return ("id",) if self.at is None else (self.at, "id")

    @property
    def shown(self) -> tuple[str, ...]:
        """What a row of the list has."""
        totals = self.totals.columns.split(", ") if self.totals is not None else ()
        return ("id", *self.columns.split(", "), *totals)

    def place_of(self, row: Row, most: str = "") -> list[int]:
        """Where a row of the list is: what a cursor says. `most` is the total by which the list is ordered,
        instead of by time."""
        order = (most, "id") if most else self.order
        return [row[self.shown.index(column)] for column in order]


MAX_PAGE = 16_000_000  # characters of a page, and a row
LOOKED_AT = 2_000  # rows of which two tables have to say whether they meet what is asked
COUNTED = 10_000  # rows beyond the page that are counted one by one: what is found by a filter has no tally


class PageRows(NamedTuple):
    """The rows of a page, how many there are in all, whether it ends early, being large, and whether there
    are more in all: then there are more than the page shows, too."""

    rows: list[Row]
    total: int
    is_cut: bool
    are_more: bool = False


class Part(NamedTuple):
    """The (id, *columns, *totals) of a part of a workspace's rows that meet all conditions, newest first, and
    how many meet them. `most` is the total of which those come first that have most, instead."""

    listing: Listing
    workspace: str
    window: Window
    conditions: Sequence[Condition] = ()
    most: str = ""

    def answer(self, db: Connection) -> PageRows:
        query = PartQuery(self, db)
        if self.listing.kind is not None and not self.conditions:
            total, are_more = tally(db, self.workspace, self.listing.kind), False
        else:
            total, are_more = query.count(self.window.offset + self.window.limit + COUNTED)
        rows: list[Row] = []
        size = 0
        for row in query.rows():
            if size > MAX_PAGE:
                return PageRows(rows, total, True, are_more)
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
        return PageRows(rows, total, False, are_more)


class PartQuery:
    """The SQL of a page. Which table leads decides how many rows are looked at: that of the tags, whose rows
    are in the order of the list; or that of the totals where few rows meet what is asked of them; else the
    table itself, of which enough rows soon meet it. CROSS JOIN keeps SQLite from another order."""

    def __init__(self, page: Part, db: Connection) -> None:
        self._page = page
        self._db = db
        listing, conditions = page.listing, page.conditions
        totals = listing.totals
        of_totals = totals.columns.split(", ") if totals is not None else ()
        self._tagged = [one for one in conditions if one.operator == "has"]
        self._summed = [one for one in conditions if one.column in (*of_totals, "failed")]
        self._others = [
            one for one in conditions if one not in self._tagged and one not in self._summed
        ]
        self._table = listing.table
        self._totals = totals.table if totals is not None else ""
        self._lead = self._leading()

    def _leading(self) -> str:
        tags = self._page.listing.tags
        if self._tagged:
            assert tags is not None
            return tags
        if not self._summed and not self._page.most:
            return self._table
        if self._others and self._is_rare(self._table, self._others):
            return self._table
        # An index of the totals is in the order of the list, but for one of how much there is of something.
        is_in_order = self._page.most or all(one.operator == "=" for one in self._summed)
        if is_in_order and not self._others:
            return self._totals
        if self._page.most or self._is_rare(self._totals, self._summed):
            return self._totals
        return self._table

    def _is_rare(self, table: str, conditions: Sequence[Condition]) -> bool:
        return self._counted(table, conditions, COUNTED + 1) <= COUNTED

    def _counted(self, table: str, conditions: Sequence[Condition], most: int) -> int:
        """How many rows of one table meet conditions of it, up to a number."""
        bound = Bound()
        wanted = where(bound, [Condition("workspace", self._page.workspace), *conditions], table)
        sql = f"SELECT 1 FROM {table} WHERE {wanted} LIMIT {bound.bind(most)}"
        rows: int = self._db.query(f"SELECT count(*) FROM ({sql}) AS found", bound.values)[0][0]
        return rows

    def count(self, most: int) -> tuple[int, bool]:
        """How many rows there are, up to a number, and whether there are more. Where two tables have to say
        so, only so many rows are looked at."""
        if self._summed and not self._others and not self._tagged:
            found = self._counted(self._totals, self._summed, most + 1)
            return min(found, most), found > most
        if not self._summed:
            bound = Bound()
            sql = f"SELECT 1 FROM {self._from(bound, is_shown=False)} LIMIT {bound.bind(most + 1)}"
            found = self._db.query(f"SELECT count(*) FROM ({sql}) AS found", bound.values)[0][0]
            return min(found, most), found > most
        bound = Bound()
        met = where(bound, self._summed, self._totals)
        source = self._from(bound, is_shown=False, is_summed=False)
        sql = (
            f"SELECT CASE WHEN {met} THEN 1 END AS met FROM {source} LIMIT {bound.bind(LOOKED_AT)}"
        )
        found, looked_at = self._db.query(
            f"SELECT count(met), count(*) FROM ({sql}) AS looked_at", bound.values
        )[0]
        are_more = looked_at == LOOKED_AT
        return max(found, most - COUNTED + 1) if are_more else found, are_more

    def rows(self) -> Iterator[Row]:
        return self._db.stream(*self.statement())

    def statement(self) -> tuple[str, list[Any]]:
        """The SQL of the rows, and its values."""
        bound, listing, window = Bound(), self._page.listing, self._page.window
        columns = [f"{self._table}.{name}" for name in ("id", *listing.columns.split(", "))]
        if listing.totals is not None:
            columns += [f"{self._totals}.{name}" for name in listing.totals.columns.split(", ")]
        order = [f"{self._lead}.{column}" for column in listing.order]
        if self._page.most:
            assert self._page.most.isidentifier()
            order = [f"{self._totals}.{self._page.most}", f"{self._totals}.id"]
        sql = f"SELECT {', '.join(columns)} FROM {self._from(bound)}"
        if window.before is not None:
            sql += f" AND ({', '.join(order)}) < ({bound.bind_all(window.before)})"
        sql += f" ORDER BY {', '.join(f'{column} DESC' for column in order)}"
        sql += f" LIMIT {bound.bind(window.limit)} OFFSET {bound.bind(window.offset)}"
        return sql, bound.values

    def _from(self, bound: Bound, *, is_shown: bool = True, is_summed: bool = True) -> str:
        """What follows FROM. Tables that nothing is asked of are joined only if they are shown; without
        `is_summed` totals are joined, and nothing is asked of them."""
        at = self._page.listing.at
        tags, lead = self._page.listing.tags or "", self._lead
        # A row of a tag has the time of its row.
        of_tags = [one for one in self._others if self._tagged and one.column == at]
        of_table = [one for one in self._others if one not in of_tags]
        wanted = {
            tags: [*self._tagged, *of_tags],
            self._totals: self._summed,
            self._table: of_table,
        }
        tables = [lead]
        for table in (self._table, self._totals):
            is_needed = is_shown or wanted[table] or (table == self._totals and not is_summed)
            if table and table != lead and is_needed:
                tables.append(table)
        workspace = Condition("workspace", self._page.workspace)
        parts = [where(bound, [workspace, *wanted[lead]], lead)]
        for table in tables[1:]:
            parts.append(f"{table}.workspace = {lead}.workspace AND {table}.id = {lead}.id")
            if wanted[table]:
                parts.append(where(bound, wanted[table], table))
        return f"{' CROSS JOIN '.join(tables)} WHERE {' AND '.join(parts)}"
