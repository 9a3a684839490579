# SPDX-License-Identifier: Apache-2.0
"""How prompt versions do: calls, errors, tokens, cost, latency and scores, from the rollups."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.clock import Clock
from gitprompt.core.telemetry.usage import HOUR
from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import StatisticsQuery, VersionStatistics

WINDOWS = {"1h": HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR}


async def of_versions(
    database: Database, workspace: str, name: str, versions: Sequence[str], *, since: int = 0
) -> dict[str, VersionStatistics]:
    """By version, of those that were used since a Unix time, rounded down to its hour."""
    rows = await database.read(
        StatisticsQuery(workspace, prompt_name=name, versions=list(versions), since=since)
    )
    return {row.version_tag: row for row in rows if row.version_tag is not None}


async def summary(
    database: Database, clock: Clock, workspace: str, window: str, name: str | None
) -> tuple[int, list[VersionStatistics]]:
    """Of every prompt version, or those of one prompt, in a window of `WINDOWS`; with the Unix
    second of the whole hour at which the window begins."""
    since = (clock() - WINDOWS[window]) // HOUR * HOUR
    return since, await database.read(StatisticsQuery(workspace, prompt_name=name, since=since))
