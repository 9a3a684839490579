# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from gitprompt.drivers.bucket import Bucket
from tests.drivers.ref_log.filling import fill
from tests.drivers.ref_log.nodes import Node
from tests.world import Clone


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "memory":
        return Bucket(MemoryStore(), "memory")
    return Bucket(LocalStore(str(tmp_path / "bucket"), mkdir=True), "folder")


@pytest.fixture
def nodes(store: Bucket, forge: Clone, tmp_path: Path) -> list[Node]:
    """Three that have all of `forge`, by one entry."""
    found = [Node(store, tmp_path / f"node{at}") for at in range(3)]
    fill(found[0].log, forge)
    for node in found:
        node.fetch()
    return found
