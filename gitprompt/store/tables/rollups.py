# SPDX-License-Identifier: Apache-2.0
"""Rollups by prompt version and hour: a function of the rows of telemetry, kept in the transaction
that writes them, and rebuilt from them by `rebuild`.

A call that was both logged and traced (same trace and span) counts once, as its log says it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.numbers import NANO, nano
from gitprompt.core.telemetry.usage import (
    HOUR,
    PLAIN,
    ModelCall,
    SpanFacts,
    Usage,
    bucket_of,
    percentile,
    read_span,
    usage_of_span,
)
from gitprompt.store.engines import Connection
from gitprompt.store.tables.rows import Bound

_HOURLY = "workspace, prompt_name, version_tag, hour"
_SUMS = ("calls", "errors", "tokens_in", "tokens_out", "tokens_cached", "cost_nano", "unpriced")
MILLION = 1_000_000  # scores are summed in millionths: the sum does not depend on the order


class Mean(NamedTuple):
    """Of so many scores."""

    scores: int
    mean: float


class VersionStatistics(NamedTuple):
    """How the calls of one prompt version went. Latencies in milliseconds, cost in USD: of the calls whose
    cost is known, None if there is none; `unpriced` are the others. `scores` are
    those of suites; `mean_score` is that of the only suite that scored it; of several there is none, and
    `scores_by_suite` has a `Mean` of each, `scores_by_name` one of the scores that are of no suite."""

    prompt_name: str | None
    version_tag: str | None
    calls: int
    errors: int
    error_rate: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_usd: float | None
    unpriced: int
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    scores: int
    mean_score: float | None
    scores_by_suite: Mapping[str, Mapping[str, float]]
    scores_by_name: Mapping[str, Mapping[str, float]]


class CountedScore(NamedTuple):
    """`name` is that of the suite, if it is `of_suite`."""

    workspace: str
    prompt_name: str
    version_tag: str
    hour: int
    name: str
    of_suite: int
    score: float


def add(db: Connection, usages: Iterable[Usage], *, sign: int = 1) -> None:
    """Count calls; with `sign` -1, take them back."""
    add_for(db, ((usage.prompt_name, usage.version_tag, usage) for usage in usages), sign=sign)


def add_for(db: Connection, usages: Iterable[tuple[str, str, Usage]], *, sign: int = 1) -> None:
    """Like `add`, each for a prompt and version that somebody else says."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    latencies: dict[tuple[Any, ...], int] = {}
    for prompt, version, usage in usages:
        workspace, _, _, hour, errors, tokens_in, tokens_out, cached, cost, latency = usage
        key = workspace, prompt, version, hour
        total = sums.get(key)
        if total is None:
            total = sums[key] = [0] * 7
        total[0] += sign
        total[1] += sign * errors
        total[2] += sign * tokens_in
        total[3] += sign * tokens_out
        total[4] += sign * cached
        if cost is None:
            total[6] += sign
        else:
            total[5] += sign * cost
        if latency is not None:
            place = (*key, bucket_of(latency))
            latencies[place] = latencies.get(place, 0) + sign
    db.add_up("usage_rollup", _HOURLY, _SUMS, [(*key, *total) for key, total in sums.items()])
    db.add_up(
        "latency_rollup",
        f"{_HOURLY}, bucket",
        ["calls"],
        [(*place, calls) for place, calls in latencies.items()],
    )


def add_scores(db: Connection, scores: Iterable[CountedScore], *, sign: int = 1) -> None:
    db.add_up(
        "score_rollup",
        f"{_HOURLY}, name, of_suite",
        ["scores", "total"],
        [(*score[:6], sign, sign * round(score.score * MILLION)) for score in scores],
    )


class StatisticsQuery(NamedTuple):
    """Statistics by prompt and version, since a Unix time rounded down to its hour."""

    workspace: str
    prompt_name: str | None = None
    versions: Sequence[str] | None = None
    since: int = 0

    def answer(self, db: Connection) -> list[VersionStatistics]:
        return _statistics(db, *self)


class RollupRebuild(NamedTuple):
    """The rollups since a Unix time are made again from what is stored."""

    since: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            rebuild(db, since=item.since)
        return [None] * len(items)


def _statistics(
    db: Connection,
    workspace: str,
    prompt_name: str | None,
    versions: Sequence[str] | None,
    since: int,
) -> list[VersionStatistics]:
    bound = Bound()
    where = f"workspace = {bound.bind(workspace)} AND hour >= {bound.bind(since // HOUR)}"
    if prompt_name is not None:
        where += f" AND prompt_name = {bound.bind(prompt_name)}"
    if versions is not None:
        where += f" AND version_tag IN ({bound.bind_all(versions or [''])})"
    usage = db.query(
        f"SELECT prompt_name, version_tag, {_sums_of(_SUMS)} FROM usage_rollup"
        f" WHERE {where} GROUP BY 1, 2 HAVING sum(calls) > 0",
        bound.values,
    )
    latency: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for prompt, version, bucket, calls in db.query(
        f"SELECT prompt_name, version_tag, bucket, {_sums_of(['calls'])} FROM latency_rollup"
        f" WHERE {where} GROUP BY 1, 2, 3 HAVING sum(calls) > 0 ORDER BY 1, 2, 3",
        bound.values,
    ):
        latency.setdefault((prompt, version), []).append((bucket, calls))
    scores: dict[tuple[str, str], _Means] = {}
    for prompt, version, name, of_suite, number, total in db.query(
        f"SELECT prompt_name, version_tag, name, of_suite, {_sums_of(['scores', 'total'])}"
        f" FROM score_rollup WHERE {where} GROUP BY 1, 2, 3, 4 HAVING sum(scores) > 0"
        " ORDER BY 1, 2, 3",
        bound.values,
    ):
        means = scores.setdefault((prompt, version), _Means({}, {}))
        mean = Mean(number, total / number / MILLION)
        (means.by_suite if of_suite else means.by_name)[name] = mean
    sums = {(row[0], row[1]): row[2:] for row in usage}
    return [
        _row_of(key, sums.get(key, (0,) * 7), latency.get(key, []), scores.get(key, _Means({}, {})))
        for key in sorted(sums.keys() | scores.keys())
    ]


class _Means(NamedTuple):
    """The scores of a prompt version."""

    by_suite: dict[str, Mean]
    by_name: dict[str, Mean]


def _sums_of(columns: Sequence[str]) -> str:
    """Sums as integers: an engine may make something wider of them."""
    return ", ".join(f"CAST(sum({column}) AS BIGINT)" for column in columns)


def _row_of(
    key: tuple[str, str],
    sums: Sequence[int],
    latency: list[tuple[int, int]],
    means: _Means,
) -> VersionStatistics:
    calls, errors, tokens_in, tokens_out, tokens_cached, cost, unpriced = sums
    suites = means.by_suite
    return VersionStatistics(
        prompt_name=key[0] or None,
        version_tag=key[1] or None,
        calls=calls,
        errors=errors,
        error_rate=errors / calls if calls else 0.0,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_cached=tokens_cached,
        cost_usd=cost / NANO if calls > unpriced else None,
        unpriced=unpriced,
        latency_p50_ms=percentile(latency, 0.5),
        latency_p95_ms=percentile(latency, 0.95),
        scores=sum(each.scores for each in suites.values()),
        mean_score=next(iter(suites.values())).mean if len(suites) == 1 else None,
        scores_by_suite={name: each._asdict() for name, each in suites.items()},
        scores_by_name={name: each._asdict() for name, each in means.by_name.items()},
    )


def rebuild(db: Connection, *, since: int = 0) -> None:
    """Make the rollups again from the rows since a Unix time, rounded up to a whole hour: what
    retention has removed stays counted."""
    hour = -(-since // HOUR)
    for table in ("usage_rollup", "latency_rollup", "score_rollup"):
        db.execute(f"DELETE FROM {table} WHERE hour >= $1", (hour,))
    for chunk in _chunks(_logged(db, hour * HOUR)):
        add(db, chunk)
    for chunk in _chunks(_traced(db, hour * HOUR)):
        add(db, chunk)
    add_scores(
        db,
        [
            CountedScore(*row)
            for row in db.query(
                f"SELECT {SCORED} FROM score WHERE number IS NOT NULL AND created_at >= $1",
                (hour * HOUR,),
            )
        ],
    )


def _chunks(usages: Iterator[Usage], size: int = 10_000) -> Iterator[list[Usage]]:
    chunk: list[Usage] = []
    for usage in usages:
        chunk.append(usage)
        if len(chunk) == size:
            yield chunk
            chunk = []
    yield chunk


LOGGED = (
    "workspace, prompt_name, version_tag, created_at, status, tokens_in, tokens_out,"
    " tokens_cached, cost_nano, latency_ms"
)


SCORED = (  # the columns of a CountedScore
    "workspace, coalesce(prompt_name, ''), coalesce(version_tag, ''), created_at / 3600, name,"
    " CASE WHEN suite IS NULL THEN 0 ELSE 1 END, number"
)


def of_log(row: Sequence[Any]) -> Usage:
    """The usage of a log, from the columns LOGGED."""
    workspace, prompt, version, created_at, status, tokens_in, tokens_out, cached, cost, ms = row
    return Usage(
        workspace,
        prompt,
        version,
        created_at // HOUR,
        int(status == "error"),
        tokens_in or 0,
        tokens_out or 0,
        cached or 0,
        cost,
        ms,
    )


def _logged(db: Connection, since: int) -> Iterator[Usage]:
    for row in db.stream(f"SELECT {LOGGED} FROM log WHERE created_at >= $1", (since,)):
        yield of_log(row)


TRACED = (
    "trace.workspace, trace.prompt_name, trace.version_tag, span.created_at, span.status,"
    " span.start_time, span.end_time, span.facts, span.metadata"
)
SPANS = "span JOIN trace ON trace.workspace = span.workspace AND trace.id = span.trace"
COUNTED = "span.counted = 1"  # no log has told of its call


def of_traced(row: Sequence[Any]) -> ModelCall | None:
    """The call that a span tells of, from the columns TRACED; None if it is no LLM's."""
    workspace, prompt, version, created_at, status, start, end, stored, metadata = row
    facts = facts_of_row(stored, metadata)
    usage = usage_of_span(
        facts,
        workspace=workspace,
        prompt_name=prompt,
        version_tag=version,
        created_at=created_at,
        status=status,
        start_time=start,
        end_time=end,
        cost_nano=None if facts.cost_usd is None else nano(facts.cost_usd),
    )
    if usage is None:
        return None
    return ModelCall(facts.provider, facts.model, facts.cost_usd, usage)


def facts_of_row(stored: str | None, metadata: str | None) -> SpanFacts:
    """What a span is, as it was recognised when it came. Before that was kept, it is read anew."""
    if stored is not None:
        return SpanFacts(**json.loads(stored))
    return read_span(json.loads(metadata)) if metadata else PLAIN


def _traced(db: Connection, since: int) -> Iterator[Usage]:
    spans = db.stream(
        f"SELECT {TRACED} FROM {SPANS}"
        f" WHERE span.metadata IS NOT NULL AND span.created_at >= $1 AND {COUNTED}",
        (since,),
    )
    for row in spans:
        call = of_traced(row)
        if call is not None:
            yield call.usage
