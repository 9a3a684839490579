# SPDX-License-Identifier: Apache-2.0
"""The bodies of all requests together have so much memory, and no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt import keys
from gitprompt.clock import now
from gitprompt.config import ServerSettings
from gitprompt.errors import Unavailable
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.server.work.held import Held


def test_who_finds_no_room_is_told_to_come_again_and_room_comes_back() -> None:
    held = Held(100)
    scopes: list[dict[str, Any]] = [{}, {}, {}]
    held.take(scopes[0], 10)
    held.take(scopes[1], 14)
    with pytest.raises(Unavailable, match="too much is being sent at once") as caught:
        held.take(scopes[2], 2)
    assert caught.value.headers["Retry-After"] == "2"
    held.let_go(scopes[2])
    held.let_go(scopes[0])
    held.take(scopes[2], 2)
    for scope in scopes:
        held.let_go(scope)
        held.let_go(scope)
    assert held.size == 0


def test_one_alone_may_have_more_than_all_may_together() -> None:
    held = Held(100)
    held.take({}, 1_000)
    with pytest.raises(Unavailable):
        held.take({}, 1)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Sidecar]:
    settings = ServerSettings(data=str(tmp_path / "data"), max_held_bytes=4_000_000)
    with sidecar(settings) as running:
        yield running


def test_what_is_refused_is_not_stored_and_all_is_let_go(application: Sidecar) -> None:
    context = application.context
    key = keys.create(
        context.database, context.salt, name="ci", workspace="default", scopes="read,write",
        clock=now, expires_in_days=None,
    )[1]  # fmt: skip
    log = {"prompt_name": "a", "version_tag": "1.0.0", "provider": "x", "model": "y"}
    body = json.dumps({**log, "metadata": {"a": "x" * 700_000}}).encode()

    async def story() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://t", headers=headers
        ) as client:
            answers = await asyncio.gather(
                *(client.post("/v1/logs", content=_slowly(body)) for _ in range(4))
            )
            return [*answers, await client.post("/v1/logs", content=body),
                    await client.get("/v1/logs")]  # fmt: skip

    *posted, last, listed = asyncio.run(story())
    assert sorted(answer.status_code for answer in posted) == [202, 503, 503, 503]
    assert last.status_code == 202
    assert listed.json()["total"] == 2
    assert context.held.size == 0


async def _slowly(body: bytes) -> Any:
    """In two pieces, so that all are on their way together."""
    yield body[:600_000]
    await asyncio.sleep(0.05)
    yield body[600_000:]
