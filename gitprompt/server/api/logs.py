# SPDX-License-Identifier: Apache-2.0
"""/v1/logs: metadata of model calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import SINCE, UNTIL, Filter, List
from gitprompt.server.http.shapes import (
    Body,
    Count,
    Id,
    Mapping50,
    Seconds,
    Text,
    Timestamp,
    TraceId,
    Usd,
)
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import logs
from gitprompt.store.tables.logs import LogRow


class NewLog(Body):
    prompt_name: Text
    version_tag: Text
    log_id: Annotated[Id | None, Meta(description="Yours; makes a retry harmless.")] = None
    provider: Text | None = None
    model: Text | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    tokens_cached: Annotated[Count | None, Meta(description="Part of tokens_in.")] = None
    latency_ms: Count | None = None
    cost_usd: Usd | None = None
    ollama_options: dict[str, Any] | None = None
    ollama_keep_alive: str | int | None = None
    ollama_format: str | dict[str, Any] | None = None
    status: Literal["ok", "error"] | None = None
    error_code: Text | None = None
    metadata: Mapping50 | None = None
    trace_id: TraceId | None = None
    span_id: Id | None = None
    timestamp: Timestamp | None = None


class Accepted(msgspec.Struct, kw_only=True):
    id: int
    status: Literal["accepted"] = "accepted"


class Log(msgspec.Struct, kw_only=True):
    id: int
    workspace_id: str
    log_id: str | None
    prompt_name: str
    version_tag: str
    provider: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    latency_ms: int | None
    cost_usd: float | None
    ollama_options: Any
    ollama_keep_alive: Any
    ollama_format: Any
    status: str | None
    error_code: str | None
    metadata: Any
    trace_id: str | None
    span_id: str | None
    created_at: Seconds


LOGS = List(
    logs.LISTING,
    (
        Filter("prompt_name", "Of this prompt."),
        Filter("version_tag", "Of this version."),
        Filter("model", "Of this model."),
        Filter("status", "How the call went.", choices=("ok", "error")),
        SINCE,
        UNTIL,
    ),
)


async def create(context: Context, call: Call) -> Accepted:
    return Accepted(id=await context.ingest.log(call.actor, _row(call)))


async def page(context: Context, call: Call) -> Any:
    return await LOGS.answer(context.database, call, _answer)


def _row(call: Call) -> LogRow:
    body: NewLog = call.body
    return LogRow(
        call.principal.workspace,
        body.log_id,
        body.prompt_name,
        body.version_tag,
        body.provider,
        body.model,
        body.tokens_in,
        body.tokens_out,
        body.tokens_cached,
        body.latency_ms,
        body.cost_usd,
        encode_optional(body.ollama_options),
        encode_optional(body.ollama_keep_alive),
        encode_optional(body.ollama_format),
        body.status,
        body.error_code,
        encode_optional(body.metadata),
        body.trace_id,
        body.span_id,
        None,
        body.timestamp or 0,
    )


def _answer(row: tuple[Any, ...]) -> dict[str, Any]:
    log = LogRow(*row[1:])
    fields = log._asdict() | {"cost_usd": log.cost}
    del fields["cost_nano"]
    for column in logs.DOCUMENTS:
        fields[column] = raw_json(fields[column])
    return {"id": row[0], "workspace_id": fields.pop("workspace"), **fields}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/logs", kind="log", scope="write", status=202,
        summary="Store the log of a model call", handler=create,
        body=NewLog, answer=Accepted, errors=(409,),
        example={
            "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai",
            "model": "gpt-4o", "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500,
            "cost_usd": 0.0042, "status": "ok",
        },
    ),
    Endpoint(
        method="GET", path="/v1/logs", scope="read", summary="List logs, newest first",
        handler=page, answer=Log, is_page=True, query=LOGS.parameters,
    ),
)  # fmt: skip
