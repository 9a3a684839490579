# SPDX-License-Identifier: Apache-2.0
"""What somebody else did to a log stops its workspace, and nothing is skipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.ref_log.entry import digest, entry_of
from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import ZERO, RefUpdate
from tests.drivers.ref_log.nodes import LABEL, Node, key


class TestDamage:
    """It stops this workspace, is told as long as it lasts, and nothing is skipped."""

    def refused(self, node: Node, said: str) -> None:
        node.log._looked.clear()
        before = node.refs
        with pytest.raises(OriginUnreachable, match=said):
            node.fetch()
        with pytest.raises(OriginUnreachable, match=said):
            node.log.check("default", node.repository)
        assert node.refs == before

    def test_an_entry_of_a_later_format(self, nodes: list[Node], store: Bucket) -> None:
        store.create(key(2), json.dumps({"v": 2}).encode() + b"\n")
        self.refused(nodes[0], "has the format 2, and this gitprompt knows 1")

    @pytest.mark.parametrize("data", [b"", b"{}", b"hello\n", b'{"v": 1}\n', b"[]\n", b"\xff\n"])
    def test_what_is_no_entry(self, nodes: list[Node], store: Bucket, data: bytes) -> None:
        store.create(key(2), data)
        self.refused(nodes[0], "entry 2 of default in memory is no entry of a log")

    @pytest.mark.parametrize(
        ("ref", "new"),
        [
            ("HEAD", "1" * 40), ("refs/heads/x\0y", "1" * 40), ("refs/heads/x\n", "1" * 40),
            ("refs/gitprompt/pins", "1" * 40), ("refs/heads/x", "HEAD"), ("refs/heads/x", "--all"),
        ],
    )  # fmt: skip
    def test_what_is_no_ref_or_object(
        self, nodes: list[Node], store: Bucket, ref: str, new: str
    ) -> None:
        first = store.get(key(1))
        assert first
        updates = [RefUpdate(ref, ZERO, new)]
        forged = entry_of(first, "x")._replace(before=digest(first), updates=updates, pack=b"")
        store.create(key(2), forged.encoded())
        self.refused(nodes[0], "names what is no ref or no object")

    def test_an_entry_of_another_history(self, nodes: list[Node], store: Bucket) -> None:
        first = store.get(key(1))
        assert first
        store.create(key(2), entry_of(first, "x")._replace(before="0" * 64).encoded())
        self.refused(nodes[0], "follows another history")

    def test_a_gap(self, nodes: list[Node], store: Bucket) -> None:
        store.create(key(3), b"x")
        self.refused(nodes[0], "entry 2 of default in memory is missing, and later ones are there")

    def test_a_store_that_was_emptied_gets_no_second_history(
        self, nodes: list[Node], tmp_path: Path
    ) -> None:
        node = nodes[0]
        node.store.store = Bucket(MemoryStore(), "memory")
        self.refused(node, "entry 1 of default in memory was deleted or changed")

    def test_a_store_that_is_away_stops_no_reading(self, nodes: list[Node]) -> None:
        node = nodes[0]
        node.store.is_away = True
        self.refused(node, "nobody answers")
        with pytest.raises(OriginUnreachable):
            node.push(RefUpdate(LABEL, ZERO, node.commit("x")))
        assert node.log.workspaces() == ["default"]
        node.store.is_away = False
        node.fetch()
        node.log.check("default", node.repository)
