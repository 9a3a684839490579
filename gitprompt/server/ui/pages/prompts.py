# SPDX-License-Identifier: Apache-2.0
"""All prompts, and one of them: its labels, versions, moves, and how it does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt import statistics
from gitprompt.core.telemetry.usage import HOUR
from gitprompt.core.variables import effective
from gitprompt.errors import NotFound
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import (
    WINDOW_NAMES,
    command,
    curl,
    labels_by_version,
    window_of,
)
from gitprompt.server.ui.looks import charts, display
from gitprompt.server.ui.looks.charts import Chart
from gitprompt.server.ui.looks.differences import shown_message
from gitprompt.server.ui.page import Answer, Page, Pager, View, W, chosen, page_number
from gitprompt.store.index.reader import ORDERS, DatedMove, PromptFilter, PromptSummary
from gitprompt.store.tables.traffic import (
    AnsweringVersions,
    HourOfVersion,
    HoursOfVersions,
    PromptTraffic,
)

_ON_A_PAGE = 50  # prompts
_VERSIONS = 25  # of a page
_MOVES = 30
_LINES = 5  # of a chart


class ListedRow(NamedTuple):
    """`strays` are (version, share) of calls in the last hour that no label explains."""

    prompt: PromptSummary
    author: str
    traffic: PromptTraffic | None
    strays: Sequence[tuple[str, float]]


async def prompts(context: Context, view: View) -> Answer:
    params, workspace = view.params, view.workspace
    wanted = PromptFilter(
        params.get("q", "")[:256],
        params.get("tag", "")[:256],
        params.get("label", "")[:256],
        params.get("folder", "")[:256].strip("/"),
    )
    number, window = page_number(params), window_of(view)
    order = chosen(params, "sort", ORDERS)
    rows, total = context.catalog.prompts(
        workspace,
        wanted=wanted,
        order=order,
        limit=_ON_A_PAGE,
        offset=(number - 1) * _ON_A_PAGE,
    )
    names = [row.name for row in rows]
    traffic, answering = await asyncio.gather(
        context.traffic.of_prompts(workspace, names, window.name),
        context.database.read(AnsweringVersions(workspace, names, view.now - HOUR)),
    )
    authors = context.catalog.authors(workspace, rows)
    query = {"q": wanted.query, "tag": wanted.tag, "label": wanted.label, "folder": wanted.folder}
    return {
        "rows": [
            ListedRow(
                row,
                authors[row.name],
                traffic.get(row.name),
                _strays(row.labels.values(), answering.get(row.name, {})),
            )
            for row in rows
        ],
        "wanted": wanted,
        "is_narrowed": any(wanted),
        "sort": order,
        "window": window,
        "windows": WINDOW_NAMES,
        "seconds_old": statistics.SECONDS_OLD,
        "folders": context.catalog.folders(workspace, wanted.folder),
        "above": _above(wanted.folder),
        "labels": context.catalog.label_names(workspace),
        "pager": Pager(number, _ON_A_PAGE, total, len(rows)),
        "commands": [
            ("The same list, for a program:", curl(view, view.links.api("prompts", **query))),
            ("In a clone:", "gitprompt list"),
        ],
    }


def _above(folder: str) -> list[tuple[str, str]]:
    """(name, path) of the folders that a folder is in, and its own."""
    parts = folder.split("/") if folder else []
    return [(part, "/".join(parts[: at + 1])) for at, part in enumerate(parts)]


def _strays(labelled: Any, answering: Mapping[str, int]) -> list[tuple[str, float]]:
    """The versions that answer although no label names them, most first; none if there are no labels."""
    versions, calls = set(labelled), sum(answering.values())
    if not versions or not calls:
        return []
    strays = [(version, n / calls) for version, n in answering.items() if version not in versions]
    return sorted(strays, key=lambda stray: -stray[1])[:2]


class LabelNow(NamedTuple):
    """A label as it is, and its share of the calls of the last hour; None if there were none."""

    current: DatedMove
    share: float | None
    others: Sequence[tuple[str, float]]


async def prompt(context: Context, view: View) -> Answer:
    workspace, name = view.workspace, view.path["name"]
    newest = context.catalog.find(workspace, name, version=_latest(context, workspace, name))
    document = context.catalog.document(newest)
    number, window = page_number(view.params), window_of(view)
    versions, total = context.catalog.versions(
        workspace, name, limit=_VERSIONS, offset=(number - 1) * _VERSIONS
    )
    numbers = [stored.version.version for stored in versions]
    by_version, answering = await asyncio.gather(
        statistics.of_versions(context.database, workspace, name, numbers, since=window.since),
        context.database.read(AnsweringVersions(workspace, [name], view.now - HOUR)),
    )
    calls = answering.get(name, {})
    current = context.catalog.current_labels(workspace, name)
    moves = context.catalog.timeline(workspace, name, limit=_MOVES + 1)
    busiest = sorted(by_version.values(), key=lambda row: -row.calls)[:_LINES]
    charted = [row.version_tag or "" for row in busiest if row.calls]
    hours = await context.database.read(HoursOfVersions(workspace, name, charted, window.since))
    return {
        "name": name,
        "document": document,
        "newest": newest.version,
        "labels": [_label_now(label, calls) for label in current],
        "calls": sum(calls.values()),
        "strays": _strays([label.move.version for label in current], calls),
        "versions": [
            (stored.version, by_version.get(stored.version.version)) for stored in versions
        ],
        "labels_of": labels_by_version(current),
        "moves": moves[:_MOVES],
        "has_more_moves": len(moves) > _MOVES,
        "variables": effective(document),
        "messages": [shown_message(message) for message in document["messages"]],
        "window": window,
        "windows": WINDOW_NAMES,
        "chart": _chart(hours, charted, window.since, view.now, moves),
        "hours": _table(hours),
        "pager": Pager(number, _VERSIONS, total, len(versions)),
        "moved": next((m for m in moves if m.move.commit == view.params.get("moved")), None),
        "default": context.index.settings(workspace).default_label,
        "commands": [
            ("What it serves, for a program:", curl(view, view.links.api("prompts", name))),
            ("In a clone:", command("show", name)),
        ],
    }


def _latest(context: Context, workspace: str, name: str) -> str:
    latest = context.index.latest(workspace, name)
    if latest is None:
        raise NotFound("There is no such prompt", hint="Its first version makes it.")
    return latest


def _label_now(current: DatedMove, calls: Mapping[str, int]) -> LabelNow:
    version, total = current.move.version or "", sum(calls.values())
    share = calls.get(version, 0) / total if total else None
    return LabelNow(current, share, _strays([version], calls))


def _chart(
    hours: Sequence[HourOfVersion],
    versions: Sequence[str],
    since: int,
    now: int,
    moves: Sequence[DatedMove],
) -> Chart | None:
    """Calls by hour of the busiest versions, with the moves of labels as marks."""
    if not hours:
        return None
    first, last = since // HOUR, now // HOUR
    counted = {(row.version, row.hour): row.calls for row in hours}
    step = max((last - first) // 120, 1)
    series = {
        version: [
            (hour, float(sum(counted.get((version, hour + more), 0) for more in range(step))))
            for hour in range(first, last + 1, step)
        ]
        for version in versions
    }
    top = charts.ceiling([up for points in series.values() for _, up in points])
    ticks = [first + (last - first) * part / 4 for part in range(5)]
    return charts.lines(
        series,
        horizontal=[(tick, display.utc(tick * HOUR)[5:16]) for tick in ticks],
        vertical=[(0, "0"), (top / 2, display.number(top / 2)), (top, display.number(top))],
        marks=[
            (dated.move.created_at / HOUR, f"{dated.label} → {dated.move.version or 'none'}")
            for dated in moves[:6]
        ],
    )


class DayOfVersion(NamedTuple):
    day: str
    version: str
    calls: int
    errors: int


def _table(hours: Sequence[HourOfVersion]) -> list[DayOfVersion]:
    """Newest first: what the chart shows, in words."""
    days: dict[tuple[int, str], list[int]] = {}
    for row in hours:
        total = days.setdefault((row.hour // 24, row.version), [0, 0])
        total[0] += row.calls
        total[1] += row.errors
    return [
        DayOfVersion(display.utc(day * 24 * HOUR)[:10], version, calls, errors)
        for (day, version), (calls, errors) in sorted(days.items(), reverse=True)
    ]


PAGES = (
    Page(path=f"{W}/prompts", handler=prompts, template="prompts.html", area="prompts"),
    Page(
        path=f"{W}/prompts/{{name:prompt}}", handler=prompt, template="prompt.html", area="prompts"
    ),
)
