# SPDX-License-Identifier: Apache-2.0
"""Lists of telemetry: filters from the query, a page by number or by cursor, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from gitprompt.errors import Invalid
from gitprompt.server.http.endpoints import PAGING, Call, Parameter
from gitprompt.server.http.wire import envelope, parse_page
from gitprompt.store.database import Database
from gitprompt.store.tables.pages import Listing, Part, Window
from gitprompt.store.tables.rows import Condition, Operator


class Filter(NamedTuple):
    """A query parameter that narrows a list: by a column, which has its name unless another is
    said. One that compares is a number; one with `choices` must be one of them, and `numbers` has what
    the column says for each, if it has no names."""

    name: str
    about: str
    column: str | None = None
    operator: Operator = "="
    choices: tuple[str, ...] = ()
    numbers: Mapping[str, int] = MappingProxyType({})

    @property
    def is_number(self) -> bool:
        return self.operator in ("<", ">=")

    @property
    def parameter(self) -> Parameter:
        schema: dict[str, Any] = {"type": "string"}
        if self.is_number:
            schema = {"type": "integer", "minimum": 0}
        elif self.choices:
            schema["enum"] = list(self.choices)
        return Parameter(self.name, self.about, schema)

    def condition(self, text: str) -> Condition:
        """Raises Invalid for a number that is not one, and for what is not among the choices."""
        if self.choices and text not in self.choices:
            raise Invalid(f"{self.name}: must be {' or '.join(self.choices)}")
        value: str | int = self.numbers.get(text, text.replace("\0", "\ufffd"))
        if self.is_number:
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
    """A list of one table, newest first. `orders` has the totals of which those may come first that have most,
    by what `sort` calls them."""

    listing: Listing
    filters: Sequence[Filter]
    orders: Mapping[str, str] = MappingProxyType({})

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        sort = Parameter(
            "sort", "newest first, or those first that took or cost most.",
            {"type": "string", "enum": ["newest", *self.orders]},
        )  # fmt: skip
        filters = (one.parameter for one in self.filters)
        return (*PAGING, *filters, *([sort] if self.orders else []))

    async def answer(
        self,
        database: Database,
        call: Call,
        convert: Callable[[tuple[Any, ...]], Any],
        *base: Condition,
    ) -> Mapping[str, Any]:
        """The envelope of a page of the caller's workspace; `base` holds whatever the query says."""
        page = parse_page(call.params, (int,) * len(self.listing.order))
        window = Window(page.limit, page.offset, page.cursor or None)
        query = self.page(call.principal.workspace, call.params, window, *base)
        found = await database.read(query)
        items = [convert(row) for row in found.rows]
        return envelope(
            page, found.total, items, lambda: self.listing.place_of(found.rows[-1], query.most),
            is_cut=found.is_cut, are_more=found.are_more,
        )  # fmt: skip

    def page(
        self, workspace: str, params: Mapping[str, str], window: Window, *base: Condition
    ) -> Part:
        """The part of the list that a query asks for. Raises Invalid."""
        sort = params.get("sort", "newest") if self.orders else "newest"
        if sort != "newest" and sort not in self.orders:
            raise Invalid(f"sort: must be one of newest, {', '.join(self.orders)}")
        narrowed = [*base, *conditions(self.filters, params)]
        return Part(self.listing, workspace, window, narrowed, self.orders.get(sort, ""))


def conditions(filters: Sequence[Filter], params: Mapping[str, str]) -> list[Condition]:
    """The conditions that a query asks for; raises Invalid as `Filter.condition`."""
    return [one.condition(params[one.name]) for one in filters if params.get(one.name)]
