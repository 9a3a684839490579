# SPDX-License-Identifier: Apache-2.0
"""Lists of telemetry: filters from the query, a page by number or by cursor, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.errors import Invalid
from gitprompt.server.http.endpoints import PAGING, Call, Parameter
from gitprompt.server.http.wire import envelope, parse_page
from gitprompt.store.database import Database
from gitprompt.store.tables import rows
from gitprompt.store.tables.rows import Condition, Connection, Window

Query = Callable[[Connection, Window, Sequence[Condition]], list[tuple[Any, ...]]]


class Filter(NamedTuple):
    """A query parameter that narrows a list: constant SQL with one hole."""

    name: str
    sql: str
    about: str
    is_time: bool = False

    @property
    def parameter(self) -> Parameter:
        schema = {"type": "integer", "minimum": 0} if self.is_time else {"type": "string"}
        return Parameter(self.name, self.about, schema)


SINCE = Filter("since", "created_at >= ?", "Unix seconds; what was stored then or later.", True)
UNTIL = Filter("until", "created_at < ?", "Unix seconds; what was stored before.", True)


class List(NamedTuple):
    """A list of one table, newest first. `kind` is its tally; without one, rows are counted."""

    table: str
    query: Query
    filters: Sequence[Filter]
    kind: str | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (*PAGING, *(one.parameter for one in self.filters))

    async def answer(
        self,
        database: Database,
        call: Call,
        convert: Callable[[tuple[Any, ...]], Any],
        *base: Condition,
    ) -> Mapping[str, Any]:
        """The envelope of a page; `base` always holds, its first value is the workspace of a tally."""
        page = parse_page(call.params, (int,))
        narrowed = conditions(self.filters, call.params)
        window = Window(page.limit, page.offset, page.cursor[0] if page.cursor else None)
        kind = self.kind if not narrowed else None

        def read(db: Connection) -> tuple[list[tuple[Any, ...]], int]:
            everything = [*base, *narrowed]
            if kind is not None:
                total = rows.tally(db, base[0].value, kind)
            else:
                total = rows.count(db, self.table, everything)
            return self.query(db, window, everything), total

        found, total = await database.read(read)
        return envelope(page, total, [convert(row) for row in found], lambda: [found[-1][0]])


def conditions(filters: Sequence[Filter], params: Mapping[str, str]) -> list[Condition]:
    """The conditions that a query asks for; raises Invalid for a time that is none."""
    found = []
    for one in filters:
        text = params.get(one.name)
        if text is None or text == "":
            continue
        if not one.is_time:
            found.append(Condition(one.sql, text.replace("\0", "\ufffd")))
        elif re.fullmatch(r"[0-9]{1,15}", text):
            found.append(Condition(one.sql, int(text)))
        else:
            raise Invalid(f"{one.name}: must be an integer of 0 or more")
    return found


def workspace_is(call: Call, column: str = "workspace") -> Condition:
    return Condition(f"{column} = ?", call.principal.workspace)
