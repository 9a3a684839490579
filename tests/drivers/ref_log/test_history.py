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
from tests.drivers.ref_log.nodes import LABEL, TAG, Node, key
from tests.world import run


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
            ("refs/heads/../../x", "1" * 40), ("refs/heads/a..b", "1" * 40), ("refs/heads/a//b", "1" * 40),
            ("refs/heads/.a", "1" * 40), ("refs/heads/a.lock", "1" * 40), ("refs/heads/a.lock/b", "1" * 40),
            ("refs/heads/a@{b", "1" * 40), ("refs/heads/a/", "1" * 40), ("refs/heads/a.", "1" * 40),
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

    def forged(self, store: Bucket, *updates: RefUpdate) -> None:
        first = store.get(key(1))
        assert first
        made = entry_of(first, "x")._replace(before=digest(first), updates=updates, pack=b"")
        store.create(key(2), made.encoded())

    @pytest.mark.parametrize("new", ["refs/heads/main", ""])
    def test_a_tag_that_is_said_not_to_have_been(
        self, nodes: list[Node], store: Bucket, tmp_path: Path, new: str
    ) -> None:
        """By nodes that have it, and by one that reads it in the same log."""
        self.forged(store, RefUpdate(TAG, ZERO, nodes[0].refs[new] if new else ZERO))
        self.refused(nodes[0], "entry 2 of default in memory moves a version tag")
        late = Node(store, tmp_path / "late")
        with pytest.raises(OriginUnreachable, match="moves a version tag"):
            late.fetch()
        assert late.refs == nodes[0].refs, "what was sound before it is there"

    @pytest.mark.parametrize(
        ("ref", "new"),
        [
            ("refs/heads/main/sub", "refs/heads/main"),
            ("refs/heads/x", "tree"),
            ("refs/heads/x", ""),
        ],
    )
    def test_what_git_does_not_take_is_named(
        self, nodes: list[Node], store: Bucket, tmp_path: Path, ref: str, new: str
    ) -> None:
        """By every node alike, and a new one is not damaged by it."""
        oid = nodes[0].refs.get(new, "1" * 40)
        if new == "tree":
            oid = run("git", "rev-parse", "main^{tree}", cwd=nodes[0].repository.git_dir).strip()
        self.forged(store, RefUpdate(ref, ZERO, oid))
        self.refused(nodes[0], "entry 2 of default in memory cannot be applied")
        late = Node(store, tmp_path / "late")
        with pytest.raises(
            OriginUnreachable, match=r"one of the entries 1 to 2 .* cannot be applied"
        ):
            late.fetch()
        store.remove(key(2))
        late.fetch()
        assert late.refs == nodes[1].refs

    def test_a_pack_that_is_none(self, nodes: list[Node], store: Bucket) -> None:
        first = store.get(key(1))
        assert first
        made = entry_of(first, "x")._replace(before=digest(first), updates=[], pack=b"junk")
        store.create(key(2), made.encoded())
        self.refused(nodes[0], "entry 2 of default in memory cannot be applied")

    def test_what_is_deeper_than_anybody_reads(self, nodes: list[Node], store: Bucket) -> None:
        store.create(key(2), b"[" * 100_000)
        self.refused(nodes[0], "is no entry of a log")

    def test_a_key_of_somebody_else_stops_nobody(self, nodes: list[Node], store: Bucket) -> None:
        store.create("p/git/default/log/zzz", b"x")
        nodes[0].log._looked.clear()
        nodes[0].fetch()

    @pytest.mark.parametrize("said", ["", "{}x", "[]", '{"a": 1}'])
    def test_a_note_that_cannot_be_read_is_made_again(self, nodes: list[Node], said: str) -> None:
        before = nodes[0].refs
        Path(nodes[0].repository.git_dir, "gitprompt-log.json").write_text(said)
        nodes[0].fetch()
        assert nodes[0].refs == before
        nodes[0].push(RefUpdate(LABEL, ZERO, nodes[0].commit("x")))

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
