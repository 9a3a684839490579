# SPDX-License-Identifier: Apache-2.0
"""Git as a log: one winner for each entry, nothing skipped, and the same repository whoever applies it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gitprompt.drivers.bucket import Bucket
from gitprompt.drivers.claims import Stale
from gitprompt.drivers.objects import StoreRefused, check_store
from gitprompt.drivers.ref_log import RefLog, applied
from gitprompt.drivers.ref_log.entry import Entry, digest, entry_of
from gitprompt.errors import Conflict, OriginUnreachable, SetupError
from gitprompt.git import packs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.drivers.ref_log.filling import fill
from tests.drivers.ref_log.nodes import LABEL, TAG, Fate, Faulty, Node, key
from tests.world import Clone, empty_repository, run


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
    before = entry_of(first, "x")
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
    where = {"take": packs, "update_refs": applied, "replace": os}[step]

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
        self._answer()
        return True


class Shut(Faulty):
    def create(self, key: str, data: bytes) -> bool:
        raise StoreRefused("no")


def test_a_store_that_creates_twice_is_refused(store: Bucket, tmp_path: Path) -> None:
    check_store(store, "p/")
    assert store.first_after("p/", "p/") is None, "what was tried is gone"
    with pytest.raises(SetupError, match="creates a key more than once"):
        check_store(Lax(store), "p/")
    late = RefLog(away := Lax(store), name="test", place="memory", prefix="")
    away.is_away = True
    repository = empty_repository(tmp_path / "late.git")
    late.claim("default", repository)  # what is here is served all the same
    away.is_away = False
    with pytest.raises(OriginUnreachable, match="creates a key more than once"):
        late.push("default", repository, [RefUpdate(LABEL, ZERO, "1" * 40)])
    for unfit in (Lax(store), Shut(store)):
        log = RefLog(unfit, name="test", place="memory", prefix="")
        with pytest.raises(SetupError):
            log.claim("default", empty_repository(tmp_path / f"{type(unfit).__name__}.git"))
