# SPDX-License-Identifier: Apache-2.0
"""API keys: made once, stored as hashes under a salt that must not be lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitprompt import keys
from gitprompt.errors import BadRequest, Invalid, NotFound, SetupError
from gitprompt.keys import KEY, MASTER, SaltGone
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyRecord, Keys
from tests import databases

SALT = b"0123456789abcdef"
NOW = 1_700_000_000
DAY = 86_400


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(databases.location(tmp_path))
    yield opened
    opened.close()


def create(database: Database, **changes: Any) -> tuple[KeyRecord, str]:
    options: dict[str, Any] = {
        "name": "ci", "workspace": "default", "scopes": "read", "expires_in_days": None,
        "clock": lambda: NOW, **changes,
    }  # fmt: skip
    return keys.create(database, SALT, **options)


# Keys


def test_a_key_is_found_by_its_hash_and_is_itself_nowhere(
    database: Database, tmp_path: Path
) -> None:
    record, key = create(database, expires_in_days=2, scopes="write, read,read")
    assert KEY.match(key)
    assert record == KeyRecord(1, "ci", "default", "read,write", NOW, NOW + 2 * DAY)
    assert database.refresh_keys() == {keys.hashed(SALT, key): record}
    secret = key.removeprefix("pm_").encode()
    assert [path.name for path in tmp_path.iterdir() if secret in path.read_bytes()] == []


def test_no_two_keys_are_alike_and_another_salt_is_another_hash(database: Database) -> None:
    (_, one), (_, other) = create(database), create(database)
    assert one != other
    assert keys.hashed(SALT, one) != keys.hashed(SALT[::-1], one)


def test_a_key_that_is_not_text_has_a_hash_too() -> None:
    hashes = {keys.hashed(SALT, os.fsdecode(text)) for text in (b"pm_", b"pm_\xff", b"pm_\xfe")}
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expires_in_days": 0}, "expires_in_days: must be between 1 and 36500"),
        ({"expires_in_days": 36_501}, "expires_in_days: must be between 1 and 36500"),
        ({"name": ""}, "name: 1 to 128 printable characters"),
        ({"name": "n" * 129}, "name: 1 to 128 printable characters"),
        ({"name": "ci\x1b[2J"}, "name: 1 to 128 printable characters"),
        ({"name": " GIT "}, "name: ' GIT ' is what the audit log calls something else"),
        ({"scopes": "read,root"}, "scopes: root is not among read, write, admin"),
        ({"scopes": " , "}, "scopes: none is not among read, write, admin"),
    ],
)
def test_what_a_key_may_not_be_makes_none(
    database: Database, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as error:
        create(database, **change)
    assert error.value.message == message
    assert database.read_now(Keys(None)) == []


def test_a_key_is_of_a_workspace_or_of_all(database: Database) -> None:
    assert create(database, workspace=MASTER)[0].workspace_id == "*"
    with pytest.raises(BadRequest, match="Invalid workspace"):
        create(database, workspace="a/*")


def test_scopes_come_in_one_order() -> None:
    assert keys.check_scopes("admin,read ,write") == "read,write,admin"
    with pytest.raises(Invalid, match="READ is not among"):
        keys.check_scopes("READ")


def test_a_workspace_revokes_its_own_keys_alone(database: Database) -> None:
    own, foreign = create(database)[0], create(database, workspace="other")[0]
    actor = Actor("default", "boss", "10.0.0.1")
    for key_id in (foreign.id, 99):
        with pytest.raises(NotFound, match="API key not found"):
            keys.revoke(database, key_id, clock=lambda: NOW, actor=actor, workspace="default")
    keys.revoke(database, own.id, clock=lambda: NOW, actor=actor, workspace="default")
    assert database.keys is None
    assert list(database.refresh_keys().values()) == [foreign]
    keys.revoke(database, foreign.id, clock=lambda: NOW)
    assert database.refresh_keys() == {}


# The salt


def test_a_salt_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    salt = keys.salt(str(data), "", None)
    assert len(salt) == 64
    assert keys.salt(str(data), "", None) == salt
    assert stat.S_IMODE((data / "salt").stat().st_mode) == 0o600
    assert os.listdir(data) == ["salt"]


def test_all_who_make_a_salt_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        salts = threads.map(lambda _: keys.salt(str(tmp_path), "", None), range(16))
    assert len(set(salts)) == 1
    assert os.listdir(tmp_path) == ["salt"]


def test_a_configured_salt_touches_no_file(tmp_path: Path, database: Database) -> None:
    create(database)
    assert keys.salt(str(tmp_path), "configured", database) == b"configured"
    assert not (tmp_path / "salt").exists()


@pytest.mark.sqlite
def test_another_salt_is_refused_as_long_as_a_key_needs_the_first(
    tmp_path: Path, database: Database
) -> None:
    keys.salt(str(tmp_path), "the first", database)
    assert keys.salt(str(tmp_path), "the second", database) == b"the second", "there is no key"
    record, _ = create(database)
    assert keys.salt(str(tmp_path), "the second", database) == b"the second"
    with pytest.raises(SetupError, match="not the one with which") as error:
        keys.salt(str(tmp_path), "the third", database)
    assert "third" not in str(error.value) + error.value.hint
    assert stat.S_IMODE((tmp_path / keys.FINGERPRINT).stat().st_mode) == 0o600
    keys.revoke(database, record.id, clock=lambda: NOW)
    assert keys.salt(str(tmp_path), "the third", database) == b"the third"


def test_no_salt_is_made_beside_keys_that_need_another(tmp_path: Path, database: Database) -> None:
    create(database)
    create(database)
    with pytest.raises(SaltGone, match="the 2 API keys that are there need it") as error:
        keys.salt(str(tmp_path), "", database)
    assert "API_KEY_SALT" in error.value.hint
    assert not (tmp_path / "salt").exists()


def test_a_salt_that_is_too_short_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "salt").write_text("short\n")
    with pytest.raises(SetupError, match="salt is too short"):
        keys.salt(str(tmp_path), "", None)
    with pytest.raises(SetupError, match=r"cannot be read or made: .*Not a directory"):
        keys.salt(str(tmp_path / "salt" / "below"), "", None)
    (tmp_path / "salt").write_bytes(b"\xff" * 32)
    with pytest.raises(SetupError, match="cannot be read or made"):
        keys.salt(str(tmp_path), "", None)
