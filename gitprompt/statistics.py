# SPDX-License-Identifier: Apache-2.0
"""How prompt versions do: calls, errors, tokens, cost, latency and scores, from the rollups."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.clock import Clock
from gitprompt.core.telemetry.usage import HOUR
from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import StatisticsQuery, VersionStatistics
from gitprompt.store.tables.traffic import PromptTraffic, TrafficOfPrompts

SECONDS_OLD = 20
_MOST_KEPT = 50_000  # prompts
WINDOWS = {"1h": HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR}


async def of_versions(
    database: Database, workspace: str, name: str, versions: Sequence[str], *, since: int = 0
) -> dict[str, VersionStatistics]:
    """By version, of those that were used since a Unix time, rounded down to its hour."""
    rows = await database.read(
        StatisticsQuery(workspace, prompt_name=name, versions=list(versions), since=since)
    )
    return {row.version_tag: row for row in rows if row.version_tag is not None}


class RecentTraffic:
    """What prompts do lately, remembered for some seconds: many look at the same page, and a window of a week
    is not another one a moment later."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._kept: dict[tuple[str, str, str], tuple[int, PromptTraffic | None]] = {}

    async def of_prompts(
        self, workspace: str, names: Sequence[str], window: str
    ) -> dict[str, PromptTraffic]:
        """By name, of those that were called in a window of `WINDOWS`; at most SECONDS_OLD seconds old."""
        now = self._clock()
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        kept = {name: self._kept.get((workspace, window, name), (0, None)) for name in names}
        unknown = [name for name, (at, _) in kept.items() if at <= now - SECONDS_OLD]
        if unknown:
            query = TrafficOfPrompts(workspace, unknown, now - WINDOWS[window])
            traffic = await self._database.read(query)
            for name in unknown:
                kept[name] = self._kept[workspace, window, name] = now, traffic.get(name)
        return {name: traffic for name, (_, traffic) in kept.items() if traffic is not None}


async def summary(
    database: Database, clock: Clock, workspace: str, window: str, name: str | None
) -> tuple[int, list[VersionStatistics]]:
    """Of every prompt version, or those of one prompt, in a window of `WINDOWS`; with the Unix
    second of the whole hour at which the window begins."""
    since = (clock() - WINDOWS[window]) // HOUR * HOUR
    return since, await database.read(StatisticsQuery(workspace, prompt_name=name, since=since))
