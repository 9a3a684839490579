# SPDX-License-Identifier: Apache-2.0
"""A node begins with the newest checkpoint, and has what a node has that read it all."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from obstore.store import LocalStore

from gitprompt.drivers import ref_log
from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.ref_log import checkpoints, history
from gitprompt.drivers.ref_log.applied import position_of
from gitprompt.drivers.ref_log.entry import entry_of
from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import ZERO, RefUpdate
from tests.drivers.ref_log.nodes import LABEL, Node, key
from tests.world import eventually, run

CHECKPOINTS = "p/git/default/checkpoints/"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every fifth entry."""
    monkeypatch.setattr(ref_log, "_TAIL", 5)


@pytest.fixture
def store(tmp_path: Path) -> Bucket:
    return Bucket(LocalStore(str(tmp_path / "bucket"), mkdir=True), "folder")


def publish(node: Node, count: int, folder: str = "p") -> None:
    for at in range(count):
        node.push(RefUpdate(f"refs/labels/{folder}{at}@x", ZERO, node.commit(f"{folder} {at}")))
        node.fetch()


def newest(node: Node) -> int:
    found = node.log._history("default").checkpoint()
    return found.number if found else 0


def is_newest(node: Node, number: int) -> bool:
    return newest(node) == number


def same(node: Node, other: Node) -> None:
    node.fetch()
    other.fetch()
    assert node.refs == other.refs
    assert position_of(node.repository) == position_of(other.repository)
    assert node.repository.refs().head == other.repository.refs().head
    run("git", "fsck", "--strict", "--connectivity-only", cwd=node.repository.git_dir)


def test_it_is_written_now_and_then_and_begun_with(
    nodes: list[Node], store: Bucket, tmp_path: Path
) -> None:
    publish(nodes[0], 12)
    nodes[0].push(RefUpdate("refs/labels/p0@x", nodes[0].refs["refs/labels/p0@x"], ZERO))
    eventually(lambda: newest(nodes[0]) == 10)
    late = Node(store, tmp_path / "late")
    late.fetch()
    assert late.store.asked < 45, "the tail is asked for, at once, and no entry before"
    same(late, nodes[0])
    assert "refs/labels/p0@x" not in late.refs
    late.push(RefUpdate(LABEL, ZERO, late.commit("its own")))
    same(nodes[1], late)


def test_tags_know_what_they_lead_to(nodes: list[Node], store: Bucket, tmp_path: Path) -> None:
    """A clone is told so at once; git has not to look each up."""
    publish(nodes[0], 5)
    eventually(lambda: newest(nodes[0]) == 5)
    late = Node(store, tmp_path / "late")
    late.fetch()
    packed = Path(late.repository.common_dir, "packed-refs").read_text()
    assert packed.startswith("# pack-refs with: peeled fully-peeled sorted")
    assert "\n^" in packed


def test_a_start_that_is_cut_begins_again(
    nodes: list[Node], store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(nodes[0], 7)
    eventually(lambda: newest(nodes[0]) == 5)
    late = Node(store, tmp_path / "late")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("write_packed_refs", "_finish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"gitprompt.drivers.ref_log.applied.{step}", die)
            with pytest.raises(KeyboardInterrupt):
                late.fetch()
    same(late, nodes[0])


def test_one_whose_author_died_is_written_by_another(nodes: list[Node]) -> None:
    publish(nodes[0], 2)
    nodes[0].log._node = "another"  # whose entries are nobody's who lives
    for _ in range(10):
        nodes[0].push(RefUpdate(f"refs/labels/q{_}@x", ZERO, nodes[0].commit(f"q {_}")))
        nodes[0].log._node = f"dead {_}"
        nodes[0].fetch()
    assert newest(nodes[0]) == 0
    nodes[1].fetch()
    nodes[1].log._looked.clear()
    nodes[1].fetch()
    eventually(lambda: newest(nodes[1]) == 13)


def test_many_packs_become_one(
    nodes: list[Node], store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_PACKS", 2)
    for round_ in range(3):
        publish(nodes[0], 5, f"r{round_}-")
        eventually(partial(is_newest, nodes[0], 5 * (round_ + 1)))
    found = nodes[0].log._history("default").checkpoint()
    assert found is not None
    assert len(found.packs) == 1
    same(Node(store, tmp_path / "late"), nodes[0])


def test_two_write_the_same(nodes: list[Node], store: Bucket, tmp_path: Path) -> None:
    publish(nodes[0], 3)
    other = Bucket(LocalStore(str(tmp_path / "copy"), mkdir=True), "folder")
    kept = []
    for node in nodes[:2]:
        node.fetch()
        place = node.log._history("default")
        checkpoints.write_checkpoint(place, node.repository, 4)
        kept.append(store.get(f"{CHECKPOINTS}{10**12 - 4:012}"))
    assert kept[0] == kept[1] is not None
    assert other.first_after("p/", "p/") is None


class TestPieces:
    """Of packs that are too large for an entry, or for one request."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "_INLINE", 100)
        monkeypatch.setattr(history, "_PIECE", 64)

    def test_they_are_put_together(self, nodes: list[Node], store: Bucket, tmp_path: Path) -> None:
        publish(nodes[0], 7)
        eventually(lambda: newest(nodes[0]) == 5)
        same(nodes[1], nodes[0])
        same(Node(store, tmp_path / "late"), nodes[0])

    def test_one_that_was_changed_or_deleted_is_told(
        self, nodes: list[Node], store: Bucket, tmp_path: Path
    ) -> None:
        publish(nodes[0], 1)
        data = store.get(key(2))
        assert data
        piece = f"p/git/default/packs/{entry_of(data, 'x').pieces[1]}"
        store.remove(piece)
        before = nodes[1].refs
        with pytest.raises(OriginUnreachable, match="a piece of a pack of default in memory"):
            nodes[1].fetch()
        store.create(piece, b"other")
        with pytest.raises(OriginUnreachable, match="was deleted or changed"):
            nodes[1].fetch()
        assert nodes[1].refs == before


def test_one_that_fails_is_nobodys_failure(nodes: list[Node], store: Bucket) -> None:
    store.create(f"{CHECKPOINTS}{10**12 - 2:012}", b"nonsense")
    publish(nodes[0], 6)
    same(nodes[0], nodes[1])
    nodes[0].log.close()
    assert store.get(f"{CHECKPOINTS}{10**12 - 5:012}") is None


@pytest.mark.parametrize("said", [b"nonsense", b"", b'{"v": 2}\n'])
def test_a_node_does_not_begin_with_what_is_none(
    nodes: list[Node], store: Bucket, tmp_path: Path, said: bytes
) -> None:
    store.create(f"{CHECKPOINTS}{10**12 - 1:012}", said)
    late = Node(store, tmp_path / "late")
    with pytest.raises(OriginUnreachable, match="checkpoint 1 of default in memory"):
        late.fetch()
    assert late.refs == {}


def test_one_of_a_log_that_ended_before_it_is_a_gap(nodes: list[Node], store: Bucket) -> None:
    store.create(f"{CHECKPOINTS}{10**12 - 7:012}", b"x")
    nodes[0].log._looked.clear()
    with pytest.raises(OriginUnreachable, match="entry 2 of default in memory is missing"):
        nodes[0].fetch()
