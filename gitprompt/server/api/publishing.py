# SPDX-License-Identifier: Apache-2.0
"""Writing below /v1/prompts: a version, a label. Both end up as commits and refs in Git."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive, Scope, Send

from gitprompt.checks import schema
from gitprompt.errors import (
    MethodNotAllowed,
)
from gitprompt.publishing import Author
from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.auth import Principal, read_headers
from gitprompt.server.http.bodies import read_json
from gitprompt.server.http.endpoints import Endpoint, actor_of, respond
from gitprompt.server.http.wire import RawHeaders, read_body, request_id

PREFIX = "/v1/prompts"


def split_path(rest: str) -> tuple[str, str]:
    """Name and tail of a path below the prefix: a name never has a segment 'versions', 'labels' or
    'diff', so it ends before the first of these."""
    segments = rest.split("/")
    for at, segment in enumerate(segments[1:], start=1):
        if segment in ("versions", "labels", "diff"):
            return "/".join(segments[:at]), "/".join(segments[at:])
    return rest, ""


def endpoints() -> list[Endpoint]:
    """What is answered here, described."""
    labels = "/v1/prompts/{name}/labels"
    prompt = {
        **schema.load("prompt"),
        "required": ["name", "version", "messages"],
    }
    prompt.pop("$schema")
    return [
        Endpoint(
            method="POST", path=PREFIX, scope="write", status=201,
            summary="Publish a version: blob, tree, commit and tag", body=prompt,
            answer=shapes.PublishedVersion, errors=(409,),
            example={
                "name": "welcome", "version": "1.0.0",
                "messages": [
                    {"role": "system", "content": "You are a helpful assistant."},
                    {"role": "user", "content": "Hello {{name}}!"},
                ],
                "variables": {"name": {"type": "string", "required": True}},
                "model_config": {"model": "gpt-4o", "temperature": 0.7}, "tags": ["greeting"],
            },
        ),
        Endpoint(
            method="POST", path=labels, scope="write", status=201, summary="Create a label",
            body=shapes.NewLabel, answer=shapes.Label, errors=(404, 409),
            example={"name": "production", "version_tag": "1.0.0"},
        ),
        Endpoint(
            method="PUT", path=f"{labels}/{{label}}", scope="write",
            summary="Move a label, or create it; with `expected` by compare-and-swap",
            body=shapes.LabelChange, answer=shapes.MovedLabel, errors=(404, 409),
            example={"version_tag": "1.0.0", "reason": "Launch"},
        ),
        Endpoint(
            method="DELETE", path=f"{labels}/{{label}}", scope="write", status=204,
            summary="Remove a label: a tombstone commit", errors=(404, 409),
        ),
    ]  # fmt: skip


class Publishing:
    """POST, PUT and DELETE below /v1/prompts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._index = context.index

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises GitpromptError, which the caller turns into the error envelope."""
        path = scope["path"][len(PREFIX) + 1 :].rstrip("/")
        name, tail = split_path(path)
        label = tail.removeprefix("labels/") if tail.startswith("labels/") else ""
        wanted = _what(scope["method"], name, tail, label)
        headers = read_headers(scope["headers"])
        principal = self._context.authenticator.authenticate(headers)
        principal.require("write")
        limits = self._context.limiter.admit(principal)
        request = _Request(scope, receive, principal)
        status = 201
        answer: Any = None
        if wanted == "publish":
            answer = await self._publish(request)
        elif wanted == "create":
            answer = await self._create_label(request, name)
        elif wanted == "move":
            status, answer = 200, await self._move_label(request, name, label)
        else:
            status = 204
            await self._remove_label(request, name, label)
        rid: RawHeaders = [(b"x-request-id", request_id(headers.request_id))]
        await respond(send, status, answer, [*rid, *limits])

    async def _publish(self, request: _Request) -> shapes.PublishedVersion:
        document = await self._body(request, dict[str, Any])
        made = await self._context.publishing.publish(request.author, document)
        return shapes.PublishedVersion(
            name=made.name,
            version_tag=made.version,
            commit_sha=made.commit,
            created_at=made.created_at,
            on_branch=made.on_branch,
        )

    async def _create_label(self, request: _Request, name: str) -> shapes.Label:
        body: shapes.NewLabel = await self._body(request, shapes.NewLabel)
        moved = await self._context.publishing.create_label(
            request.author, name, body.name, body.version_tag, reason=body.reason or ""
        )
        created = self._index.one_label(request.principal.workspace, name, body.name)
        return shapes.Label(
            prompt_name=name,
            name=body.name,
            version_tag=moved.version,
            created_at=created[1] if created else self._context.clock(),
        )

    async def _move_label(self, request: _Request, name: str, label: str) -> shapes.MovedLabel:
        body: shapes.LabelChange = await self._body(request, shapes.LabelChange)
        moved = await self._context.publishing.move_label(
            request.author, name, label, body.version_tag, reason=body.reason or "",
            expected=body.expected if isinstance(body.expected, str | None) else ...,
        )  # fmt: skip
        return shapes.MovedLabel(
            prompt_name=name,
            name=label,
            version_tag=moved.version,
            previous=moved.previous,
            commit_sha=moved.commit,
        )

    async def _remove_label(self, request: _Request, name: str, label: str) -> None:
        await self._context.publishing.remove_label(request.author, name, label)

    async def _body(self, request: _Request, shape: Any) -> Any:
        limit = self._context.settings.max_body_bytes
        body = await read_body(request.scope, request.receive, limit)
        return read_json(request.scope, body, limit, shape=shape)


class _Request:
    def __init__(self, scope: Scope, receive: Receive, principal: Principal) -> None:
        self.scope = scope
        self.receive = receive
        self.principal = principal
        self.author = Author(actor_of(principal, scope), principal.key_id, principal.scopes)


def _what(method: str, name: str, tail: str, label: str) -> str:
    """What a request wants, or MethodNotAllowed with what its path allows."""
    if not name:
        allowed = {"POST": "publish"}
    elif tail == "labels":
        allowed = {"POST": "create"}
    elif label and "/" not in label:
        allowed = {"PUT": "move", "DELETE": "remove"}
    else:
        allowed = {}
    if method not in allowed:
        methods = sorted({"GET", "HEAD", *allowed})
        raise MethodNotAllowed("Method not allowed", headers={"Allow": ", ".join(methods)})
    return allowed[method]
