# SPDX-License-Identifier: Apache-2.0
"""Documents that Git has lost are in a database that many nodes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Source, Sync
from gitprompt.registry.sync.pinned import documents_of, keep_documents
from gitprompt.store.database import Database
from gitprompt.store.index.writer import open_index
from tests.postgres import new_url
from tests.world import Clone

pytestmark = pytest.mark.postgres


def test_what_git_has_lost_is_in_the_database(published: Clone, tmp_path: Path) -> None:
    database = Database(new_url())
    source = Source("default", Repository.open(str(published.path)), owned=True)
    index = open_index(str(tmp_path / "index.db"))
    sync = Sync(index, database, lambda: 5)
    sync.reconcile(source)
    (pins,) = database.pins("default")
    versions = [pin.version for pin in pins]
    with source.repository.reader() as reader:
        known = documents_of(reader, database, "default", versions)
    other = Clone.init(tmp_path / "empty")
    with Repository.open(str(other.path)).reader() as reader:
        assert documents_of(reader, database, "default", versions) == known
        assert documents_of(reader, database, "elsewhere", versions) == [None]
    sync.close()
    index.close()
    database.close()


def test_documents_that_the_database_lacks_come_from_whoever_has_them(
    published: Clone, tmp_path: Path
) -> None:
    database = Database(new_url())
    source = Source("default", Repository.open(str(published.path)), owned=True)
    index = open_index(str(tmp_path / "index.db"))
    sync = Sync(index, database, lambda: 5)
    sync.reconcile(source)
    database.writer.call(lambda db: db.execute("UPDATE pin SET document = NULL"))
    empty = Source("default", Repository.open(str(Clone.init(tmp_path / "e").path)), owned=True)
    assert keep_documents(database, empty) == 0
    assert keep_documents(database, source) == 1
    assert keep_documents(database, source) == 0
    (pins,) = database.pins("default")
    with empty.repository.reader() as reader:
        assert documents_of(reader, database, "default", [pins[0].version]) != [None]
    sync.close()
    index.close()
    database.close()
