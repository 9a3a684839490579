# SPDX-License-Identifier: Apache-2.0
"""Telemetry → metrics: each row counts once, when it was really stored, after its commit.

What a retry sends again was stored already and counts as a duplicate. A call that was both logged
and traced (same trace and span) counts once, with the most that either says it used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from gitprompt import log
from gitprompt.clock import now_ms
from gitprompt.core.usage import NANO, Told, Usage
from gitprompt.metrics import Calls, Metrics
from gitprompt.store import logs, metrics, results, runs, traces
from gitprompt.store.logs import LogRow, NewLog, StoredLog
from gitprompt.store.metrics import NewPoints
from gitprompt.store.results import NewResult, StoredResult
from gitprompt.store.runs import ChangedRun, NewRun, RunChange, RunDeletion, RunRow
from gitprompt.store.telemetry import Telemetry
from gitprompt.store.traces import NewSpans, NewTrace, SpanRow, StoredSpans
from gitprompt.store.writer import Apply, Job

KINDS = ("log", "trace", "span", "run", "run_change", "result", "metric")
RESULTS = ("stored", "duplicate", "rejected", "failed")
_LATELY = 1_000  # rows of the database whose labels are known from the start
_MAX_RUNNING = 100_000  # runs
_PLAIN = Told("other")


class _Batch:
    """What one transaction stored: what went alike is counted together."""

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self._calls: dict[tuple[str | None, str | None, bool, bool], Calls] = {}
        self._stages: dict[tuple[str, str, bool], list[float | None]] = {}

    def call(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        seconds: float | None,
        cost: float | None,
        trace_id: str | None,
    ) -> None:
        """A call of a model."""
        failed = usage.errors > 0
        key = provider, model, failed, cost is None
        calls = self._calls.get(key)
        if calls is None:
            calls = self._calls[key] = Calls(failed, cost=None if cost is None else 0.0)
        calls.number += 1
        calls.input += max(usage.tokens_in - usage.tokens_cached, 0)
        calls.output += usage.tokens_out
        calls.cached += usage.tokens_cached
        calls.trace_id = trace_id
        if seconds is not None:
            calls.seconds.append(seconds)
        if cost is not None:
            calls.cost = (calls.cost or 0.0) + cost

    def stage(self, name: str, type: str, failed: bool, seconds: float | None) -> None:
        self._stages.setdefault((name, type, failed), []).append(seconds)

    def flush(self, metrics: Metrics) -> None:
        for (provider, model, _, _), calls in self._calls.items():
            metrics.record_provider_calls(provider, model, calls)
        for (name, type, failed), seconds in self._stages.items():
            metrics.record_stages(name, type, seconds, failed=failed)
        for (kind, result), number in self.events.items():
            metrics.record_ingest(kind, result, number)


class Counting:
    """What the writer of telemetry calls after each transaction."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for kind in KINDS:
            for result in RESULTS:
                metrics.record_ingest(kind, result, 0)

    def __call__(self, jobs: Sequence[Job], outcomes: Sequence[Any], seconds: float) -> None:
        """Never raises: what is stored is stored, counted or not."""
        try:
            self._metrics.record_commit(seconds)
            batch = _Batch()
            for job, outcome in zip(jobs, outcomes, strict=True):
                count = _COUNTS.get(job.apply)
                if count is not None and not isinstance(outcome, Exception):
                    count(self._metrics, batch, job.item, outcome)
            batch.flush(self._metrics)
        except Exception:
            log.error("metrics could not be counted", exc_info=True)

    def recall(self, telemetry: Telemetry) -> None:
        """At the start: the runs that are running, and the series of lately at 0, so that the first
        failure after a restart is an increase."""
        now = now_ms()
        since = now - round(self._metrics.run_expiry * 1000)
        for workspace, run_id, start in telemetry.read_now(runs.running, since, _MAX_RUNNING):
            age = max(now - start, 0) / 1000
            self._metrics.record_pipeline_start(_run(workspace, run_id), age=age)
        for provider, model in telemetry.read_now(logs.lately, _LATELY):
            self._metrics.know("llm", provider, model)
        for name, told in telemetry.read_now(traces.lately, _LATELY):
            if told.kind == "llm":
                self._metrics.know("llm", told.provider, told.model)
            else:
                kind = "stage" if told.kind == "other" else told.kind
                self._metrics.know(kind, told.name or name, told.type or "other")


def _result(is_new: bool) -> str:
    return "stored" if is_new else "duplicate"


def _log(metrics: Metrics, batch: _Batch, item: NewLog, stored: StoredLog) -> None:
    batch.events["log", _result(stored.is_new)] += 1
    if not stored.is_new:
        return
    row, usage = item.row, item.usage
    if stored.spanned is not None:
        _top_up(metrics, row, usage, stored.spanned)
        return
    seconds = None if row.latency_ms is None else row.latency_ms / 1000
    batch.call(row.provider, row.model, usage, seconds, row.cost_usd, row.trace_id)


def _top_up(metrics: Metrics, row: LogRow, said: Usage, spanned: Usage) -> None:
    """Count what a log says beyond the span that has counted the call."""
    metrics.add_to_provider_call(
        row.provider,
        row.model,
        input=max(
            said.tokens_in - said.tokens_cached - spanned.tokens_in + spanned.tokens_cached, 0
        ),
        output=max(said.tokens_out - spanned.tokens_out, 0),
        cached=max(said.tokens_cached - spanned.tokens_cached, 0),
        cost=max(said.cost_nano - spanned.cost_nano, 0) / NANO,
    )


def _spans(metrics: Metrics, batch: _Batch, item: NewSpans, stored: StoredSpans) -> None:
    new = stored.item
    batch.events["span", "stored"] += len(new.spans)
    batch.events["span", "duplicate"] += len(item.spans) - len(new.spans)
    for span, usage, told in zip_longest(new.spans, new.usages, new.told):
        if span.span_id in stored.logged:
            continue
        seconds = None
        if span.start_time is not None and span.end_time is not None:
            seconds = (span.end_time - span.start_time) / 1000
        if usage is not None and told is not None:
            batch.call(told.provider, told.model, usage, seconds, told.cost_usd, new.trace_id)
        else:
            _span(metrics, batch, new.trace_id, span, told or _PLAIN, seconds)


def _span(
    metrics: Metrics, batch: _Batch, trace_id: str, span: SpanRow, told: Told, seconds: float | None
) -> None:
    """A span that is no call of a model."""
    failed = span.status == "error"
    if told.kind == "tool":
        status = "error" if failed else "success"
        metrics.record_tool_call(told.name or span.name, status, seconds, trace_id=trace_id)
    elif told.kind == "validator":
        status = "passed" if told.passed and not failed else "failed"
        metrics.record_validation(told.name or span.name, told.type or "other", status, seconds)
    else:
        batch.stage(span.name, told.type or "other", failed, seconds)


def _trace(metrics: Metrics, batch: _Batch, item: NewTrace, is_new: bool) -> None:
    batch.events["trace", _result(is_new)] += 1


def _ensured(metrics: Metrics, batch: _Batch, item: NewTrace, is_new: bool) -> None:
    if is_new:  # an exporter names its trace in every request
        batch.events["trace", "stored"] += 1


def _run(workspace: str, run_id: str) -> str:
    return f"{workspace}\0{run_id}"


def _new_run(metrics: Metrics, batch: _Batch, item: NewRun, is_new: bool) -> None:
    batch.events["run", _result(is_new)] += 1
    if is_new:
        _now(metrics, item.row, has_ended=item.row.status in runs.FINISHED)


def _changed_run(metrics: Metrics, batch: _Batch, item: RunChange, changed: ChangedRun) -> None:
    batch.events["run_change", "stored"] += 1
    _now(metrics, changed.row, has_ended=changed.has_ended)


def _now(metrics: Metrics, row: RunRow, *, has_ended: bool) -> None:
    """How a run is now: running, ended by this, or ended before."""
    key = _run(row.workspace, row.run_id)
    if row.status not in runs.FINISHED:
        metrics.record_pipeline_start(key)
    elif has_ended and row.end_time is not None:
        seconds = (row.end_time - row.start_time) / 1000
        metrics.record_pipeline_end(row.status, seconds, key, trace_id=row.trace_id)
    else:
        metrics.forget_pipeline(key)


def _deleted_run(metrics: Metrics, batch: _Batch, item: RunDeletion, _: None) -> None:
    metrics.forget_pipeline(_run(item.workspace, item.run_id))


def _eval(metrics: Metrics, batch: _Batch, item: NewResult, stored: StoredResult) -> None:
    batch.events["result", _result(stored.is_new)] += 1
    if stored.is_new:
        score, least = item.row.score, item.min_score
        passed = None if score is None or least is None else score >= least
        metrics.record_eval(item.suite_name, score, passed)


def _points(metrics: Metrics, batch: _Batch, item: NewPoints, number: int) -> None:
    batch.events["metric", "stored"] += number


_COUNTS: dict[Apply, Callable[[Metrics, _Batch, Any, Any], None]] = {
    logs.insert: _log,
    traces.insert_traces: _trace,
    traces.ensure: _ensured,
    traces.insert_spans: _spans,
    runs.insert: _new_run,
    runs.change: _changed_run,
    runs.delete: _deleted_run,
    results.insert: _eval,
    metrics.insert: _points,
}
