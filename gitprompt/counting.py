# SPDX-License-Identifier: Apache-2.0
"""Telemetry → metrics: each row counts once, when it was really stored, after its commit.

What a retry sends again was stored already and counts as a duplicate. A call that was both logged
and traced (same trace and span) counts once, with the most that either says it used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gitprompt import log
from gitprompt.clock import Clock
from gitprompt.core.telemetry.usage import ModelCall, SpanFacts, Usage
from gitprompt.metrics import OTHER, Calls, Metrics, SidecarMetrics, Status
from gitprompt.store.database import Database
from gitprompt.store.group_commit import Job
from gitprompt.store.tables import logs, runs
from gitprompt.store.tables.logs import LogInsertion, RecentModels, StoredLog
from gitprompt.store.tables.points import NewPoints
from gitprompt.store.tables.runs import ChangedRun, RunDeletion, RunInsertion, Running, RunUpdate
from gitprompt.store.tables.scores import NewScores, ResultInsertion, StoredResult, StoredScore
from gitprompt.store.tables.suites import RecentSuites
from gitprompt.store.tables.traces import (
    EnsuredTrace,
    NewSpans,
    RecentSpans,
    SpanRow,
    StoredSpans,
    TraceInsertion,
)

KINDS = ("log", "trace", "span", "run", "run_change", "result", "score", "metric")
RESULTS = ("stored", "duplicate", "rejected", "failed")
_LATELY = 1_000  # rows of the database whose labels are known from the start
_MAX_RUNNING = 100_000  # runs


class _Batch:
    """What one transaction stored: what went alike is counted together."""

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self._calls: dict[tuple[object, ...], tuple[str | None, str | None, Calls]] = {}
        self._stages: dict[tuple[str, str, bool], list[float | None]] = {}

    def call(
        self,
        provider: str | None,
        model: str | None,
        cost: float | None,
        usage: Usage,
        trace_id: str | None,
    ) -> None:
        """A call of a model; its arguments are a `ModelCall`."""
        failed = usage.errors > 0
        used = usage.tokens_in > 0 or usage.tokens_out > 0
        key = provider, model, failed, used, cost is None
        entry = self._calls.get(key)
        if entry is None:
            calls = Calls(failed, cost=None if cost is None else 0.0)
            self._calls[key] = provider, model, calls
        else:
            calls = entry[2]
        calls.number += 1
        calls.input += _uncached(usage)
        calls.output += usage.tokens_out
        calls.cached += usage.tokens_cached
        if usage.latency_ms is not None:
            calls.seconds.append((usage.latency_ms / 1000, trace_id))
        if cost is not None:
            calls.cost = (calls.cost or 0.0) + cost

    def stage(self, name: str, type: str, failed: bool, seconds: float | None) -> None:
        self._stages.setdefault((name, type, failed), []).append(seconds)

    def flush(self, metrics: SidecarMetrics) -> None:
        for provider, model, calls in self._calls.values():
            metrics.record_provider_calls(provider, model, calls)
        for (name, type, failed), seconds in self._stages.items():
            metrics.record_stages(name, type, seconds, failed=failed)
        for (kind, result), number in self.events.items():
            metrics.record_ingest(kind, result, number)


class Counting:
    """What the writer of telemetry calls after each transaction."""

    def __init__(self, metrics: SidecarMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        for kind in KINDS:
            for result in RESULTS:
                metrics.record_ingest(kind, result, 0)

    def __call__(self, jobs: Sequence[Job], outcomes: Sequence[Any], seconds: float) -> None:
        """Never raises: what is stored is stored, counted or not."""
        try:
            self._metrics.record_commit(seconds)
            batch = _Batch()
            for job, outcome in zip(jobs, outcomes, strict=True):
                count = _COUNTS.get(type(job.command))
                if count is not None and not isinstance(outcome, Exception):
                    count(self._metrics, batch, job.command, outcome)
            batch.flush(self._metrics)
        except Exception:
            log.error("metrics could not be counted", exc_info=True)

    def recall(self, database: Database) -> None:
        """At the start: the runs that are running, and the series of recent ones at 0, so that the
        first failure after a restart is an increase."""
        metrics, now = self._metrics, self._clock()
        metrics.replace_pipelines(ages_of(database.read_now(running(metrics, now)), now))
        for suite in database.read_now(RecentSuites(_LATELY)):
            metrics.know_suite(suite)
        for provider, model in database.read_now(RecentModels(_LATELY)):
            metrics.know_model(provider, model)
        for name, facts in database.read_now(RecentSpans(_LATELY)):
            if facts.kind == "llm":
                metrics.know_model(facts.provider, facts.model)
            elif facts.kind == "tool":
                metrics.know_tool(facts.name or name)
            elif facts.kind == "validator":
                metrics.know_validator(facts.name or name, facts.type or OTHER)
            else:
                metrics.know_stage(name, facts.type or OTHER)


def running(metrics: Metrics, now: int) -> Running:
    """The question for the runs that count as active."""
    return Running(now - round(metrics.run_expiry), _MAX_RUNNING)


def ages_of(rows: Iterable[Sequence[Any]], now: int) -> dict[str, float]:
    """The seconds since each of the runs began, oldest first."""
    return {
        _run_key(workspace, run_id): float(now - came)
        for workspace, run_id, came in reversed([*rows])
    }


def _result(is_new: bool) -> str:
    return "stored" if is_new else "duplicate"


def _count_log(metrics: Metrics, batch: _Batch, item: LogInsertion, stored: StoredLog) -> None:
    batch.events["log", _result(stored.is_new)] += 1
    if not stored.is_new:
        return
    row = item.row
    call = logs.call_of_log(row.provider, row.model, item.usage)
    if stored.spanned is None:
        batch.call(*call, row.trace_id)
    else:
        _top_up(metrics, stored.spanned, call, row.trace_id)


def _top_up(metrics: Metrics, counted: ModelCall, more: ModelCall, trace_id: str | None) -> None:
    """Count what the second to tell of a call says beyond the first, under the names of the first:
    the greater number of tokens, the cost if one sent it, the duration if it was missing."""
    usage, later = counted.usage, more.usage
    input = max(_uncached(usage), _uncached(later))
    output = max(usage.tokens_out, later.tokens_out)
    cached = max(usage.tokens_cached, later.tokens_cached)
    provider, model = counted.provider, counted.model
    already, costs = counted.cost_usd, more.cost_usd
    calls = Calls(
        usage.errors > 0,
        input=input - _uncached(usage),
        output=output - usage.tokens_out,
        cached=cached - usage.tokens_cached,
        cost=max((costs or 0.0) - (already or 0.0), 0.0),
    )
    if usage.latency_ms is None and later.latency_ms is not None:
        calls.seconds.append((later.latency_ms / 1000, trace_id))
    metrics.record_provider_calls(provider, model, calls)


def _uncached(usage: Usage) -> int:
    """Input tokens that no cache has answered."""
    return max(usage.tokens_in - usage.tokens_cached, 0)


def _count_spans(metrics: Metrics, batch: _Batch, item: NewSpans, stored: StoredSpans) -> None:
    new = stored.item
    batch.events["span", "stored"] += len(new.spans)
    batch.events["span", "duplicate"] += len(item.spans) - len(new.spans)
    for row, usage, facts, ends in new.spans:
        if ends and row.end_time is None:
            continue  # it is still open, and comes again
        if usage is not None:
            call = facts.provider, facts.model, facts.cost_usd, usage
            if row.span_id in stored.logged:
                _top_up(metrics, stored.logged[row.span_id], ModelCall(*call), new.trace_id)
            else:
                batch.call(*call, new.trace_id)
            continue
        seconds = None
        if row.start_time is not None and row.end_time is not None:
            seconds = (row.end_time - row.start_time) / 1000
        if facts.kind == "other":
            batch.stage(row.name, facts.type or OTHER, row.status == "error", seconds)
        else:
            _count_span(metrics, new.trace_id, row, facts, seconds)


def _count_span(
    metrics: Metrics, trace_id: str, row: SpanRow, facts: SpanFacts, seconds: float | None
) -> None:
    """The span of a tool or a validator."""
    name, failed = facts.name or row.name, row.status == "error"
    if facts.kind == "tool":
        status: Status = "error" if failed else "success"
        metrics.record_tool_call(name, status, seconds, trace_id=trace_id)
    else:
        passed = facts.passed and not failed
        metrics.record_validation(
            name, facts.type or OTHER, "passed" if passed else "failed", seconds
        )


def _count_trace(metrics: Metrics, batch: _Batch, item: TraceInsertion, is_new: bool) -> None:
    batch.events["trace", _result(is_new)] += 1


def _count_ensured(metrics: Metrics, batch: _Batch, item: EnsuredTrace, is_new: bool) -> None:
    if is_new:  # an exporter names its trace in every request
        batch.events["trace", "stored"] += 1


def _run_key(workspace: str, run_id: str) -> str:
    return f"{workspace}\0{run_id}"


def _count_run(metrics: Metrics, batch: _Batch, item: RunInsertion, is_new: bool) -> None:
    batch.events["run", _result(is_new)] += 1
    if is_new:
        row = item.row
        ended = row.status in runs.FINISHED
        run = ChangedRun(row.status, row.start_time, row.end_time, row.trace_id, ended)
        _follow(metrics, _run_key(row.workspace, row.run_id), run)


def _count_change(metrics: Metrics, batch: _Batch, item: RunUpdate, run: ChangedRun) -> None:
    batch.events["run_change", "stored"] += 1
    _follow(metrics, _run_key(item.workspace, item.run_id), run)


def _follow(metrics: Metrics, key: str, run: ChangedRun) -> None:
    """A run is running now, or has just ended, or had ended before."""
    if run.status not in runs.FINISHED:
        metrics.record_pipeline_start(key)
    elif run.ends_first and run.end_time is not None:
        status: Status = "success" if run.status == "completed" else "error"
        seconds = (run.end_time - run.start_time) / 1000
        metrics.record_pipeline_end(status, seconds, key, trace_id=run.trace_id)
    else:
        metrics.forget_pipeline(key)


def _forget_run(metrics: Metrics, batch: _Batch, item: RunDeletion, _: None) -> None:
    metrics.forget_pipeline(_run_key(item.workspace, item.run_id))


def _count_result(
    metrics: Metrics, batch: _Batch, item: ResultInsertion, stored: StoredResult
) -> None:
    batch.events["result", _result(stored.is_new)] += 1
    if stored.is_new:
        score, least = item.row.number, item.min_score
        passed = None if score is None or least is None else score >= least
        metrics.record_eval(item.row.name, score, passed)


def _count_scores(
    metrics: Metrics, batch: _Batch, item: NewScores, stored: Sequence[StoredScore]
) -> None:
    for score in stored:
        batch.events["score", _result(score.is_new)] += 1


def _count_points(metrics: Metrics, batch: _Batch, item: NewPoints, number: int) -> None:
    batch.events["metric", "stored"] += number


_COUNTS: dict[type, Callable[[Metrics, _Batch, Any, Any], None]] = {
    LogInsertion: _count_log,
    TraceInsertion: _count_trace,
    EnsuredTrace: _count_ensured,
    NewSpans: _count_spans,
    RunInsertion: _count_run,
    RunUpdate: _count_change,
    RunDeletion: _forget_run,
    ResultInsertion: _count_result,
    NewScores: _count_scores,
    NewPoints: _count_points,
}
