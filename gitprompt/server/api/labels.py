# SPDX-License-Identifier: Apache-2.0
"""/v1/prompts/{name}/labels: what labels point at, their history, and moving them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gitprompt.core.publication import LabelMove
from gitprompt.errors import BadRequest
from gitprompt.server.api.prompts import ONE
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import PAGING, Call, Endpoint, Parameter
from gitprompt.server.http.shapes import Body, LongText, Seconds
from gitprompt.server.http.wire import envelope, parse_page


class NewLabel(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    version_tag: Annotated[str | None, Meta(description="Absent: the newest version.")] = None
    reason: LongText | None = None


class LabelChange(Body):
    version_tag: Annotated[str, Meta(min_length=1, max_length=64)]
    expected: Annotated[
        str | msgspec.UnsetType | None,
        Meta(description="The version it must point at now; null: it must not exist."),
    ] = msgspec.UNSET
    reason: LongText | None = None


class Label(msgspec.Struct, kw_only=True):
    prompt_name: str
    name: str
    version_tag: str
    created_at: Seconds


class MovedLabel(msgspec.Struct, kw_only=True):
    prompt_name: str
    name: str
    version_tag: str
    previous: str | None
    commit_sha: str


class Move(msgspec.Struct, kw_only=True):
    version: str | None
    previous: str | None
    actor: str
    reason: str
    time: Seconds
    commit: str


MAX_REASON = 1_000  # characters of one that stands in a URL
ALL = f"{ONE}/labels"
LABEL = f"{ALL}/{{label}}"


async def page(context: Context, call: Call) -> dict[str, Any]:
    name = call.path["name"]
    page = parse_page(call.params, (str,))
    rows, total = context.catalog.labels(
        call.principal.workspace,
        name,
        limit=page.limit,
        offset=page.offset,
        after=page.cursor[0] if page.cursor else "",
    )
    items = [_label(name, *row) for row in rows]
    return envelope(page, total, items, lambda: [rows[-1][0]])


async def one(context: Context, call: Call) -> dict[str, Any]:
    name, label = call.path["name"], call.path["label"]
    return _label(name, label, *context.catalog.label(call.principal.workspace, name, label))


async def history(context: Context, call: Call) -> dict[str, Any]:
    page = parse_page(call.params, (int,))
    rows, total = context.catalog.history(
        call.principal.workspace,
        call.path["name"],
        call.path["label"],
        limit=page.limit,
        offset=page.offset,
        before=page.cursor[0] if page.cursor else None,
    )
    items = [_move(move) for _, move in rows]
    return envelope(page, total, items, lambda: [rows[-1][0]])


async def create(context: Context, call: Call) -> dict[str, Any]:
    body: NewLabel = call.body
    name = call.path["name"]
    moved = await context.publishing.create_label(
        call.author, name, body.name, body.version_tag, reason=body.reason or ""
    )
    _, created_at = context.catalog.label(call.principal.workspace, name, body.name)
    return _label(name, body.name, moved.version, created_at)


async def move(context: Context, call: Call) -> MovedLabel:
    body: LabelChange = call.body
    name, label = call.path["name"], call.path["label"]
    moved = await context.publishing.move_label(
        call.author, name, label, body.version_tag, reason=body.reason or "",
        expected=body.expected if isinstance(body.expected, str | None) else ...,
    )  # fmt: skip
    return MovedLabel(
        prompt_name=name,
        name=label,
        version_tag=moved.version,
        previous=moved.previous,
        commit_sha=moved.commit,
    )


async def remove(context: Context, call: Call) -> None:
    reason = call.params.get("reason", "")
    if len(reason) > MAX_REASON or "\0" in reason:
        raise BadRequest(f"reason is text of at most {MAX_REASON:,} characters")
    name, label = call.path["name"], call.path["label"]
    await context.publishing.remove_label(call.author, name, label, reason=reason)


def _label(name: str, label: str, version: str, created_at: int) -> dict[str, Any]:
    return {"prompt_name": name, "name": label, "version_tag": version, "created_at": created_at}


def _move(move: LabelMove) -> dict[str, Any]:
    return {
        "version": move.version,
        "previous": move.previous,
        "actor": move.actor,
        "reason": move.reason,
        "time": move.created_at,
        "commit": move.commit,
    }


ENDPOINTS = (
    Endpoint(
        method="GET", path=ALL, scope="read", summary="List labels", handler=page,
        answer=Label, is_page=True, query=PAGING,
    ),
    Endpoint(
        method="GET", path=LABEL, scope="read", summary="Resolve a label", handler=one,
        answer=Label, errors=(404,),
    ),
    Endpoint(
        method="GET", path=f"{LABEL}/history", scope="read", answer=Move, handler=history,
        summary="The moves of a label, newest first", is_page=True, query=PAGING, errors=(404,),
    ),
    Endpoint(
        method="POST", path=ALL, scope="write", status=201, summary="Create a label",
        handler=create, body=NewLabel, answer=Label, errors=(404, 409),
        example={"name": "production", "version_tag": "1.0.0"},
    ),
    Endpoint(
        method="PUT", path=LABEL, scope="write", handler=move,
        summary="Move a label, or create it; with `expected` by compare-and-swap",
        body=LabelChange, answer=MovedLabel, errors=(404, 409),
        example={"version_tag": "1.0.0", "reason": "Launch"},
    ),
    Endpoint(
        method="DELETE", path=LABEL, scope="write", status=204, handler=remove,
        summary="Remove a label: a tombstone commit", errors=(404, 409),
        query=(
            Parameter(
                "reason", "Why; it stays in the history.",
                {"type": "string", "maxLength": MAX_REASON, "pattern": "^[^\\u0000]*$"},
            ),
        ),
    ),
)  # fmt: skip
