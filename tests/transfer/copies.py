# SPDX-License-Identifier: Apache-2.0
"""Copies repositories between any two places, as `gitprompt mirror` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from obstore.store import MemoryStore

from gitprompt.config import server_settings
from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.ref_log import RefLog
from gitprompt.drivers.shelf import Shelf
from gitprompt.git.repository import Repository
from gitprompt.transfer import mirroring
from gitprompt.transfer.mirroring import Copied, Location


def copy(source: str | Location, target: str | Location, workspace: str = "default") -> Copied:
    settings = server_settings({}, {})
    stages: list[str] = []

    def place(text: str, *, new: bool) -> Any:
        return mirroring.opened(text, workspace, settings, new=new)

    def show(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        stages.append(stage)

    if isinstance(source, str) and isinstance(target, str):
        with place(source, new=False) as old, place(target, new=True) as new:
            made = mirroring.mirror(old, new, workspace, show)
    elif isinstance(source, str):
        with place(source, new=False) as old:
            made = mirroring.mirror(old, target, workspace, show)  # type: ignore[arg-type]
    elif isinstance(target, str):
        with place(target, new=True) as new:
            made = mirroring.mirror(source, new, workspace, show)
    else:
        made = mirroring.mirror(source, target, workspace, show)
    assert stages
    return made


def refs_of(path: Path | str) -> dict[str, str]:
    return dict(Repository.open(str(path)).refs().items())


def a_bucket(prefix: str = "p/") -> tuple[Location, Bucket]:
    store = Bucket(MemoryStore(), "memory")
    log = RefLog(store, name="s3", place="memory", prefix=prefix, shelf=Shelf(store, prefix))
    return Location("memory", log), store
