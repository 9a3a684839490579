# SPDX-License-Identifier: Apache-2.0
"""/v1/api-keys and /v1/audit-logs: who may, and who did."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gitprompt import keys
from gitprompt.errors import BadRequest, Forbidden
from gitprompt.server.context import Context
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.endpoints import PAGING, Call, Endpoint
from gitprompt.server.http.listing import Filter, List
from gitprompt.server.http.shapes import Body, Seconds
from gitprompt.server.http.wire import envelope, parse_page
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.keys import Keys


class NewKey(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    scopes: Annotated[str, Meta(description="Comma-separated: read, write, admin.")] = "read,write"
    workspace_id: Annotated[str, Meta(max_length=128)] | None = None
    expires_in_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None


class Key(msgspec.Struct, kw_only=True):
    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: Seconds
    expires_at: int | None
    last_used_at: int | None


class CreatedKey(msgspec.Struct, kw_only=True):
    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: Seconds
    expires_at: int | None
    key: Annotated[str, Meta(description="Shown this once.")]


class AuditLog(msgspec.Struct, kw_only=True):
    id: int
    action: str
    prompt_name: str | None
    version_tag: str | None
    api_key_name: str
    ip_address: str | None
    timestamp: Seconds
    workspace_id: str
    target_id: str | None
    outcome: str


AUDIT = List(
    audit.LISTING,
    (
        Filter("action", "With this action, such as label:move."),
        Filter("prompt_name", "About this prompt."),
        Filter("outcome", "How it ended.", choices=("done", "pending", "failed")),
        Filter("since", "Unix seconds; then or later.", column="timestamp", operator=">="),
        Filter("until", "Unix seconds; before.", column="timestamp", operator="<"),
    ),
)


async def create(context: Context, call: Call) -> CreatedKey:
    body: NewKey = call.body
    workspace = body.workspace_id or call.principal.workspace
    if workspace != call.principal.workspace and not call.principal.is_master:
        raise Forbidden("A key for another workspace needs a master key")
    record, key = await asyncio.to_thread(
        keys.create,
        context.database,
        context.salt,
        name=body.name,
        workspace=workspace,
        scopes=body.scopes,
        expires_in_days=body.expires_in_days,
        clock=context.clock,
        actor=call.actor._replace(workspace=workspace),
    )
    return CreatedKey(
        id=record.id,
        name=record.name,
        workspace_id=record.workspace_id,
        scopes=record.scopes,
        created_at=record.created_at,
        expires_at=record.expires_at,
        key=key,
    )


async def page(context: Context, call: Call) -> Any:
    page = parse_page(call.params, (int,))
    everything = (await context.database.read(Keys(limit_of(call.principal))))[::-1]
    rest = everything
    if page.cursor:
        rest = [record for record in everything if record.id < page.cursor[0]]
    shown = rest[page.offset : page.offset + page.limit]
    used = context.authenticator.used
    items = [
        {**record._asdict(), "last_used_at": used.get(record.id, record.last_used_at)}
        for record in shown
    ]
    return envelope(page, len(everything), items, lambda: [shown[-1].id])


async def revoke(context: Context, call: Call) -> None:
    text = call.path["key_id"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest("Invalid API key id")
    await asyncio.to_thread(
        keys.revoke,
        context.database,
        int(text),
        clock=context.clock,
        actor=call.actor,
        workspace=limit_of(call.principal),
    )


async def audit_page(context: Context, call: Call) -> Any:
    return await AUDIT.answer(context.database, call, _entry)


def limit_of(principal: Principal) -> str | None:
    """The workspace whose keys somebody may see and revoke; None for all."""
    return None if principal.is_master else principal.workspace


def _entry(row: tuple[Any, ...]) -> dict[str, Any]:
    fields = AuditRow(*row[1:])._asdict()
    return {"id": row[0], "workspace_id": fields.pop("workspace"), **fields}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/api-keys", scope="admin", status=201, handler=create,
        summary="Create an API key; it is shown this once", body=NewKey,
        answer=CreatedKey, errors=(400,),
        example={"name": "ci", "scopes": "read,write", "expires_in_days": 90},
    ),
    Endpoint(
        method="GET", path="/v1/api-keys", scope="admin", handler=page,
        summary="List keys, never their secrets", answer=Key, is_page=True,
        query=PAGING,
    ),
    Endpoint(
        method="DELETE", path="/v1/api-keys/{key_id}", scope="admin", status=204,
        summary="Revoke a key, at once", handler=revoke, errors=(400, 404),
    ),
    Endpoint(
        method="GET", path="/v1/audit-logs", scope="admin", handler=audit_page,
        summary="Who did what, newest first", answer=AuditLog, is_page=True,
        query=AUDIT.parameters,
    ),
)  # fmt: skip
