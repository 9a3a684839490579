# SPDX-License-Identifier: Apache-2.0
"""A surface: rows that route, check, decode, answer; two dialects on one path."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.routing import Router

from gitprompt import keys
from gitprompt.clock import now
from gitprompt.config import ServerSettings
from gitprompt.errors import Conflict, Forbidden, GitpromptError, MethodNotAllowed, RateLimited
from gitprompt.server.app import sidecar
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.entrance import Entrance
from gitprompt.server.http.limits import Limiter
from gitprompt.server.http.surface import ENVELOPE, Surface, routes
from gitprompt.server.http.turns import Turns
from gitprompt.server.http.wire import RawHeaders


class Word(msgspec.Struct):
    word: str


async def echo(context: Context, call: Call) -> dict[str, Any]:
    return {"word": call.body.word, "scopes": sorted(call.principal.scopes), "at": call.path["at"]}


async def refuse(context: Context, call: Call) -> None:
    raise Conflict("no")


def theirs(error: GitpromptError, rid: bytes, scope: Any) -> tuple[int, RawHeaders, bytes]:
    return 418, [], b"theirs"


OURS = Surface(
    (
        Endpoint(method="POST", path="/x/{at}", scope="write", handler=echo, body=Word,
                 answer=dict, summary="Echo", status=201),
        Endpoint(method="GET", path="/described", scope="read", summary="Answered elsewhere"),
    ),
)  # fmt: skip
THEIRS = Surface(
    (
        Endpoint(method="POST", path="/x/{at}", scope="write", handler=refuse, body=Word,
                 summary="Refuse"),
    ),
    envelope=theirs,
    claims=lambda _scope, body: b"theirs" in body,
)  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with sidecar(ServerSettings(data=str(tmp_path / "data"))) as running:
        yield running.context


def key_of(context: Context, scopes: str) -> str:
    return keys.create(
        context.database, context.salt, name="t", workspace="default", scopes=scopes,
        expires_in_days=None, clock=now,
    )[1]  # fmt: skip


def asked(context: Context, key: str, method: str, body: Any, *, limit: int = 0) -> Any:
    """The answer of the surfaces, or what was raised and how it would be told."""
    entrance = Entrance(context.authenticator, Limiter(limit, now))
    router = Router(routes=routes((THEIRS, OURS), context, entrance, Turns()))
    raised: list[tuple[GitpromptError, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope["app"] = None
        try:
            await router(scope, receive, send)
        except GitpromptError as error:
            raised.append((error, scope.get(ENVELOPE)))
            await send({"type": "http.response.start", "status": error.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            for _ in range(max(limit, 0)):
                await client.request(method, "/x/here", json=body, headers={"X-API-Key": key})
            return await client.request(method, "/x/here", json=body, headers={"X-API-Key": key})

    answer = asyncio.run(story())
    return raised[-1] if raised else answer


def test_a_row_checks_decodes_and_answers(context: Context) -> None:
    answer = asked(context, key_of(context, "read,write"), "POST", {"word": "hi"})
    assert answer.status_code == 201
    assert answer.json() == {"word": "hi", "scopes": ["read", "write"], "at": "here"}


def test_the_scope_of_a_row_is_needed_before_its_body_is_read(context: Context) -> None:
    error, _ = asked(context, key_of(context, "read"), "POST", {"wrong": 1})
    assert isinstance(error, Forbidden)


def test_a_method_without_a_row_says_which_there_are(context: Context) -> None:
    error, _ = asked(context, key_of(context, "read"), "PUT", {})
    assert isinstance(error, MethodNotAllowed)
    assert error.headers == {"Allow": "POST"}


def test_a_dialect_gets_what_it_claims_and_tells_of_errors_its_own_way(context: Context) -> None:
    error, envelope = asked(context, key_of(context, "write"), "POST", {"word": "theirs"})
    assert isinstance(error, Conflict)
    assert envelope(error, b"", {})[2] == b"theirs"


def test_the_limit_of_a_key_counts_at_the_entrance(context: Context) -> None:
    error, _ = asked(context, key_of(context, "write"), "POST", {"word": "hi"}, limit=2)
    assert isinstance(error, RateLimited)


def test_what_is_only_described_has_no_route(context: Context) -> None:
    entrance = Entrance(context.authenticator, Limiter(0, now))
    made = routes((OURS,), context, entrance, Turns())
    assert [route.path for route in made] == ["/x/{at}"]
