# SPDX-License-Identifier: Apache-2.0
"""/v1/runs: runs of workflows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.clock import now_ms
from gitprompt.errors import NotFound
from gitprompt.ingest import RunAbout
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import (
    OF_SESSION,
    OF_TRACE,
    OF_USER,
    SINCE,
    TAG,
    UNTIL,
    Filter,
    List,
)
from gitprompt.server.http.shapes import (
    Body,
    Id,
    Mapping50,
    Milliseconds,
    Seconds,
    Text,
    Timestamp,
    TraceId,
)
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import runs
from gitprompt.store.tables.runs import OneRun, RunRow


class NewRun(Body):
    workflow_name: Text
    run_id: Id | None = None
    status: Literal["running", "completed", "failed"] = "running"
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    trace_id: TraceId | None = None
    metadata: Mapping50 | None = None
    start_time: Milliseconds | None = None
    end_time: Milliseconds | None = None
    timestamp: Timestamp | None = None
    session_id: Text | None = None
    user_id: Text | None = None
    environment: Text | None = None
    release: Text | None = None
    tags: Annotated[list[Text], Meta(max_length=50)] | None = None


class RunChange(Body):
    status: Literal["running", "completed", "failed"] | None = None
    output: dict[str, Any] | None = None
    metadata: Mapping50 | None = None
    end_time: Milliseconds | None = None


class CreatedRun(msgspec.Struct, kw_only=True):
    run_id: str
    workflow_name: str
    status: str


class Run(msgspec.Struct, kw_only=True):
    run_id: str
    workflow_name: str
    status: str
    input: Any
    output: Any
    trace_id: str | None
    metadata: Any
    start_time: int
    end_time: int | None
    workspace_id: str
    created_at: Seconds
    updated_at: Seconds
    session_id: str | None
    user_id: str | None
    environment: str | None
    release: str | None
    tags: list[str] | None


class UpdatedRun(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`run_id` and status updated, or the message that there was nothing to change."""

    run_id: str | None = None
    status: str | None = None
    message: str | None = None


RUNS = List(
    runs.LISTING,
    (
        Filter("workflow_name", "Of this workflow."),
        Filter("status", "How far it is.", choices=("running", "completed", "failed")),
        OF_TRACE,
        *OF_SESSION,
        *OF_USER,
        Filter("environment", "Of this environment, such as production."),
        Filter("release", "Of this release of the application."),
        TAG,
        SINCE,
        UNTIL,
    ),
)


async def create(context: Context, call: Call) -> CreatedRun:
    body: NewRun = call.body
    run_id = await context.ingest.run(
        call.actor,
        run_id=body.run_id,
        workflow_name=body.workflow_name,
        status=body.status,
        input=encode_optional(body.input),
        output=encode_optional(body.output),
        trace_id=body.trace_id,
        metadata=encode_optional(body.metadata),
        start_time=body.start_time,
        end_time=body.end_time,
        now_ms=now_ms(),
        timestamp=body.timestamp or 0,
        about=RunAbout(
            body.session_id, body.user_id, body.environment, body.release,
            encode_optional(body.tags),
        ),
    )  # fmt: skip
    return CreatedRun(run_id=run_id, workflow_name=body.workflow_name, status=body.status)


async def page(context: Context, call: Call) -> Any:
    return await RUNS.answer(context.database, call, _listed)


async def one(context: Context, call: Call) -> dict[str, Any]:
    run = await context.database.read(OneRun(call.principal.workspace, call.path["run_id"]))
    if run is None:
        raise NotFound("Run not found")
    return _answer(run)


async def change(context: Context, call: Call) -> UpdatedRun:
    body: RunChange = call.body
    run_id = call.path["run_id"]
    if (body.status, body.output, body.metadata, body.end_time) == (None,) * 4:
        if await context.database.read(OneRun(call.principal.workspace, run_id)) is None:
            raise NotFound("Run not found")
        return UpdatedRun(message="No changes")
    await context.ingest.change_run(
        call.actor,
        run_id,
        status=body.status,
        output=encode_optional(body.output),
        metadata=encode_optional(body.metadata),
        end_time=body.end_time,
        now_ms=now_ms(),
    )
    return UpdatedRun(run_id=run_id, status="updated")


async def delete(context: Context, call: Call) -> None:
    await context.ingest.delete_run(call.actor, call.path["run_id"])


def _listed(row: tuple[Any, ...]) -> dict[str, Any]:
    return _answer(RunRow(*row[1:]))


def _answer(row: RunRow) -> dict[str, Any]:
    fields = row._asdict()
    for column in ("input", "output", "metadata", "tags"):
        fields[column] = raw_json(fields[column])
    fields["workspace_id"] = fields.pop("workspace")
    return fields


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/runs", scope="write", status=201, summary="Create a run",
        handler=create, body=NewRun, answer=CreatedRun, errors=(404, 409),
        kind="run", example={
            "workflow_name": "headline-generator", "input": {"topic": "AI"},
            "metadata": {"agent": "headline-v2"},
        },
    ),
    Endpoint(
        method="GET", path="/v1/runs", scope="read", summary="List runs, newest first",
        handler=page, answer=Run, is_page=True, query=RUNS.parameters,
    ),
    Endpoint(
        method="GET", path="/v1/runs/{run_id:path}", scope="read", summary="Get a run",
        handler=one, answer=Run, errors=(404,),
    ),
    Endpoint(
        method="PATCH", path="/v1/runs/{run_id:path}", kind="run_change", scope="write",
        summary="Replace status, output or metadata of a run", handler=change,
        body=RunChange, answer=UpdatedRun, errors=(404,),
        example={"status": "completed", "output": {"headline": "It works"}},
    ),
    Endpoint(
        method="DELETE", path="/v1/runs/{run_id:path}", scope="write", status=204,
        summary="Delete a run", handler=delete, errors=(404,),
    ),
)  # fmt: skip
