# SPDX-License-Identifier: Apache-2.0
"""Git in the database: what is there stays as it was, and workspaces see nothing of each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitprompt.errors import OriginUnreachable, Unavailable
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from tests.postgres import new_url

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database(new_url())
    yield found
    found.close()


@pytest.fixture
def objects(database: Database) -> GitObjects:
    found = GitObjects()
    found.open(database)
    return found


def test_a_key_is_created_once(objects: GitObjects) -> None:
    data = bytes(range(256)) * 10
    assert objects.get("git/w/log/1") is None
    assert objects.create("git/w/log/1", data)
    assert not objects.create("git/w/log/1", b"other")
    assert objects.get("git/w/log/1") == data
    objects.remove("git/w/log/1")
    assert objects.get("git/w/log/1") is None


def test_of_many_who_create_one_wins(objects: GitObjects, database: Database) -> None:
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda at: objects.create("git/w/x", b"%d" % at), range(64)))
    assert won.count(True) == 1
    assert objects.get("git/w/x") == b"%d" % won.index(True)


def test_keys_come_in_the_order_of_bytes(objects: GitObjects) -> None:
    for key in ("git/w/log/1", "git/w/log/3", "git/w/logs", "git/w/log", "git/v/log/2", "git/w/m"):
        objects.create(key, b"")
    assert objects.first_after("git/w/log/", "git/w/log/") == "git/w/log/1"
    assert objects.first_after("git/w/log/", "git/w/log/1") == "git/w/log/3"
    assert objects.first_after("git/w/log/", "git/w/log/3") is None
    assert objects.first_after("git/x/log/", "git/x/log/") is None
    assert objects.folders("git/") == ["v", "w"]


def test_a_database_that_cannot_be_written_is_an_origin_that_is_unreachable(
    objects: GitObjects, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise Unavailable("it is full")

    monkeypatch.setattr(database, "write_now", refuse)
    with pytest.raises(OriginUnreachable, match="the database: it is full"):
        objects.create("git/w/x", b"")
