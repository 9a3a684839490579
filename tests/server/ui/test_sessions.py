# SPDX-License-Identifier: Apache-2.0
"""Sessions end with their key, with time, and with the start of the server that opened them by a ticket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt import keys
from gitprompt.config import ServerSettings
from gitprompt.errors import Forbidden, NotFound, Unauthorized
from gitprompt.server.http.auth import Authenticator, Headers, Principal
from gitprompt.server.ui.sessions import Sessions
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from tests import databases

SALT = b"0123456789abcdef"
ACTOR = Actor("default", "ada", "127.0.0.1")


class World:
    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000
        self.data = str(folder)
        self.database = Database(databases.location(folder))
        self.authenticator = Authenticator(self.database, SALT, lambda: self.now, data=self.data)
        settings = ServerSettings(data=self.data)
        self.sessions = Sessions(
            self.database, self.authenticator, settings, SALT, lambda: self.now
        )

    def key(self, scopes: str = "read,write", workspace: str = "default") -> tuple[int, Principal]:
        record, key = keys.create(
            self.database, SALT, name="ada", workspace=workspace, scopes=scopes,
            expires_in_days=None, clock=lambda: self.now,
        )  # fmt: skip
        principal = asyncio.run(self.authenticator.authenticate(Headers(key.encode())))
        return record.id, principal

    def begin(self, principal: Principal, *, may_change: bool = False) -> str:
        return asyncio.run(
            self.sessions.begin(principal, ACTOR, may_change=may_change, is_plain=False)
        ).cookie

    def find(self, cookie: str, workspace: str | None = None) -> tuple[str, Principal, bool]:
        return asyncio.run(self.sessions.find(cookie, workspace))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def test_a_session_is_its_key_in_its_workspace(world: World) -> None:
    key_id, principal = world.key()
    cookie = world.begin(principal, may_change=True)
    assert len(cookie) >= 43  # 256 bits
    _, found, may_change = world.find(cookie)
    assert (found, may_change) == (principal, True)
    assert found.key_id == key_id
    with pytest.raises(NotFound):
        world.find(cookie, "other")
    with pytest.raises(Unauthorized):
        world.find(cookie + "x")
    with pytest.raises(Unauthorized):
        world.find("")


def test_two_sessions_of_one_key_are_two(world: World) -> None:
    _, principal = world.key()
    assert world.begin(principal) != world.begin(principal)


def test_revoking_the_key_ends_the_session_at_once(world: World) -> None:
    key_id, principal = world.key()
    cookie = world.begin(principal)
    world.find(cookie)
    keys.revoke(world.database, key_id, clock=lambda: world.now)
    with pytest.raises(Unauthorized):
        world.find(cookie)


def test_a_session_ends_after_hours_and_sooner_if_nobody_uses_it(world: World) -> None:
    _, principal = world.key()
    idle, used = world.begin(principal), world.begin(principal)
    for _ in range(11):
        world.now += 3_600
        world.find(used)
        world.database.write_now(ACTOR.did("settled", 1))  # what was noted before it is on disk
    with pytest.raises(Unauthorized):
        world.find(idle)
    world.now += 3_601
    with pytest.raises(Unauthorized):
        world.find(used)


def test_a_session_that_was_ended_is_over(world: World) -> None:
    _, principal = world.key()
    cookie = world.begin(principal)
    hashed, _, _ = world.find(cookie)
    asyncio.run(world.sessions.end(hashed, ACTOR))
    with pytest.raises(Unauthorized):
        world.find(cookie)


def test_a_key_that_cannot_read_opens_no_session(world: World) -> None:
    _, principal = world.key("write")
    with pytest.raises(Forbidden):
        world.begin(principal)


def token(world: World, text: str) -> None:
    path = Path(world.data) / "local-token"
    path.write_text(text)
    os.chmod(path, 0o600)


def test_a_ticket_signs_in_once(world: World) -> None:
    token(world, "local_1")
    ticket = world.sessions.issue(may_change=True, is_single=True, seconds=60)
    assert world.sessions.is_good(ticket)
    session = asyncio.run(world.sessions.redeem(ticket, None, is_plain=False))
    _, principal, may_change = world.find(session.cookie, "any")
    assert (principal.workspace, principal.is_master, may_change) == ("any", True, True)
    assert principal.scopes == {"read", "write", "admin"}
    assert not world.sessions.is_good(ticket)
    with pytest.raises(Unauthorized):
        asyncio.run(world.sessions.redeem(ticket, None, is_plain=False))


def test_a_ticket_is_soon_too_old(world: World) -> None:
    token(world, "local_1")
    ticket = world.sessions.issue(may_change=False, is_single=True, seconds=60)
    world.now += 60
    assert not world.sessions.is_good(ticket)
    with pytest.raises(Unauthorized):
        asyncio.run(world.sessions.redeem(ticket, None, is_plain=False))


def test_what_a_ticket_opened_ends_with_the_server_that_gave_it(world: World) -> None:
    token(world, "local_1")
    ticket = world.sessions.issue(may_change=False, is_single=False, seconds=60)
    cookie = asyncio.run(world.sessions.redeem(ticket, None, is_plain=False)).cookie
    world.find(cookie)
    token(world, "local_2")
    with pytest.raises(Unauthorized):
        world.find(cookie)


def test_tickets_that_nobody_uses_are_few(world: World) -> None:
    for _ in range(1_000):
        world.sessions.issue(may_change=False, is_single=True, seconds=60)
    with pytest.raises(Forbidden):
        world.sessions.issue(may_change=False, is_single=True, seconds=60)
    world.now += 61
    assert world.sessions.issue(may_change=False, is_single=True, seconds=60)
