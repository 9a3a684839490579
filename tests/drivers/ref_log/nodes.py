# SPDX-License-Identifier: Apache-2.0
"""Nodes that share a log, and what can go wrong between them and its store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import OriginUnreachable
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import RefUpdate
from tests.world import empty_repository, run

TAG = "refs/tags/prompts/welcome/1.0.0"
LABEL = "refs/labels/welcome@staging"
Fate = Literal["works", "fails before", "fails after", "is slow"]


class Faulty:
    """A store whose next creation fails, before or after it is done; or which is away, or cuts what it
    answers."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.fate: Fate = "works"
        self.is_away = False
        self.cuts = False
        self.asked = 0

    def get(self, key: str) -> bytes | None:
        self.asked += 1
        self._answer()
        found = self.store.get(key)
        return found[: len(found) // 2] if found and self.cuts else found

    def create(self, key: str, data: bytes) -> bool:
        self._answer()
        fate, self.fate = self.fate, "works"
        if fate == "fails before":
            raise OriginUnreachable("the line was cut")
        if fate == "is slow":
            time.sleep(0.5)
        made = self.store.create(key, data)
        if fate == "fails after":
            raise OriginUnreachable("the answer was lost")
        return made

    def remove(self, key: str) -> None:
        self._answer()
        self.store.remove(key)

    def first_after(self, folder: str, key: str) -> str | None:
        self._answer()
        return self.store.first_after(folder, key)

    def folders(self, folder: str) -> list[str]:
        self._answer()
        return self.store.folders(folder)

    def _answer(self) -> None:
        if self.is_away:
            raise OriginUnreachable("nobody answers")


class Node:
    """A repository that follows a log, and writes to it."""

    def __init__(self, store: ObjectStore, path: Path) -> None:
        self.store = Faulty(store)
        self.log = RefLog(self.store, name="test", place="memory", prefix="p/")
        path.mkdir()
        self.repository = empty_repository(path / "r.git")
        self.log.claim("default", self.repository)

    def fetch(self) -> None:
        self.log.expect("default")
        assert self.log.fetch("default", self.repository) == {}

    def commit(self, text: str) -> str:
        """An object that nobody else has."""
        tip = self.repository.refs().get("refs/heads/main")
        assert tip
        return run(
            "git", "-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", text, "-p", tip,
            f"{tip}^{{tree}}", cwd=self.repository.git_dir,
        ).strip()  # fmt: skip

    def push(self, *updates: RefUpdate) -> None:
        """As a write does it: there first, then here."""
        self.log.push("default", self.repository, updates)
        update_refs(self.repository, updates, message="test")

    @property
    def refs(self) -> dict[str, str]:
        return dict(self.repository.refs().items())


def key(number: int) -> str:
    return f"p/git/default/log/{number:012}"
