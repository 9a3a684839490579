# SPDX-License-Identifier: Apache-2.0
"""POST /v1/sync reconciles now; GET /v1/sync tells the state of the caller's workspace."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitprompt.core.model import Finding
from gitprompt.errors import NotFound
from gitprompt.server.context import Context
from gitprompt.server.wire import Json


def routes(context: Context) -> list[Route]:
    async def read(request: Request) -> Response:
        return Json(state_of(context, context.principal(request, "read").workspace))

    async def write(request: Request) -> Response:
        principal = context.principal(request, "write")
        if context.workspaces.source(principal.workspace) is None:
            raise NotFound(f"Workspace {principal.workspace} not found")
        await context.workspaces.reconcile(principal.workspace)
        return Json(state_of(context, principal.workspace))

    return [
        Route("/v1/sync", read, methods=["GET"]),
        Route("/v1/sync", write, methods=["POST"]),
    ]


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
