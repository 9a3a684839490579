# SPDX-License-Identifier: Apache-2.0
"""Who is asking: keys in headers, their workspace, scopes and age."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt import keys
from gitprompt.errors import BadRequest, Forbidden, GitpromptError, Invalid, Unauthorized
from gitprompt.server.http.auth import Authenticator, Headers, Principal, read_headers
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyRecord, Keys
from tests import databases
from tests.world import eventually

NOW = 1_000_000
SALT = b"salt" * 8


class Door:
    """An authenticator over a database, and a clock that can be set."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.database = Database(databases.location(folder))
        self.authenticator = Authenticator(self.database, SALT, lambda: self.now, data=str(folder))

    def key(self, workspace: str = "default", *, days: int | None = None) -> tuple[KeyRecord, str]:
        return keys.create(
            self.database, SALT, name="ci", workspace=workspace, scopes="read",
            expires_in_days=days, clock=lambda: NOW, actor=Actor(workspace, "test"),
        )  # fmt: skip

    def ask(self, headers: Headers, workspace: str | None = None) -> Principal:
        return asyncio.run(self.authenticator.authenticate(headers, workspace=workspace))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.database.close()


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def test_a_key_says_who_asks_and_what_they_may(door: Door) -> None:
    record, key = door.key()
    assert door.ask(Headers(api_key=key.encode())) == Principal(
        "default", frozenset({"read"}), record.id, "ci", False
    )


def test_a_key_may_come_in_any_of_the_headers(door: Door) -> None:
    _, key = door.key()
    for header in (f"Bearer {key}".encode(), f"bearer  {key} ".encode(), basic("git", key),
                   basic(key, "")):  # fmt: skip
        assert door.ask(Headers(authorization=header)).key_name == "ci"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (Headers(), "Missing X-API-Key header"),
        (Headers(authorization=b"Basic !!!"), "Missing X-API-Key header"),
        (Headers(authorization=b"Digest x"), "Missing X-API-Key header"),
        (Headers(api_key=b"pm_unknown"), "Invalid API key"),
        (Headers(api_key="ä".encode()), "Invalid API key"),
        (Headers(api_key=b"pm_" + b"0" * 10_000), "Invalid API key"),
    ],
)
def test_what_is_no_key_is_unauthorized(door: Door, headers: Headers, words: str) -> None:
    with pytest.raises(Unauthorized, match=words):
        door.ask(headers)


def test_a_key_opens_its_own_workspace_and_a_master_key_any(door: Door) -> None:
    _, own = door.key("team")
    _, master = door.key(keys.MASTER)
    asked = Headers(api_key=own.encode(), workspace=b"other")
    with pytest.raises(Unauthorized, match="does not belong to this workspace"):
        door.ask(asked)
    assert door.ask(asked, workspace="team").workspace == "team"  # the path counts more
    principal = door.ask(Headers(api_key=master.encode(), workspace=b"other"))
    assert (principal.workspace, principal.is_master) == ("other", True)


def test_a_workspace_that_cannot_be_a_name_is_refused(door: Door) -> None:
    _, master = door.key(keys.MASTER)
    with pytest.raises((BadRequest, Invalid)):
        door.ask(Headers(api_key=master.encode(), workspace=b"../x"))


def test_a_key_ends_in_the_second_in_which_it_expires(door: Door) -> None:
    record, key = door.key(days=1)
    assert record.expires_at is not None
    door.now = record.expires_at - 1
    door.ask(Headers(api_key=key.encode()))
    door.now = record.expires_at
    with pytest.raises(Unauthorized, match="API key expired"):
        door.ask(Headers(api_key=key.encode()))


def test_a_key_that_another_process_revokes_is_refused_at_once(door: Door, tmp_path: Path) -> None:
    record, key = door.key()
    door.ask(Headers(api_key=key.encode()))
    elsewhere = Database(databases.location(tmp_path))
    keys.revoke(
        elsewhere, record.id, clock=lambda: NOW, actor=Actor("default", "x"), workspace=None
    )
    elsewhere.close()
    if databases.IS_POSTGRES:  # within a second
        eventually(lambda: door.database.keys is None, seconds=5)
    with pytest.raises(Unauthorized, match="Invalid API key"):
        door.ask(Headers(api_key=key.encode()))


def test_the_last_use_is_written_down_later_and_once(door: Door) -> None:
    _, key = door.key()
    door.ask(Headers(api_key=key.encode()))
    assert [one.last_used_at for one in door.database.read_now(Keys(None))] == [None]
    door.authenticator.write_down_use()
    assert [one.last_used_at for one in door.database.read_now(Keys(None))] == [NOW]
    assert door.authenticator.used == {}


def test_a_scope_that_is_missing_is_named() -> None:
    principal = Principal("default", frozenset({"read"}), 1, "ci", False)
    principal.require("read")
    with pytest.raises(Forbidden, match="Missing required scope: write"):
        principal.require("write")


def test_a_local_request_takes_the_local_token_alone(door: Door) -> None:
    _, key = door.key(keys.MASTER)
    with pytest.raises(GitpromptError, match="Invalid local token"):
        door.authenticator.authenticate_locally(Headers(api_key=key.encode()))


def test_of_a_header_that_came_twice_the_last_counts() -> None:
    raw = [(b"x-api-key", b"a"), (b"x-other", b"x"), (b"x-api-key", b"b"), (b"x-request-id", b"r")]
    assert read_headers(raw) == Headers(api_key=b"b", request_id=b"r")
