# SPDX-License-Identifier: Apache-2.0
"""An array of traces with their spans, as another system kept them: POST /v1/traces takes up to 1,000, and says of
each what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.errors import GitpromptError, Invalid, PayloadTooLarge
from gitprompt.ingest import About, SentSpan, new_id, whole_traces
from gitprompt.ingest.whole_traces import SentTrace, TraceOutcome
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Bytes, Call
from gitprompt.server.http.shapes import Body, Id, Mapping50, Text, Timestamp, TraceId
from gitprompt.server.http.wire import encode, error_fields, raw_json

MAX_TRACES = 1_000  # of one request
MAX_SPANS = 10_000  # of one trace in a request


class NewTrace(Body):
    trace_id: TraceId | None = None
    prompt_name: Text | None = None
    version_tag: Text | None = None
    metadata: Mapping50 | None = None
    timestamp: Timestamp | None = None
    name: Text | None = None
    session_id: Text | None = None
    user_id: Text | None = None
    environment: Text | None = None
    release: Text | None = None
    tags: Annotated[list[Text], Meta(max_length=50)] | None = None
    input: Any = None
    output: Any = None

    @property
    def about(self) -> About:
        return About(
            self.name, self.session_id, self.user_id, self.environment, self.release,
            *map(encode_optional, (self.tags, self.input, self.output)),
        )  # fmt: skip


class NewSpan(Body):
    name: Text
    span_id: Id | None = None
    parent_id: Id | None = None
    status: Literal["unset", "ok", "error", "running"] | None = None
    start_time: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    end_time: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    metadata: Mapping50 | None = None
    timestamp: Timestamp | None = None

    @property
    def sent(self) -> SentSpan:
        return SentSpan(
            self.span_id, self.parent_id, self.name, self.status or "unset", self.start_time,
            self.end_time, self.metadata, encode_optional(self.metadata),
            timestamp=self.timestamp or 0,
        )  # fmt: skip


class NewTraceWithSpans(NewTrace):
    spans: Annotated[list[NewSpan], Meta(max_length=MAX_SPANS)] | None = None


Traces = Annotated[
    list[Any],
    Meta(
        description=f"Up to {MAX_TRACES} traces, each with its `spans` as POST /v1/traces/{{trace_id}}/spans takes"
        " them, and judged by itself; more is 413.",
    ),
]


async def store_all(context: Context, call: Call) -> Bytes:
    """Store what can be stored; 207, with an item for each in order."""
    if len(call.body) > MAX_TRACES:
        raise PayloadTooLarge(
            f"{len(call.body)} traces in one request; at most {MAX_TRACES} are taken"
        )
    read = [_read(value) for value in call.body]
    sent = [item for item in read if isinstance(item, SentTrace)]
    outcomes = iter(await whole_traces.store(context.ingest, call.actor, sent) if sent else ())
    items = [
        _answer(item, next(outcomes)) if isinstance(item, SentTrace) else _refused(item)
        for item in read
    ]
    _count_refused(context, items)
    return Bytes(207, encode({"items": items}))


def _read(value: Any) -> SentTrace | GitpromptError:
    try:
        body = msgspec.convert(value, NewTraceWithSpans)
        return SentTrace(
            body.trace_id or new_id(),
            body.prompt_name,
            body.version_tag,
            encode_optional(body.metadata),
            body.timestamp or 0,
            body.about,
            [span.sent for span in body.spans or ()],
        )
    except msgspec.ValidationError as error:
        return Invalid("Validation failed", fields=[str(error)])
    except Invalid as error:
        return error


def _answer(sent: SentTrace, outcome: TraceOutcome) -> dict[str, Any]:
    if outcome.why:
        return _refused(Invalid(outcome.why))
    answer: dict[str, Any] = {
        "status": 201 if outcome.row is None else 200,
        "trace_id": sent.trace_id,
        "spans": outcome.stored,
        "refused": [{"span_id": span.span_id, "error": span.why} for span in outcome.refused],
    }
    if outcome.row is not None:
        answer.update(metadata=raw_json(outcome.row.metadata), kept=outcome.kept)
    return answer


def _refused(error: GitpromptError) -> dict[str, Any]:
    return {"status": error.status, **error_fields(error)}


def _count_refused(context: Context, items: Sequence[dict[str, Any]]) -> None:
    """What is stored is counted as it is committed."""
    traces = sum(item["status"] >= 400 for item in items)
    spans = sum(len(item.get("refused", ())) for item in items)
    for kind, number in (("trace", traces), ("span", spans)):
        if number:
            context.metrics.record_ingest(kind, "rejected", number)


TOGETHER = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "description": "In the order of the traces.",
            "items": {
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {"type": "integer", "description": "201: new; 200: it was there; or an error's, with its fields."},
                    "trace_id": {"type": "string"},
                    "spans": {"type": "integer", "description": "How many of its spans are new."},
                    "refused": {
                        "type": "array", "description": "Spans that are not stored.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "span_id": {"type": ["string", "null"]}, "error": {"type": "string"},
                            },
                        },
                    },
                    "metadata": {"type": ["object", "null"], "description": "Of a trace that was there, as it is now."},
                    "kept": {
                        "type": "array", "items": {"type": "string"},
                        "description": "Fields in which it said, and still says, something else.",
                    },
                },
            },
        }
    },
}  # fmt: skip
