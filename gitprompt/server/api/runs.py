# SPDX-License-Identifier: Apache-2.0
"""/v1/runs: runs of workflows."""

from __future__ import annotations

from typing import Any

from gitprompt.clock import now_ms
from gitprompt.errors import NotFound
from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import SINCE, UNTIL, Filter, List, workspace_is
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import runs
from gitprompt.store.tables.runs import OneRun, RunRow

RUNS = List(
    runs.LISTING,
    (
        Filter("workflow_name", "Of this workflow."),
        Filter("status", "running, completed or failed."),
        Filter("trace_id", "With this trace."),
        SINCE,
        UNTIL,
    ),
)


async def create(context: Context, call: Call) -> shapes.CreatedRun:
    body: shapes.NewRun = call.body
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
    )
    return shapes.CreatedRun(run_id=run_id, workflow_name=body.workflow_name, status=body.status)


async def page(context: Context, call: Call) -> Any:
    return await RUNS.answer(context.database, call, _listed, workspace_is(call))


async def one(context: Context, call: Call) -> dict[str, Any]:
    run = await context.database.read(OneRun(call.principal.workspace, call.path["run_id"]))
    if run is None:
        raise NotFound("Run not found")
    return _answer(run)


async def change(context: Context, call: Call) -> shapes.UpdatedRun:
    body: shapes.RunChange = call.body
    run_id = call.path["run_id"]
    if (body.status, body.output, body.metadata, body.end_time) == (None,) * 4:
        if await context.database.read(OneRun(call.principal.workspace, run_id)) is None:
            raise NotFound("Run not found")
        return shapes.UpdatedRun(message="No changes")
    await context.ingest.change_run(
        call.actor,
        run_id,
        status=body.status,
        output=encode_optional(body.output),
        metadata=encode_optional(body.metadata),
        end_time=body.end_time,
        now_ms=now_ms(),
    )
    return shapes.UpdatedRun(run_id=run_id, status="updated")


async def delete(context: Context, call: Call) -> None:
    await context.ingest.delete_run(call.actor, call.path["run_id"])


def _listed(row: tuple[Any, ...]) -> dict[str, Any]:
    return _answer(RunRow(*row[1:]))


def _answer(row: RunRow) -> dict[str, Any]:
    fields = row._asdict()
    for column in ("input", "output", "metadata"):
        fields[column] = raw_json(fields[column])
    fields["workspace_id"] = fields.pop("workspace")
    return fields


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/runs", scope="write", status=201, summary="Create a run",
        handler=create, body=shapes.NewRun, answer=shapes.CreatedRun, errors=(404, 409),
        kind="run", example={
            "workflow_name": "headline-generator", "input": {"topic": "AI"},
            "metadata": {"agent": "headline-v2"},
        },
    ),
    Endpoint(
        method="GET", path="/v1/runs", scope="read", summary="List runs, newest first",
        handler=page, answer=shapes.Run, is_page=True, query=RUNS.parameters,
    ),
    Endpoint(
        method="GET", path="/v1/runs/{run_id:path}", scope="read", summary="Get a run",
        handler=one, answer=shapes.Run, errors=(404,),
    ),
    Endpoint(
        method="PATCH", path="/v1/runs/{run_id:path}", kind="run_change", scope="write",
        summary="Replace status, output or metadata of a run", handler=change,
        body=shapes.RunChange, answer=shapes.UpdatedRun, errors=(404,),
        example={"status": "completed", "output": {"headline": "It works"}},
    ),
    Endpoint(
        method="DELETE", path="/v1/runs/{run_id:path}", scope="write", status=204,
        summary="Delete a run", handler=delete, errors=(404,),
    ),
)  # fmt: skip
