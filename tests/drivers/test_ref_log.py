# SPDX-License-Identifier: Apache-2.0
"""Git as a log: one winner for each entry, nothing skipped, and the same repository whoever applies it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Literal

import pytest
from obstore.store import LocalStore, MemoryStore

from gitprompt.drivers import ref_log
from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.claims import Stale
from gitprompt.drivers.log_entry import Entry, decoded, digest
from gitprompt.drivers.objects import ObjectStore, StoreRefused, check_store
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import Conflict, OriginUnreachable, SetupError
from gitprompt.git import packs
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.drivers.filling import fill
from tests.world import Clone, empty_repository, run

TAG = "refs/tags/prompts/welcome/1.0.0"
LABEL = "refs/labels/welcome@staging"
Fate = Literal["works", "fails before", "fails after"]


class Faulty:
    """A store whose next creation fails, before or after it is done; or which is away."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.fate: Fate = "works"
        self.is_away = False
        self.asked = 0

    def get(self, key: str) -> bytes | None:
        self.asked += 1
        self._answer()
        return self.store.get(key)

    def create(self, key: str, data: bytes) -> bool:
        self._answer()
        fate, self.fate = self.fate, "works"
        if fate == "fails before":
            raise OriginUnreachable("the line was cut")
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


def key(number: int) -> str:
    return f"p/git/default/log/{number:012}"


def test_all_nodes_have_what_the_log_has(nodes: list[Node], forge: Clone) -> None:
    expected = dict(Repository.open(str(forge.path)).refs().items())
    for node in nodes:
        assert node.refs == expected
        assert node.repository.refs().head[0] == "refs/heads/main"
        run("git", "fsck", "--strict", cwd=node.repository.git_dir)


def test_what_one_pushes_the_others_have_with_its_objects(nodes: list[Node]) -> None:
    commit = nodes[0].commit("A move")
    nodes[0].push(RefUpdate(LABEL, ZERO, commit))
    for node in nodes:
        node.fetch()
        assert node.refs[LABEL] == commit
        assert run("git", "cat-file", "-t", commit, cwd=node.repository.git_dir).strip() == "commit"
    nodes[1].push(RefUpdate(LABEL, commit, ZERO))
    nodes[2].fetch()
    assert LABEL not in nodes[2].refs


def test_refs_that_gitprompt_does_not_look_at_come_along(nodes: list[Node]) -> None:
    tag, note = "refs/tags/v1", "refs/notes/commits"
    first, second = nodes[0].commit("first"), nodes[0].commit("second")
    nodes[0].push(RefUpdate(tag, ZERO, first), RefUpdate(note, ZERO, first))
    nodes[0].fetch()
    nodes[0].push(RefUpdate(tag, first, second), RefUpdate(note, first, ZERO))
    for node in nodes:
        node.fetch()
        there = run("git", "for-each-ref", tag, note, cwd=node.repository.git_dir)
        assert there.split() == [second, "commit", tag]


def test_whoever_was_slower_starts_over(nodes: list[Node]) -> None:
    nodes[0].push(RefUpdate(LABEL, ZERO, nodes[0].commit("first")))
    with pytest.raises(Stale):
        nodes[1].push(RefUpdate("refs/labels/other@x", ZERO, nodes[1].commit("second")))
    nodes[1].fetch()
    nodes[1].push(RefUpdate("refs/labels/other@x", ZERO, nodes[1].commit("second")))
    with pytest.raises(Conflict):
        nodes[1].push(RefUpdate(LABEL, ZERO, nodes[1].commit("third")))


def test_of_nodes_that_race_one_wins_each_round_and_all_agree(nodes: list[Node]) -> None:
    for round_ in range(8):
        old = nodes[0].refs.get(LABEL, ZERO)
        lock = threading.Lock()
        winners: list[int] = []

        def race(
            at: int,
            old: str = old,
            what: str = f"of round {round_}",
            lock: threading.Lock = lock,
            winners: list[int] = winners,
        ) -> None:
            try:
                nodes[at].push(RefUpdate(LABEL, old, nodes[at].commit(f"{what} by {at}")))
            except Conflict:
                return
            with lock:
                winners.append(at)

        threads = [threading.Thread(target=race, args=(at,)) for at in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1
        for node in nodes:
            node.fetch()
        assert len({node.refs[LABEL] for node in nodes}) == 1


def test_a_version_tag_never_moves(nodes: list[Node], store: Bucket) -> None:
    node = nodes[0]
    tag, commit = node.refs[TAG], node.commit("other")
    for new in (commit, ZERO):
        with pytest.raises(Conflict, match="never moves"):
            node.push(RefUpdate(TAG, tag, new))
    first = store.get(key(1))
    assert first
    before = decoded(first, "x")
    forged = Entry(
        before.repository,
        digest(first),
        "t",
        "n",
        1,
        "",
        [RefUpdate(TAG, tag, commit)],
        b"",
    )
    store.create(key(2), forged.encoded())
    with pytest.raises(OriginUnreachable, match="moves a version tag"):
        node.fetch()
    assert node.refs[TAG] == tag


@pytest.mark.parametrize("fate", ["fails before", "fails after"])
def test_an_answer_that_is_lost_is_found_out(nodes: list[Node], fate: Fate) -> None:
    node = nodes[0]
    commit = node.commit("x")
    node.store.fate = fate
    if fate == "fails before":
        with pytest.raises(OriginUnreachable):
            node.push(RefUpdate(LABEL, ZERO, commit))
        assert LABEL not in node.refs
        node.push(RefUpdate(LABEL, ZERO, commit))
    else:
        node.push(RefUpdate(LABEL, ZERO, commit))
    for one in nodes:
        one.fetch()
        assert one.refs[LABEL] == commit


def test_a_node_that_dies_after_the_push_finds_what_it_did(nodes: list[Node]) -> None:
    """There, and not yet here: the next fetch brings it."""
    commit = nodes[0].commit("x")
    nodes[0].log.push("default", nodes[0].repository, [RefUpdate(LABEL, ZERO, commit)])
    assert LABEL not in nodes[0].refs
    nodes[0].fetch()
    assert nodes[0].refs[LABEL] == commit


@pytest.mark.parametrize("step", ["take", "update_refs", "replace"])
def test_a_fetch_that_is_cut_is_done_again(
    nodes: list[Node], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = nodes[0].commit("x")
    nodes[0].push(RefUpdate(LABEL, ZERO, commit))
    where = {"take": packs, "update_refs": ref_log, "replace": os}[step]

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, step, die)
        with pytest.raises(KeyboardInterrupt):
            nodes[1].fetch()
    nodes[1].fetch()
    assert nodes[1].refs == nodes[0].refs
    run("git", "fsck", "--strict", cwd=nodes[1].repository.git_dir)


def test_many_entries_are_applied_together(
    nodes: list[Node], store: Bucket, tmp_path: Path
) -> None:
    for at in range(70):
        nodes[0].push(RefUpdate(f"refs/labels/p{at}@x", ZERO, nodes[0].commit(f"of {at}")))
        nodes[0].fetch()
    late = Node(store, tmp_path / "late")
    late.fetch()
    nodes[1].fetch()
    assert late.refs == nodes[1].refs == nodes[0].refs
    for node in (late, nodes[1]):
        run("git", "fsck", "--strict", cwd=node.repository.git_dir)


def test_a_poll_is_one_request(nodes: list[Node]) -> None:
    nodes[0].fetch()
    before = nodes[0].store.asked
    nodes[0].fetch()
    assert nodes[0].store.asked == before + 1
    assert nodes[0].log.fetch("default", nodes[0].repository) is None  # it is not time yet


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
        forged = decoded(first, "x")._replace(before=digest(first), updates=updates, pack=b"")
        store.create(key(2), forged.encoded())
        self.refused(nodes[0], "names what is no ref or no object")

    def test_an_entry_of_another_history(self, nodes: list[Node], store: Bucket) -> None:
        first = store.get(key(1))
        assert first
        store.create(key(2), decoded(first, "x")._replace(before="0" * 64).encoded())
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


def test_workspaces_are_what_the_store_has(store: Bucket, forge: Clone) -> None:
    log = RefLog(store, name="test", place="memory", prefix="")
    fill(log, forge, "billing")
    assert RefLog(store, name="test", place="memory", prefix="").workspaces() == [
        "billing",
        "default",
    ]


class Lax(Faulty):
    """A store that overwrites."""

    def create(self, key: str, data: bytes) -> bool:
        return True


class Shut(Faulty):
    def create(self, key: str, data: bytes) -> bool:
        raise StoreRefused("no")


def test_a_store_that_creates_twice_is_refused(store: Bucket, tmp_path: Path) -> None:
    check_store(store, "p/")
    assert store.first_after("p/", "p/") is None, "what was tried is gone"
    with pytest.raises(SetupError, match="creates a key more than once"):
        check_store(Lax(store), "p/")
    for unfit in (Lax(store), Shut(store)):
        log = RefLog(unfit, name="test", place="memory", prefix="")
        with pytest.raises(SetupError):
            log.claim("default", empty_repository(tmp_path / f"{type(unfit).__name__}.git"))
