# SPDX-License-Identifier: Apache-2.0
"""/v1/traces: traces and their spans. POST takes OTLP on the same path."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.errors import NotFound
from gitprompt.server.api import trace_arrays
from gitprompt.server.api.trace_arrays import MAX_SPANS, NewSpan, NewTrace
from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.bodies import encode_optional, read_json
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import OF_SESSION, OF_USER, SINCE, TAG, UNTIL, Filter, List
from gitprompt.server.http.shapes import Seconds
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import traces
from gitprompt.store.tables.rows import Tally
from gitprompt.store.tables.trace_totals import TraceTotal, total_of
from gitprompt.store.tables.traces import OneSpan, OneTrace, SpanRow, TraceRow


class CreatedTrace(msgspec.Struct, kw_only=True):
    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    status: Literal["created"] = "created"


class Trace(msgspec.Struct, kw_only=True):
    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    metadata: Any
    workspace_id: str
    created_at: Seconds
    name: str | None
    session_id: str | None
    user_id: str | None
    environment: str | None
    release: str | None
    tags: list[str] | None
    input: Any
    output: Any
    totals: Annotated[
        TraceTotals,
        Meta(
            description="What its spans are together; the cost is of the calls whose cost is known."
        ),
    ]


class TraceTotals(msgspec.Struct, kw_only=True):
    spans: int
    errors: int
    duration_ms: Annotated[int | None, Meta(description="From the first start to the last end.")]
    tokens: int
    cost_usd: float


class Span(msgspec.Struct, kw_only=True):
    span_id: str
    parent_id: str | None
    name: str
    status: str
    start_time: int | None
    end_time: int | None
    metadata: Any
    facts: Annotated[
        Any,
        Meta(
            description="What it was recognised as: kind, and of a model's call its provider, model,"
            " tokens and cost."
        ),
    ]
    created_at: Seconds
    trace_id: str


class TraceWithSpans(Trace, kw_only=True):
    spans: list[Span]


class CreatedSpan(msgspec.Struct, kw_only=True):
    trace_id: str
    span_id: str
    name: str
    status: str


TRACES = List(
    traces.LISTING,
    (
        Filter("prompt_name", "Of this prompt."),
        Filter("version_tag", "Of this version."),
        Filter("name", "Of this name."),
        *OF_SESSION,
        *OF_USER,
        Filter("environment", "Of this environment, such as production."),
        Filter("release", "Of this release of the application."),
        TAG,
        Filter(
            "status", "error: a span of it failed; ok: none did.", column="failed",
            choices=("ok", "error"), numbers={"ok": 0, "error": 1},
        ),
        Filter(
            "min_ms", "That took so many milliseconds or more, from the first start to the last end.",
            column="duration", operator=">=",
        ),
        SINCE,
        UNTIL,
    ),
    {"duration": "duration", "cost": "cost_nano"},
)  # fmt: skip
Spans = NewSpan | Annotated[list[NewSpan], Meta(min_length=1, max_length=MAX_SPANS)]


async def create(context: Context, call: Call) -> Any:
    if isinstance(call.body, list):
        return await trace_arrays.store_all(context, call)
    body: NewTrace = call.body
    trace_id = await context.ingest.trace(
        call.actor,
        trace_id=body.trace_id,
        prompt_name=body.prompt_name,
        version_tag=body.version_tag,
        metadata=encode_optional(body.metadata),
        timestamp=body.timestamp or 0,
        about=body.about,
    )
    return CreatedTrace(
        trace_id=trace_id, prompt_name=body.prompt_name, version_tag=body.version_tag
    )


async def page(context: Context, call: Call) -> Any:
    return await TRACES.answer(context.database, call, _listed)


async def count(context: Context, call: Call) -> shapes.Counted:
    number = await context.database.read(Tally(call.principal.workspace, "trace"))
    return shapes.Counted(count=number)


async def one(context: Context, call: Call) -> dict[str, Any]:
    trace_id = call.path["trace_id"]
    stored = await context.database.read(OneTrace(call.principal.workspace, trace_id))
    if stored is None:
        raise NotFound("Trace not found")
    spans = [_span(trace_id, span) for span in stored.spans]
    return {**_trace(stored.row, stored.total), "spans": spans}


async def delete(context: Context, call: Call) -> None:
    await context.ingest.delete_trace(call.actor, call.path["trace_id"])


async def add_spans(context: Context, call: Call) -> Any:
    several = isinstance(call.body, list)
    sent: list[NewSpan] = call.body if several else [call.body]
    trace_id = call.path["trace_id"]
    span_ids = await context.ingest.spans(call.actor, trace_id, [span.sent for span in sent])
    created = [
        CreatedSpan(
            trace_id=trace_id, span_id=span_id, name=span.name, status=span.status or "unset"
        )
        for span_id, span in zip(span_ids, sent, strict=True)
    ]
    return created if several else created[0]


async def one_span(context: Context, call: Call) -> dict[str, Any]:
    trace_id, span_id = call.path["trace_id"], call.path["span_id"]
    span = await context.database.read(OneSpan(call.principal.workspace, trace_id, span_id))
    if span is None:
        raise NotFound("Span not found")
    return _span(trace_id, span)


def _trace(row: TraceRow, total: TraceTotal) -> dict[str, Any]:
    return {
        "trace_id": row.trace_id,
        "prompt_name": row.prompt_name,
        "version_tag": row.version_tag,
        "metadata": raw_json(row.metadata),
        "workspace_id": row.workspace,
        "created_at": row.created_at,
        "name": row.name,
        "session_id": row.session_id,
        "user_id": row.user_id,
        "environment": row.environment,
        "release": row.release,
        "tags": raw_json(row.tags),
        "input": raw_json(row.input),
        "output": raw_json(row.output),
        "totals": {
            "spans": total.spans,
            "errors": total.errors,
            "duration_ms": total.duration,
            "tokens": total.tokens,
            "cost_usd": total.cost_usd,
        },
    }


def _listed(row: tuple[Any, ...]) -> dict[str, Any]:
    size = len(TraceRow._fields) + 1
    return _trace(TraceRow(*row[1:size]), total_of(row[size:]))


def _span(trace_id: str, row: SpanRow) -> dict[str, Any]:
    fields = row._asdict()
    fields["metadata"], fields["facts"] = raw_json(row.metadata), raw_json(row.facts)
    return {**fields, "trace_id": trace_id}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/traces/{trace_id}/spans", scope="write", status=201,
        summary="Add a span, or an array of spans, to a trace", handler=add_spans, body=Spans,
        kind="span", answer=CreatedSpan | list[CreatedSpan], errors=(404, 409),
        example={
            "name": "llm-call", "status": "ok", "start_time": 1000, "end_time": 2500,
            "metadata": {"model": "gpt-4o", "tokens_in": 120, "tokens_out": 340},
        },
    ),
    Endpoint(
        method="GET", path="/v1/traces/{trace_id}/spans/{span_id:path}", scope="read",
        summary="Get a span", handler=one_span, answer=Span, errors=(404,),
    ),
    Endpoint(
        method="POST", path="/v1/traces", scope="write", status=201, handler=create,
        kind="trace",
        summary="Create a trace; OTLP (JSON or protobuf) is taken here too. Of an array of up to 1,000 traces with"
        " their spans, what is there already is completed, never changed, and the answer is 207 with an item for each",
        body=NewTrace | trace_arrays.Traces, answer=CreatedTrace, errors=(409,),
        reader=partial(read_json, shape=NewTrace | list[Any]), together=trace_arrays.TOGETHER,
        example={
            "trace_id": "550e8400-e29b-41d4-a716-446655440000", "prompt_name": "welcome",
            "version_tag": "1.0.0", "metadata": {"agent": "headline-agent", "loop": 1},
        },
    ),
    Endpoint(
        method="GET", path="/v1/traces", scope="read", summary="List traces, newest first",
        handler=page, answer=Trace, is_page=True, query=TRACES.parameters,
    ),
    Endpoint(
        method="GET", path="/v1/traces/count", scope="read", summary="Count the traces",
        handler=count, answer=shapes.Counted,
    ),
    Endpoint(
        method="GET", path="/v1/traces/{trace_id}", scope="read", handler=one,
        summary="Get a trace with its spans by start time", answer=TraceWithSpans,
        errors=(404,),
    ),
    Endpoint(
        method="DELETE", path="/v1/traces/{trace_id}", scope="write", status=204,
        summary="Delete a trace and its spans; runs keep", handler=delete, errors=(404,),
    ),
)  # fmt: skip
