# SPDX-License-Identifier: Apache-2.0
"""Two versions of a prompt compared: what changed, which bump that deserves, and how both do. The page that
compares shows it, and so does the form that moves a label from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt import statistics
from gitprompt.core.diff import RANK, Change, deserved_bump
from gitprompt.core.publication import Version
from gitprompt.core.versions import Bump, bump_between
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import window_of
from gitprompt.server.ui.looks import differences, display
from gitprompt.server.ui.looks.differences import MessageDiff
from gitprompt.server.ui.page import View
from gitprompt.store.tables.rollups import VersionStatistics


class VersionStep(NamedTuple):
    """From one version to another. `deserved` is the bump that the changes deserve (None: there are none),
    `published` the one that the number says (None: it does not go up)."""

    old: Version
    new: Version
    messages: Sequence[MessageDiff]
    variables: Sequence[Change]
    settings: Sequence[Change]
    deserved: Bump | None
    published: Bump | None
    rows: Sequence[Compared]

    @property
    def is_short(self) -> bool:
        """Whether the number says less than the changes deserve."""
        if self.deserved is None or self.published is None:
            return False
        return RANK[self.deserved] > RANK[self.published]


async def compared(
    context: Context, view: View, name: str, before: str, after: str, *, only_changes: bool = True
) -> VersionStep:
    """`before` and `after` are versions or labels. Raises NotFound."""
    workspace = view.workspace
    comparison = await context.catalog.diff(workspace, name, before, after)
    old, new, changes = comparison.old, comparison.new, comparison.changes
    by_version = await statistics.of_versions(
        context.database, workspace, name, [old.version.version, new.version.version],
        since=window_of(view).since,
    )  # fmt: skip
    messages = await asyncio.to_thread(
        differences.messages, context.catalog.document(old)["messages"],
        context.catalog.document(new)["messages"], changes, only_changes=only_changes,
    )  # fmt: skip
    return VersionStep(
        old.version,
        new.version,
        messages,
        [change for change in changes if change.area == "variables"],
        [change for change in changes if change.area == "settings"],
        deserved_bump(changes),
        bump_between(old.version.version, new.version.version),
        side_by_side(by_version.get(old.version.version), by_version.get(new.version.version)),
    )


class Compared(NamedTuple):
    """A number of both versions; `few`: of fewer calls or scores than say much."""

    name: str
    before: str
    after: str
    change: str
    few: bool = False


def _compared(name: str, texts: Iterable[str], change: str = "", *, few: bool = False) -> Compared:
    before, after = texts
    return Compared(name, before, after, change, few)


def side_by_side(old: VersionStatistics | None, new: VersionStatistics | None) -> list[Compared]:
    calls = [side.calls if side else 0 for side in (old, new)]
    few = min(calls) < display.FEW
    rates = [side.error_rate if side and side.calls else None for side in (old, new)]
    costs = [_cost(side) for side in (old, new)]
    rows = [
        _compared("calls", [display.number(side.calls if side else None) for side in (old, new)]),
        _compared("error rate", map(display.percent, rates), _points(*rates), few=few),
        _timed("p50", old and old.latency_p50_ms, new and new.latency_p50_ms, few=few),
        _timed("p95", old and old.latency_p95_ms, new and new.latency_p95_ms, few=few),
        _compared("cost a call", map(display.dollars, costs), display.change(*costs), few=few),
        _tokens("tokens in a call", old, new, "tokens_in", few=few),
        _tokens("tokens out a call", old, new, "tokens_out", few=few),
    ]
    return [*rows, *_scores(old, new)]


def _cost(side: VersionStatistics | None) -> float | None:
    if side is None or side.cost_usd is None:
        return None
    return side.cost_usd / (side.calls - side.unpriced)


def _points(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    points = (after - before) * 100
    return f"{display.signed(points, 2)} pp"


def _timed(name: str, before: int | None, after: int | None, *, few: bool) -> Compared:
    texts = display.milliseconds(before), display.milliseconds(after)
    return _compared(name, texts, display.change(before, after), few=few)


def _tokens(
    name: str,
    old: VersionStatistics | None,
    new: VersionStatistics | None,
    field: str,
    *,
    few: bool,
) -> Compared:
    means = [
        getattr(side, field) / side.calls if side and side.calls else None for side in (old, new)
    ]
    texts = [display.number(None if mean is None else round(mean)) for mean in means]
    return _compared(name, texts, display.change(*means), few=few)


def _scores(old: VersionStatistics | None, new: VersionStatistics | None) -> list[Compared]:
    """A row for each suite, then for each score of none; the mean, and of how many."""
    rows = []
    for field in ("scores_by_suite", "scores_by_name"):
        before: Mapping[str, Any] = getattr(old, field) if old else {}
        after: Mapping[str, Any] = getattr(new, field) if new else {}
        for name in sorted(before.keys() | after.keys()):
            means = [side.get(name) for side in (before, after)]
            texts = [
                f"{display.number(mean['mean'])} ({mean['scores']:,})" if mean else display.NOTHING
                for mean in means
            ]
            apart = ""
            if means[0] and means[1]:
                apart = display.signed(means[1]["mean"] - means[0]["mean"], 2)
            few = any(mean is not None and mean["scores"] < display.FEW for mean in means)
            rows.append(_compared(f"{name} (n)", texts, apart, few=few))
    return rows
