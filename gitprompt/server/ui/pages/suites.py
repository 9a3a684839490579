# SPDX-License-Identifier: Apache-2.0
"""Eval suites: whether the newest version passes, and how scores went from version to version."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import NamedTuple

from gitprompt.core.versions import is_version, precedence
from gitprompt.server.api.evaluations import RESULTS
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import WINDOW_NAMES, curl, labels_by_version, window_of
from gitprompt.server.ui.lists import rows_of
from gitprompt.server.ui.looks import charts, display
from gitprompt.server.ui.looks.charts import Chart
from gitprompt.server.ui.page import Answer, Page, View, W
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.scores import (
    DayOfScores,
    ResultsByVersion,
    ScoreRow,
    ScoresByDay,
    VersionResults,
)
from gitprompt.suites import NumberedDocument

_LINES = 6
_SURE = 2.0  # standard errors that two means must be apart


class JudgedVersion(NamedTuple):
    """The results of a version. `passes`: its mean does, None if nobody says what passes; `fell_from` is the
    version before it that did better, by more than chance explains."""

    results: VersionResults
    passes: bool | None
    fell_from: str


class ListedSuite(NamedTuple):
    suite: NumberedDocument
    newest: JudgedVersion | None


async def suites(context: Context, view: View) -> Answer:
    everything = await context.suites.all(view.workspace)
    shown = sorted(everything, key=lambda suite: suite.name)[:200]
    window = window_of(view, "30d")
    found = await asyncio.gather(
        *(
            context.database.read(
                ResultsByVersion(view.workspace, suite.id, window.since, suite.min_score)
            )
            for suite in shown
        )
    )
    rows = [
        ListedSuite(suite, next(iter(judged(results, suite.min_score)), None))
        for suite, results in zip(shown, found, strict=True)
    ]
    return {
        "rows": rows,
        "number": len(everything),
        "window": window,
        "windows": WINDOW_NAMES,
        "commands": [("For a program:", curl(view, view.links.api("evaluations")))],
    }


def judged(results: Sequence[VersionResults], min_score: float | None) -> list[JudgedVersion]:
    """The versions of a suite, newest first; what is no version comes last."""
    ordered = sorted(
        results, key=lambda one: (is_version(one.version), _order(one.version)), reverse=True
    )
    shown = []
    for at, one in enumerate(ordered):
        before = ordered[at + 1] if at + 1 < len(ordered) else None
        passes = None if min_score is None else one.mean >= min_score
        fell = before is not None and _is_lower(one, before, min_score)
        shown.append(JudgedVersion(one, passes, before.version if before and fell else ""))
    return shown


def _order(version: str) -> str:
    return precedence(version) if is_version(version) else version


def _is_lower(one: VersionResults, before: VersionResults, min_score: float | None) -> bool:
    """Whether a version does worse than the one before: it no longer passes, or its mean is lower by more than
    chance explains (two standard errors of both means)."""
    if one.mean >= before.mean:
        return False
    if min_score is not None and before.mean >= min_score > one.mean:
        return True
    if one.number < 2 or before.number < 2:
        return False
    error = math.sqrt(one.deviation**2 / one.number + before.deviation**2 / before.number)
    return before.mean - one.mean > _SURE * error


async def suite(context: Context, view: View) -> Answer:
    found = await context.suites.find(view.workspace, view.path["name"])
    window = window_of(view, "30d")
    prompt = str(found.document["prompt_name"])
    results, days, listed = await asyncio.gather(
        context.database.read(
            ResultsByVersion(view.workspace, found.id, window.since, found.min_score)
        ),
        context.database.read(ScoresByDay(view.workspace, prompt, found.name, window.since)),
        rows_of(context, view, RESULTS, Condition("suite", found.id)),
    )
    rows, pager = listed
    return {
        "suite": found,
        "prompt": prompt,
        "versions": judged(results, found.min_score),
        "labels_of": labels_by_version(context.catalog.current_labels(view.workspace, prompt)),
        "chart": _chart(days, found.min_score, window.since, view.now),
        "days": [(display.utc(day.day * 86_400)[:10], day) for day in reversed(days)],
        "rows": [ScoreRow(*row[1:]) for row in rows],
        "pager": pager,
        "window": window,
        "windows": WINDOW_NAMES,
        "commands": [
            ("For a program:", curl(view, view.links.api("evaluations", found.name, "results"))),
        ],
    }


def _chart(
    days: Sequence[DayOfScores], min_score: float | None, since: int, now: int
) -> Chart | None:
    """The mean of each day, a line for each of the latest versions, and what passes."""
    if not days:
        return None
    latest = list(dict.fromkeys(day.version for day in reversed(days)))[:_LINES]
    series = {
        version or "no version": [
            (day.day + 0.5, day.mean) for day in days if day.version == version
        ]
        for version in sorted(latest, key=_order)
    }
    first, last = since // 86_400, now // 86_400 + 1  # whole days, as the scores are
    means = [day.mean for day in days] + ([min_score] if min_score is not None else [])
    low = min(0.0, *means)
    high = max(1.0, *means)
    ticks = [first + (last - first) * part / 4 for part in range(5)]
    return charts.lines(
        series,
        horizontal=[(tick, display.utc(tick * 86_400)[5:10]) for tick in ticks],
        vertical=[(at, f"{at:.2f}") for at in (low, (low + high) / 2, high)],
        levels=[(min_score, f"passes from {min_score:g}")] if min_score is not None else [],
    )


PAGES = (
    Page(path=f"{W}/suites", handler=suites, template="suites.html", area="suites"),
    Page(path=f"{W}/suites/{{name:path}}", handler=suite, template="suite.html", area="suites"),
)
