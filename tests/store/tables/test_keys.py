# SPDX-License-Identifier: Apache-2.0
"""API keys: in the table, and all of them in memory until some process changes one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyInsertion, KeyRecord, KeyRemoval, Keys, KeyUse
from gitprompt.store.tables.rows import Tally
from tests import databases
from tests.world import eventually


@pytest.fixture
def elsewhere(database: Database, tmp_path: Path) -> Iterator[Database]:
    """The same database in another process."""
    other = Database(databases.location(tmp_path))
    yield other
    other.close()


def add(database: Database, hashed: str, workspace: str = "default") -> KeyRecord:
    entry = Actor(workspace, "test").did("key:create", 1)
    return database.add_key(KeyInsertion("k", workspace, "read,write", hashed, 1, None, entry))


def remove(database: Database, number: int, workspace: str | None = None) -> bool:
    return database.remove_key(
        KeyRemoval(number, workspace, Actor("default", "test").did("key:revoke", 2))
    )


def test_a_key_is_known_by_its_hash_as_soon_as_it_is_made(database: Database) -> None:
    record = add(database, "hash")
    assert database.refresh_keys() == {"hash": record}
    assert record.scope_set == {"read", "write"}


def test_keys_that_another_process_has_changed_are_not_trusted(
    database: Database, elsewhere: Database
) -> None:
    record = add(database, "hash")
    eventually(lambda: elsewhere.keys is None, seconds=5)
    assert elsewhere.refresh_keys() == {"hash": record}
    remove(elsewhere, record.id)
    eventually(lambda: database.keys is None, seconds=5)
    assert database.refresh_keys() == {}


def test_keys_in_memory_cost_no_query(database: Database) -> None:
    add(database, "hash")
    assert database.refresh_keys() is database.refresh_keys() is database.keys


def test_a_key_goes_only_with_its_own_workspace_or_with_any(database: Database) -> None:
    first, second = add(database, "a"), add(database, "b", "team")
    assert not remove(database, second.id, "default")
    assert remove(database, second.id, "team")
    assert remove(database, first.id, None)
    assert not remove(database, first.id, None)
    assert database.read_now(Tally("default", "audit")) == 3  # made, and two revoked


def test_keys_are_listed_of_one_workspace_or_of_all_oldest_first(database: Database) -> None:
    numbers = [add(database, hashed, name).id for hashed, name in (("a", "x"), ("b", "y"))]
    assert [record.id for record in database.read_now(Keys(None))] == numbers
    assert [record.id for record in database.read_now(Keys("y"))] == numbers[1:]


def test_the_last_use_of_a_key_never_goes_back(database: Database) -> None:
    number = add(database, "hash").id
    for at in (50, 40):
        database.write_now(KeyUse({number: at}))
    assert [record.last_used_at for record in database.read_now(Keys(None))] == [50]


def test_the_number_of_a_key_that_is_gone_is_not_given_again(database: Database) -> None:
    number = add(database, "hash").id
    remove(database, number)
    assert add(database, "other").id > number
