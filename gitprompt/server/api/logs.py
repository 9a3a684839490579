# SPDX-License-Identifier: Apache-2.0
"""/v1/logs: metadata of model calls."""

from __future__ import annotations

from typing import Any

from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import SINCE, UNTIL, Filter, List, workspace_is
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import logs
from gitprompt.store.tables.logs import LogRow

LOGS = List(
    logs.LISTING,
    (
        Filter("prompt_name", "Of this prompt."),
        Filter("version_tag", "Of this version."),
        Filter("model", "Of this model."),
        Filter("status", "ok or error."),
        SINCE,
        UNTIL,
    ),
)


async def create(context: Context, call: Call) -> shapes.Accepted:
    return shapes.Accepted(id=await context.ingest.log(call.actor, _row(call)))


async def page(context: Context, call: Call) -> Any:
    return await LOGS.answer(context.database, call, _answer, workspace_is(call))


def _row(call: Call) -> LogRow:
    body: shapes.NewLog = call.body
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
        0,
    )


def _answer(row: tuple[Any, ...]) -> dict[str, Any]:
    fields = LogRow(*row[1:])._asdict()
    for column in logs.DOCUMENTS:
        fields[column] = raw_json(fields[column])
    return {"id": row[0], "workspace_id": fields.pop("workspace"), **fields}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/logs", kind="log", scope="write", status=202,
        summary="Store the log of a model call", handler=create,
        body=shapes.NewLog, answer=shapes.Accepted, errors=(409,),
        example={
            "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai",
            "model": "gpt-4o", "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500,
            "cost_usd": 0.0042, "status": "ok",
        },
    ),
    Endpoint(
        method="GET", path="/v1/logs", scope="read", summary="List logs, newest first",
        handler=page, answer=shapes.Log, is_page=True, query=LOGS.parameters,
    ),
)  # fmt: skip
