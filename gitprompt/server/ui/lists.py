# SPDX-License-Identifier: Apache-2.0
"""Lists of telemetry as pages have them: the API's own filters, pages by number, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gitprompt.server.context import Context
from gitprompt.server.http.listing import List
from gitprompt.server.ui.page import Data, Pager, View, page_number
from gitprompt.statistics import WINDOWS
from gitprompt.store.engines import Row
from gitprompt.store.tables.pages import Window
from gitprompt.store.tables.rows import Condition

ON_A_PAGE = 50
_MOST = 10_000  # rows of a file
TIMES: Mapping[str, str] = {
    "": "ever", "1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days",
}  # fmt: skip


def filters_of(view: View) -> dict[str, str]:
    """What the query says, for the API's filters: a window becomes a moment."""
    params = {key: value.strip() for key, value in view.params.items() if value.strip()}
    window = params.pop("window", "")
    if window in WINDOWS and "since" not in params:
        params["since"] = str(view.now - WINDOWS[window])
    return params


async def rows_of(
    context: Context, view: View, listed: List, *base: Condition
) -> tuple[list[Row], Pager]:
    """The rows of the page that is asked for. Raises Invalid for a filter that is none."""
    number = page_number(view.params)
    window = Window(ON_A_PAGE, (number - 1) * ON_A_PAGE)
    query = listed.page(view.workspace, filters_of(view), window, *base)
    found = await context.database.read(query)
    rows = found.rows
    return rows, Pager(number, ON_A_PAGE, found.total, len(rows), not found.are_more)


async def everything(context: Context, view: View, listed: List, *base: Condition) -> list[Row]:
    """The first rows of the list, as many as a file has."""
    query = listed.page(view.workspace, filters_of(view), Window(_MOST), *base)
    return (await context.database.read(query)).rows


def wants_csv(view: View) -> bool:
    return view.params.get("format") == "csv"


def csv_file(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Data:
    """A file that a spreadsheet opens. Text that it would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    body = text.getvalue().encode("utf-8", "replace")
    return Data(body, "text/csv; charset=utf-8", f"{name}.csv")


_BLANK = ("\t", "\r", "\n")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # as wide characters, too


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and (value[:1] in _BLANK or value.lstrip()[:1] in _FORMULA):
        return f"'{value}"
    return "" if value is None else value
