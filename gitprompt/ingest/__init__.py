# SPDX-License-Identifier: Apache-2.0
"""Telemetry in: what a client sends becomes rows, with its audit row and its usage.

Every function returns when its rows are on disk. Ids make a retry harmless: the same content again
is no second row and no error, other content is a Conflict.
"""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from gitprompt.clock import Clock
from gitprompt.core.telemetry.numbers import NANO
from gitprompt.core.telemetry.prices import PriceTable, cost_nano
from gitprompt.core.telemetry.usage import PLAIN, SpanFacts, read_span, usage_of_span
from gitprompt.errors import Conflict, Invalid
from gitprompt.store.database import Database
from gitprompt.store.tables import rollups, runs
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.logs import LogInsertion, LogRow
from gitprompt.store.tables.points import NewPoints, PointRow
from gitprompt.store.tables.runs import RunDeletion, RunInsertion, RunRow, RunUpdate
from gitprompt.store.tables.scores import (
    NewScores,
    ResultInsertion,
    ScoreDeletion,
    ScoreRow,
    StoredScore,
)
from gitprompt.store.tables.traces import (
    CountedSpan,
    EnsuredTrace,
    NewSpans,
    SpanRow,
    TraceDeletion,
    TraceInsertion,
    TraceRow,
)


class SentSpan(NamedTuple):
    """A span as a client sends it. `document` is its metadata in JSON; `facts` is what it is, None: its
    metadata says so in our own words, or in those of any dialect. `timestamp` is when it happened, in Unix
    seconds; 0: when it comes."""

    span_id: str | None
    parent_id: str | None
    name: str
    status: str
    start_time: int | None
    end_time: int | None
    metadata: Mapping[str, Any] | None
    document: str | None
    facts: SpanFacts | None = None
    timestamp: int = 0


class RefusedSpan(NamedTuple):
    span_id: str | None
    why: str


class About(NamedTuple):
    """What a trace is about; `tags`, `input` and `output` are JSON."""

    name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: str | None = None
    input: str | None = None
    output: str | None = None


NOTHING = About()


class RunAbout(NamedTuple):
    """What a run is about; `tags` are JSON."""

    session_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: str | None = None


NOTHING_OF_A_RUN = RunAbout()


class ExportedTrace(Protocol):
    """The spans of one trace in an export, and the prompt version that one of them names."""

    @property
    def trace_id(self) -> str: ...
    @property
    def prompt_name(self) -> str | None: ...
    @property
    def version_tag(self) -> str | None: ...
    @property
    def about(self) -> About: ...
    @property
    def spans(self) -> Sequence[SentSpan]: ...


_RANDOM = random.Random(os.urandom(32))  # noqa: S311 - ids need be unique, not secret


def new_id() -> str:
    """A random UUID, without a system call for each."""
    return str(uuid.UUID(int=_RANDOM.getrandbits(128), version=4))


def new_span_id() -> str:
    """A span's id as OpenTelemetry has it: 16 hexadecimal digits."""
    return f"{_RANDOM.getrandbits(64):016x}"


_AHEAD = 86_400  # seconds that a clock may be ahead of ours
TOO_EARLY = "timestamp: it is more than 24 hours ahead"


class Ingest:
    """The use cases of telemetry, on one durable database."""

    def __init__(self, database: Database, clock: Clock, prices: PriceTable | None = None) -> None:
        """`prices` are for the calls that come without a cost."""
        self._prices = prices
        self.database = database
        self._clock = clock

    async def log(self, actor: Actor, row: LogRow) -> int:
        """Store the log of a call; returns its id. `row.created_at` is when it happened, 0: now; what it
        cost is set here."""
        now = self._clock()
        at = self._when(row.created_at, now)
        cost = cost_nano(
            self._prices, row.cost_usd, row.provider, row.model, failed=row.status == "error",
            tokens_in=row.tokens_in or 0, tokens_out=row.tokens_out or 0,
            tokens_cached=row.tokens_cached or 0,
        )  # fmt: skip
        row = row._replace(created_at=at, cost_nano=cost)
        usage = rollups.of_log(
            (row.workspace, row.prompt_name, row.version_tag, at, row.status, row.tokens_in,
             row.tokens_out, row.tokens_cached, cost, row.latency_ms)
        )  # fmt: skip
        entry = actor.did(
            "log:create", now, prompt_name=row.prompt_name, version_tag=row.version_tag,
            target_id=row.log_id,
        )  # fmt: skip
        stored = await self.database.write(LogInsertion(row, usage, entry))
        return stored.id

    async def trace(
        self,
        actor: Actor,
        *,
        trace_id: str | None,
        prompt_name: str | None,
        version_tag: str | None,
        metadata: str | None,
        timestamp: int = 0,
        about: About = NOTHING,
    ) -> str:
        """Store a trace; returns its id, made where none is given. `timestamp`: when it began, in Unix
        seconds; 0: now."""
        trace_id = trace_id or new_id()
        insertion = self.new_trace(
            actor, trace_id, prompt_name, version_tag, metadata, timestamp, about
        )
        await self.database.write(insertion)
        return trace_id

    def new_trace(
        self,
        actor: Actor,
        trace_id: str,
        prompt_name: str | None,
        version_tag: str | None,
        metadata: str | None,
        timestamp: int,
        about: About,
    ) -> TraceInsertion:
        """Raises Invalid for what is yet to come."""
        now = self._clock()
        at = self._when(timestamp, now)
        entry = actor.did(
            "trace:create", now, prompt_name=prompt_name, version_tag=version_tag,
            target_id=trace_id,
        )  # fmt: skip
        row = TraceRow(actor.workspace, trace_id, prompt_name, version_tag, metadata, at, *about)
        return TraceInsertion(row, entry)

    async def spans(self, actor: Actor, trace_id: str, spans: Sequence[SentSpan]) -> list[str]:
        """Store spans of a trace that exists, all or none; returns their ids."""
        item = self.new_spans(actor, trace_id, spans)
        await self.database.write(item)
        return [span.row.span_id for span in item.spans]

    def new_spans(self, actor: Actor, trace_id: str, spans: Sequence[SentSpan]) -> NewSpans:
        """Raises Invalid for what is yet to come."""
        now = self._clock()
        counted = [
            _new_span(actor.workspace, span, self._when(span.timestamp, now), self._prices)
            for span in spans
        ]
        entry = actor.did("span:create", now, target_id=trace_id)
        return NewSpans(actor.workspace, trace_id, counted, entry)

    async def export(self, actor: Actor, traces: Sequence[ExportedTrace]) -> list[str]:
        """Store the traces of an export, which may be there already, with their spans: all of it in one
        group of the writer. Returns why spans were refused, a sentence each."""
        latest = self.latest
        taken = [[span for span in trace.spans if span.timestamp <= latest] for trace in traces]
        number = sum(len(trace.spans) for trace in traces) - sum(map(len, taken))
        refused = [TOO_EARLY] * number
        named = [
            self.database.submit(EnsuredTrace(*self._exported(actor, trace, spans)))
            for trace, spans in zip(traces, taken, strict=True)
            if spans or not trace.spans
        ]
        pairs = [(trace, spans) for trace, spans in zip(traces, taken, strict=True) if spans]
        stored = [
            self.database.submit(self.new_spans(actor, trace.trace_id, spans))
            for trace, spans in pairs
        ]
        outcomes = await asyncio.gather(*named, *stored, return_exceptions=True)
        for (trace, spans), outcome in zip(pairs, outcomes[len(named) :], strict=True):
            if isinstance(outcome, Conflict):
                refused += await self._each(actor, trace.trace_id, spans, outcome)
        failed = (each for each in outcomes if isinstance(each, BaseException))
        for error in failed:
            if not isinstance(error, Conflict):
                raise error
        return refused

    def _exported(
        self, actor: Actor, trace: ExportedTrace, spans: Sequence[SentSpan]
    ) -> TraceInsertion:
        began = min((span.timestamp for span in spans), default=0)
        return self.new_trace(
            actor, trace.trace_id, trace.prompt_name, trace.version_tag, None, began, trace.about
        )

    async def _each(
        self, actor: Actor, trace_id: str, spans: Sequence[SentSpan], conflict: Conflict
    ) -> list[str]:
        """Store spans one by one, since one contradicts what is there; why some cannot be."""
        if len(spans) == 1:
            return [conflict.message]
        _, refused = await self.one_by_one(actor, trace_id, spans)
        return [span.why for span in refused]

    async def one_by_one(
        self, actor: Actor, trace_id: str, spans: Sequence[SentSpan]
    ) -> tuple[int, list[RefusedSpan]]:
        """Store those of the spans that contradict nothing; how many were new."""
        stored, refused = 0, []
        for span in spans:
            try:
                new = await self.database.write(self.new_spans(actor, trace_id, [span]))
                stored += len(new.item.spans)
            except Conflict as error:
                refused.append(RefusedSpan(span.span_id, error.message))
        return stored, refused

    @property
    def latest(self) -> int:
        """Nothing happens later than that, in Unix seconds: clocks differ, but not by so much."""
        return self._clock() + _AHEAD

    def _when(self, timestamp: int, now: int) -> int:
        """When something happened; 0 is now. Raises Invalid for what is yet to come."""
        if timestamp > now + _AHEAD:
            raise Invalid(TOO_EARLY)
        return timestamp or now

    async def delete_trace(self, actor: Actor, trace_id: str) -> None:
        entry = actor.did("trace:delete", self._clock(), target_id=trace_id)
        await self.database.write(TraceDeletion(actor.workspace, trace_id, entry))

    async def run(
        self,
        actor: Actor,
        *,
        run_id: str | None,
        workflow_name: str,
        status: str,
        input: str | None,
        output: str | None,
        trace_id: str | None,
        metadata: str | None,
        start_time: int | None,
        end_time: int | None,
        now_ms: int,
        timestamp: int = 0,
        about: RunAbout = NOTHING_OF_A_RUN,
    ) -> str:
        """Store a run; returns its id. Times in milliseconds; the server's where none is given."""
        now = self._clock()
        at = self._when(timestamp, now)
        if timestamp:
            now_ms = at * 1000
        run_id = run_id or new_id()
        finished = status in runs.FINISHED
        row = RunRow(
            workspace=actor.workspace,
            run_id=run_id,
            workflow_name=workflow_name,
            status=status,
            input=input,
            output=output,
            trace_id=trace_id,
            metadata=metadata,
            start_time=start_time if start_time is not None else now_ms,
            end_time=end_time if end_time is not None else now_ms if finished else None,
            created_at=at,
            updated_at=now,
            **about._asdict(),
        )
        timed = start_time is not None
        entry = actor.did("run:create", now, target_id=run_id)
        await self.database.write(RunInsertion(row, timed, entry))
        return run_id

    async def change_run(
        self,
        actor: Actor,
        run_id: str,
        *,
        status: str | None,
        output: str | None,
        metadata: str | None,
        end_time: int | None,
        now_ms: int,
    ) -> None:
        now = self._clock()
        entry = actor.did("run:update", now, target_id=run_id)
        ended = end_time if end_time is not None else now_ms
        change = RunUpdate(actor.workspace, run_id, status, output, metadata, ended, now, entry)
        await self.database.write(change)

    async def delete_run(self, actor: Actor, run_id: str) -> None:
        entry = actor.did("run:delete", self._clock(), target_id=run_id)
        await self.database.write(RunDeletion(actor.workspace, run_id, entry))

    async def result(
        self, actor: Actor, row: ScoreRow, *, min_score: float | None
    ) -> tuple[int, int]:
        """Store the result of an evaluation; returns its id and when it was first stored."""
        now = self._clock()
        entry = actor.did(
            "result:create", now, prompt_name=row.prompt_name, version_tag=row.version_tag,
            target_id=str(row.suite),
        )  # fmt: skip
        row = row._replace(created_at=self._when(row.created_at, now))
        stored = await self.database.write(ResultInsertion(row, entry, min_score))
        return stored.id, stored.created_at

    async def scores(self, actor: Actor, scores: Sequence[ScoreRow]) -> Sequence[StoredScore]:
        """Store scores of no suite, all or none; returns each as it is now. One without an id gets one; one
        with the id of another takes its place."""
        now = self._clock()
        for row in scores:
            self._when(row.created_at, now)
        rows = [row._replace(score_id=row.score_id or new_id()) for row in scores]
        entry = actor.did("score:create", now, target_id=rows[0].score_id)
        return await self.database.write(NewScores(rows, now, entry))

    async def export_scores(self, actor: Actor, scores: Sequence[ScoreRow]) -> list[str]:
        """Store the scores of an export; returns why some were refused, a sentence each."""
        latest = self.latest
        taken = [row for row in scores if row.created_at <= latest]
        if taken:
            await self.scores(actor, taken)
        return [TOO_EARLY] * (len(scores) - len(taken))

    async def delete_score(self, actor: Actor, score_id: str) -> None:
        entry = actor.did("score:delete", self._clock(), target_id=score_id)
        await self.database.write(ScoreDeletion(actor.workspace, score_id, entry))

    async def points(self, actor: Actor, points: Sequence[PointRow]) -> int:
        """Store metric points; returns how many."""
        entry = actor.did("metric:create", self._clock(), target_id=points[0].name)
        return await self.database.write(NewPoints(points, entry))


def _new_span(workspace: str, span: SentSpan, now: int, prices: PriceTable | None) -> CountedSpan:
    facts = span.facts if span.facts is not None else read_span(span.metadata)
    is_open = span.facts is not None and span.end_time is None
    if is_open:
        facts = PLAIN  # what it was is told when it has ended
    cost = None
    if facts.kind == "llm":
        cost = cost_nano(
            prices, facts.cost_usd, facts.provider, facts.model, failed=span.status == "error",
            tokens_in=facts.tokens_in, tokens_out=facts.tokens_out,
            tokens_cached=facts.tokens_cached, tokens_written=facts.tokens_written,
        )  # fmt: skip
        facts = facts._replace(cost_usd=None if cost is None else cost / NANO)
    row = SpanRow(
        span.span_id or new_span_id(),
        span.parent_id,
        span.name,
        span.status,
        span.start_time,
        span.end_time,
        span.document,
        _written(facts) if facts != PLAIN else _PLAIN,
        now,
    )
    usage = usage_of_span(
        facts,
        workspace=workspace,
        prompt_name=None,
        version_tag=None,
        created_at=now,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        cost_nano=cost,
    )
    return CountedSpan(row, usage, facts, ends=span.facts is not None)


def _written(facts: SpanFacts) -> str:
    """What differs from a plain span, as JSON."""
    said = {
        name: value
        for name, value, plain in zip(SpanFacts._fields, facts, PLAIN, strict=True)
        if value != plain
    }
    said["kind"] = facts.kind
    return msgspec.json.encode(said).decode()


_PLAIN = '{"kind": "other"}'
