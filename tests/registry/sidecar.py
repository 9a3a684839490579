# SPDX-License-Identifier: Apache-2.0
"""Sync without a server, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Outcome, Source, Sync
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import open_index
from tests import databases
from tests.world import Clone


class Sidecar:
    """Sync without a server."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        self.clone = clone
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.database = Database(databases.location(folder))
        self.source = Source("default", Repository.open(str(clone.path)), owned=True)
        self.index = open_index(str(folder / "index.db"))
        self.reader = IndexReader(self.index.path)
        self.sync = Sync(self.index, self.database, lambda: 1_700_000_000)

    def reconcile(self) -> Outcome:
        return self.sync.reconcile(self.source)

    def rebuilt(self, folder: Path) -> list[tuple[Any, ...]]:
        """The dump of an index that is built from nothing, with the same pins."""
        folder.mkdir(exist_ok=True)
        index = open_index(str(folder / "index.db"))
        sync = Sync(index, self.database, lambda: 1_700_000_001)
        sync.reconcile(self.source)
        sync.close()
        dump = list(index.dump())
        index.close()
        return dump

    def rejections(self) -> dict[str, str]:
        return {r.ref: r.findings[0].message for r in self.reader.rejected("default")}

    def close(self) -> None:
        self.sync.close()
        self.reader.close()
        self.index.close()
        self.database.close()
