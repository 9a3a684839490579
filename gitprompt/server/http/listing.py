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
from gitprompt.store.tables.pages import Listing, Page, Window
from gitprompt.store.tables.rows import Condition, Operator


class Filter(NamedTuple):
    """A query parameter that narrows a list: by a column, which has its name unless another is
    said. One that compares is a time; one with `choices` must be one of them."""

    name: str
    about: str
    column: str | None = None
    operator: Operator = "="
    choices: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        return self.operator in ("<", ">=")

    @property
    def parameter(self) -> Parameter:
        schema: dict[str, Any] = {"type": "string"}
        if self.is_time:
            schema = {"type": "integer", "minimum": 0}
        elif self.choices:
            schema["enum"] = list(self.choices)
        return Parameter(self.name, self.about, schema)

    def condition(self, text: str) -> Condition:
        """Raises Invalid for a time that is not one, and for what is not among the choices."""
        if self.choices and text not in self.choices:
            raise Invalid(f"{self.name}: must be {' or '.join(self.choices)}")
        value: str | int = text.replace("\0", "\ufffd")
        if self.is_time:
            if not re.fullmatch(r"[0-9]{1,15}", text):
                raise Invalid(f"{self.name}: must be an integer of 0 or more")
            value = int(text)
        return Condition(self.column or self.name, value, self.operator)


OF_TRACE = Filter("trace_id", "Of this trace.", operator="spells")
OF_SESSION = (  # by its field, and shorter
    Filter("session_id", "Of this session."),
    Filter("session", "Of this session.", column="session_id"),
)
OF_USER = (
    Filter("user_id", "Of this user."),
    Filter("user", "Of this user.", column="user_id"),
)
TAG = Filter("tag", "With this tag.", operator="has")
SINCE = Filter(
    "since", "Unix seconds; what happened then or later.", column="created_at", operator=">="
)
UNTIL = Filter("until", "Unix seconds; what happened before.", column="created_at", operator="<")


class List(NamedTuple):
    """A list of one table, newest first."""

    listing: Listing
    filters: Sequence[Filter]

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
        """The envelope of a page of the caller's workspace; `base` holds whatever the query says."""
        page = parse_page(call.params, (int,) * len(self.listing.order))
        workspace = call.principal.workspace
        narrowed = [*base, *conditions(self.filters, call.params)]
        window = Window(page.limit, page.offset, page.cursor or None)
        found = await database.read(Page(self.listing, workspace, window, narrowed))
        items = [convert(row) for row in found.rows]
        return envelope(
            page, found.total, items, lambda: self.listing.place_of(found.rows[-1]),
            is_cut=found.is_cut, are_more=found.are_more,
        )  # fmt: skip


def conditions(filters: Sequence[Filter], params: Mapping[str, str]) -> list[Condition]:
    """The conditions that a query asks for; raises Invalid as `Filter.condition`."""
    return [one.condition(params[one.name]) for one in filters if params.get(one.name)]
