# SPDX-License-Identifier: Apache-2.0
"""POST /v1/sync reconciles now; GET /v1/sync tells the state of the caller's workspace."""

from __future__ import annotations

from typing import Any

import msgspec

from gitprompt.core.model import Finding
from gitprompt.errors import NotFound
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Call, Endpoint


class SyncState(msgspec.Struct, kw_only=True):
    workspace: str
    driver: str
    revision: int
    last_success: int | None
    last_error: str | None
    seconds: float
    counts: dict[str, int]
    rejected: list[Any]
    tampered: list[Any]


PATH = "/v1/sync"


async def read(context: Context, call: Call) -> dict[str, Any]:
    return state_of(context, call.principal.workspace)


async def write(context: Context, call: Call) -> dict[str, Any]:
    workspace = call.principal.workspace
    if context.workspaces.source(workspace) is None:
        raise NotFound(f"Workspace {workspace} not found", hint="Its first push makes it.")
    entry = call.actor.did("sync", context.clock())
    await context.database.write(entry)
    context.driver.expect(workspace)
    await context.workspaces.reconcile(workspace)
    return state_of(context, workspace)


def state_of(context: Context, workspace: str) -> dict[str, Any]:
    state = context.workspaces.state(workspace)
    index = context.index
    return {
        "workspace": workspace,
        "driver": context.driver.name,
        "revision": state.revision,
        "last_success": state.last_success,
        "last_error": state.last_error,
        "seconds": round(state.seconds, 6),
        "counts": {
            "prompts": index.count_prompts(workspace),
            "versions": index.count_versions(workspace),
            "labels": index.count_labels(workspace),
            "suites": index.count_suites(workspace),
        },
        "rejected": [
            {"ref": item.ref, "oid": item.oid, "findings": [_finding(f) for f in item.findings]}
            for item in index.rejected(workspace)
        ],
        "tampered": [
            {
                "ref": item.ref,
                "pinned": item.pinned,
                "seen": item.seen,
                "condition": "moved" if item.seen else "deleted",
            }
            for item in index.tampered(workspace)
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return finding._asdict()


ENDPOINTS = (
    Endpoint(
        method="GET", path=PATH, scope="read", handler=read, answer=SyncState,
        summary="What is indexed, what was rejected and why, which tags were tampered with",
    ),
    Endpoint(
        method="POST", path=PATH, scope="write", handler=write,
        summary="Reconcile now", answer=SyncState, errors=(404,),
    ),
)  # fmt: skip
