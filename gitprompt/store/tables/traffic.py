# SPDX-License-Identifier: Apache-2.0
"""What prompts do lately, from the rollups: of a page of prompts together, which versions answer, and by hour.

The key of a rollup ends with its hour. So as not to read the hours of years, the versions of a prompt are
found first, by a look into the index for each, and then only the hours that are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitprompt.core.telemetry.numbers import NANO
from gitprompt.core.telemetry.usage import HOUR, percentile
from gitprompt.store.engines import Connection, Row
from gitprompt.store.tables.rows import Bound


class PromptTraffic(NamedTuple):
    """How the calls of a prompt went, whatever its version. USD, None if no cost is known; milliseconds."""

    calls: int
    errors: int
    cost_usd: float | None
    latency_p95_ms: int | None


class TrafficOfPrompts(NamedTuple):
    """By name, of those that were called since a Unix time, rounded down to its hour."""

    workspace: str
    names: Sequence[str]
    since: int

    def answer(self, db: Connection) -> dict[str, PromptTraffic]:
        bound = Bound()
        usage = db.query(
            f"{_seen(bound, self.workspace, self.names)} SELECT seen.prompt_name,"
            f" {_sums('calls', 'errors', 'cost_nano', 'unpriced')}"
            f" FROM seen CROSS JOIN usage_rollup AS u WHERE {_same(bound, self)} GROUP BY 1",
            bound.values,
        )
        bound = Bound()
        latency: dict[str, list[tuple[int, int]]] = {}
        for name, bucket, calls in db.query(
            f"{_seen(bound, self.workspace, self.names)} SELECT seen.prompt_name, u.bucket,"
            f" {_sums('calls')} FROM seen CROSS JOIN latency_rollup AS u WHERE {_same(bound, self)}"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            bound.values,
        ):
            latency.setdefault(name, []).append((bucket, calls))
        return {
            name: PromptTraffic(
                calls,
                errors,
                cost / NANO if calls > unpriced else None,
                percentile(latency.get(name, []), 0.95),
            )
            for name, calls, errors, cost, unpriced in usage
            if calls
        }


class AnsweringVersions(NamedTuple):
    """Calls by version, of each of some prompts, since a Unix time, rounded down to its hour."""

    workspace: str
    names: Sequence[str]
    since: int

    def answer(self, db: Connection) -> dict[str, dict[str, int]]:
        bound = Bound()
        sql = (
            f"{_seen(bound, self.workspace, self.names)} SELECT seen.prompt_name, seen.version_tag,"
            f" {_sums('calls')} FROM seen CROSS JOIN usage_rollup AS u WHERE {_same(bound, self)}"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return _by_version(db.query(sql, bound.values))


class Answering(NamedTuple):
    """The same of all prompts of a workspace."""

    workspace: str
    since: int

    def answer(self, db: Connection) -> dict[str, dict[str, int]]:
        sql = (
            f"SELECT prompt_name, version_tag, {_sums('calls')} FROM usage_rollup AS u"
            " WHERE u.workspace = $1 AND u.hour >= $2 GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return _by_version(db.query(sql, (self.workspace, self.since // HOUR)))


def _by_version(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Calls by prompt and version, of rows of all three; what had none is left out."""
    answering: dict[str, dict[str, int]] = {}
    for name, version, calls in rows:
        if calls:
            answering.setdefault(name, {})[version] = calls
    return answering


class HourOfVersion(NamedTuple):
    """`hour` counts hours since the epoch."""

    version: str
    hour: int
    calls: int
    errors: int


class HoursOfVersions(NamedTuple):
    """The hours of some versions of a prompt since a Unix time, rounded down to its hour, in order."""

    workspace: str
    name: str
    versions: Sequence[str]
    since: int

    def answer(self, db: Connection) -> list[HourOfVersion]:
        if not self.versions:
            return []
        bound = Bound()
        rows = db.query(
            f"SELECT version_tag, hour, {_sums('calls', 'errors')} FROM usage_rollup AS u"
            f" WHERE workspace = {bound.bind(self.workspace)} AND prompt_name = {bound.bind(self.name)}"
            f" AND version_tag IN ({bound.bind_all(self.versions)})"
            f" AND hour >= {bound.bind(self.since // HOUR)} GROUP BY 1, 2 ORDER BY 2, 1",
            bound.values,
        )
        return [HourOfVersion(*row) for row in rows]


def _seen(bound: Bound, workspace: str, names: Sequence[str]) -> str:
    """A table `seen` of the (prompt_name, version_tag) of some prompts that were ever called."""
    first = "SELECT min(version_tag) FROM usage_rollup AS r WHERE r.workspace ="
    named = ", ".join(f"({bound.bind(name)})" for name in names or [""])
    at = bound.bind(workspace)
    return (
        f"WITH RECURSIVE named (prompt_name) AS (VALUES {named}), seen (prompt_name, version_tag) AS ("
        f"SELECT prompt_name, ({first} {at} AND r.prompt_name = named.prompt_name) FROM named"
        f" UNION ALL SELECT seen.prompt_name, ({first} {at} AND r.prompt_name = seen.prompt_name"
        " AND r.version_tag > seen.version_tag) FROM seen WHERE seen.version_tag IS NOT NULL)"
    )


def _same(bound: Bound, query: TrafficOfPrompts | AnsweringVersions) -> str:
    return (
        f"u.workspace = {bound.bind(query.workspace)} AND u.prompt_name = seen.prompt_name"
        f" AND u.version_tag = seen.version_tag AND u.hour >= {bound.bind(query.since // HOUR)}"
    )


def _sums(*columns: str) -> str:
    """Sums as integers: an engine may make something wider of them."""
    return ", ".join(f"CAST(sum(u.{column}) AS BIGINT)" for column in columns)
