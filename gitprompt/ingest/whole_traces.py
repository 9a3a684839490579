# SPDX-License-Identifier: Apache-2.0
"""Traces that come with their spans, many at once, as another system has kept them: what is there already is
completed, never changed, and what cannot be stored does not stop the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from gitprompt.errors import Conflict
from gitprompt.ingest import TOO_EARLY, About, Ingest, RefusedSpan, SentSpan
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.trace_ids import key_of
from gitprompt.store.tables.traces import EnsuredTrace, TraceRow, TracesById


class SentTrace(NamedTuple):
    """A trace with its spans, which may be there already, or in part. `metadata` is JSON."""

    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    metadata: str | None
    timestamp: int
    about: About
    spans: Sequence[SentSpan]


class TraceOutcome(NamedTuple):
    """What became of a trace: `stored` of its spans are new. `row` is the trace where it was there, as it is now,
    and `kept` the fields in which that says something else than what was sent, and stays. `why`: it is refused."""

    stored: int = 0
    refused: Sequence[RefusedSpan] = ()
    row: TraceRow | None = None
    kept: Sequence[str] = ()
    why: str = ""


async def store(ingest: Ingest, actor: Actor, traces: Sequence[SentTrace]) -> list[TraceOutcome]:
    """Store traces with their spans, in one group of the writer; what became of each."""
    latest = ingest.latest
    good = [_without_early(trace, latest) for trace in traces if trace.timestamp <= latest]
    named = [ingest.database.submit(_ensured(ingest, actor, trace)) for trace, _ in good]
    spans = [
        ingest.database.submit(ingest.new_spans(actor, trace.trace_id, trace.spans))
        for trace, _ in good
        if trace.spans
    ]
    done = await asyncio.gather(*named, *spans, return_exceptions=True)
    for error in done:
        if isinstance(error, BaseException) and not isinstance(error, Conflict):
            raise error
    old = [trace.trace_id for (trace, _), is_new in zip(good, done, strict=False) if not is_new]
    there = await ingest.database.read(TracesById(actor.workspace, old)) if old else {}
    of_spans = iter(done[len(named) :])
    outcomes = []
    for (trace, early), is_new in zip(good, done, strict=False):
        stored, refused = 0, [RefusedSpan(span.span_id, TOO_EARLY) for span in early]
        if trace.spans:
            outcome: Any = next(of_spans)
            if isinstance(outcome, Conflict):
                stored, more = await ingest.one_by_one(actor, trace.trace_id, trace.spans)
                refused += more
            else:
                stored = len(outcome.item.spans)
        row = None if is_new else there.get(key_of(trace.trace_id))
        kept = list(_kept(row, trace)) if row is not None else []
        outcomes.append(TraceOutcome(stored, refused, row, kept))
    each = iter(outcomes)
    return [
        next(each) if trace.timestamp <= latest else TraceOutcome(why=TOO_EARLY) for trace in traces
    ]


def _without_early(trace: SentTrace, latest: int) -> tuple[SentTrace, list[SentSpan]]:
    """The trace without the spans that are yet to come, and those."""
    early = [span for span in trace.spans if span.timestamp > latest]
    if not early:
        return trace, early
    return trace._replace(spans=[span for span in trace.spans if span.timestamp <= latest]), early


def _ensured(ingest: Ingest, actor: Actor, trace: SentTrace) -> EnsuredTrace:
    insertion = ingest.new_trace(
        actor, trace.trace_id, trace.prompt_name, trace.version_tag, trace.metadata,
        trace.timestamp, trace.about,
    )  # fmt: skip
    return EnsuredTrace(*insertion)


_DOCUMENTS = ("tags", "input", "output")


def _kept(row: TraceRow, sent: SentTrace) -> Iterator[str]:
    """The fields in which a stored trace says something else than what was sent of it."""
    stored = row._asdict()
    said = (("prompt_name", sent.prompt_name), ("version_tag", sent.version_tag))
    for field, value in chain(said, sent.about._asdict().items()):
        old = stored[field]
        if value is None or old == value:
            continue
        if field not in _DOCUMENTS or json.loads(old) != json.loads(value):
            yield field
    before = json.loads(row.metadata or "{}")
    for key, value in json.loads(sent.metadata or "{}").items():
        if before.get(key) != value:
            yield f"metadata.{key}"
