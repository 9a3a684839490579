# SPDX-License-Identifier: Apache-2.0
"""Refs as files, against what git itself lists."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.errors import Conflict, GitError
from gitprompt.git.process import git
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, Refs, RefUpdate, list_refs, ref_of_text, text_of_ref
from gitprompt.git.repository import Repository
from tests.world import Clone


def as_git_lists(clone: Clone) -> dict[str, str]:
    lines = clone.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    roots = ("refs/heads/", "refs/tags/prompts/", "refs/labels/")
    return {ref: oid for ref, oid in (line.split(" ") for line in lines) if ref.startswith(roots)}


def test_refs_are_those_that_git_lists_loose_or_packed(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    published.git("update-ref", "refs/labels/welcome@production", "HEAD")
    published.tag("welcome", "1.1.0")
    assert dict(repository.refs().items()) == as_git_lists(published)
    published.git("pack-refs", "--all")
    assert dict(repository.refs().items()) == as_git_lists(published)
    published.commit("more")
    published.tag("welcome", "1.2.0")
    published.git("tag", "-d", "prompts/welcome/1.1.0")
    assert dict(repository.refs().items()) == as_git_lists(published)


def test_the_difference_of_two_snapshots(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    before = repository.refs()
    published.git("pack-refs", "--all")
    packed = repository.refs(before)
    assert packed.changed_since(before) == set()
    published.tag("welcome", "1.1.0")
    published.git("tag", "-d", "prompts/welcome/1.0.0")
    after = repository.refs(packed)
    assert after.changed_since(packed) == {
        "refs/tags/prompts/welcome/1.0.0",
        "refs/tags/prompts/welcome/1.1.0",
    }


def test_nothing_changed_is_answered_from_times_and_never_wrongly(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    first = repository.refs()
    assert not repository.is_unchanged(first), "the times are too fresh to prove anything"
    time.sleep(0.06)
    settled = repository.refs(first)
    assert repository.is_unchanged(settled)
    changes: list[Callable[[], str]] = [
        lambda: published.tag("welcome", "1.1.0"),
        lambda: published.git("tag", "-f", "-a", "-m", "x", "prompts/welcome/1.1.0"),
        lambda: published.git("pack-refs", "--all"),
        lambda: published.git("update-ref", "refs/labels/a@b", "HEAD"),
        lambda: published.git("checkout", "-q", "-b", "other"),
        lambda: published.git("update-ref", "-d", "refs/tags/prompts/welcome/1.1.0"),
    ]
    for change in changes:
        time.sleep(0.06)
        settled = repository.refs(settled)
        assert repository.is_unchanged(settled)
        change()
        assert not repository.is_unchanged(settled)


def test_no_ref_is_lost_while_refs_are_packed(published: Clone) -> None:
    for number in range(30):
        published.git("tag", "-a", "-m", "x", f"prompts/welcome/2.0.{number}")
    repository = Repository.open(str(published.path))
    expected = as_git_lists(published)
    stop = threading.Event()

    def pack() -> None:
        while not stop.is_set():
            published.git("pack-refs", "--all")
            for number in range(30):
                ref = f"refs/tags/prompts/welcome/2.0.{number}"
                published.git("update-ref", ref, expected[ref])

    worker = threading.Thread(target=pack)
    worker.start()
    try:
        for _ in range(300):
            assert dict(repository.refs().items()) == expected
    finally:
        stop.set()
        worker.join()


@pytest.mark.parametrize(
    ("setup", "branch", "has_tip"),
    [
        ([], "refs/heads/main", False),
        (["commit -q --allow-empty -m x"], "refs/heads/main", True),
        (
            [
                "commit -q --allow-empty -m x",
                "branch -m trunk",
                "symbolic-ref HEAD refs/heads/main",
            ],
            "refs/heads/trunk",
            True,
        ),
        (["commit -q --allow-empty -m x", "checkout -q --detach"], None, True),
    ],
)
def test_the_default_branch(
    clone: Clone, setup: list[str], branch: str | None, has_tip: bool
) -> None:
    for command in setup:
        clone.git(*command.split())
    found, tip = Repository.open(str(clone.path)).refs().head
    assert (found, tip is not None) == (branch, has_tip)


def test_refs_move_by_compare_and_swap_all_or_none(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    head = published.git("rev-parse", "HEAD")
    update_refs(repository, [RefUpdate("refs/labels/a@b", ZERO, head)], message="x")
    with pytest.raises(Conflict):
        update_refs(
            repository,
            [RefUpdate("refs/labels/c@d", ZERO, head), RefUpdate("refs/labels/a@b", ZERO, head)],
            message="x",
        )
    assert repository.refs().get("refs/labels/c@d") is None
    update_refs(repository, [RefUpdate("refs/labels/a@b", head, ZERO)], message="x")
    assert repository.refs().get("refs/labels/a@b") is None


def test_a_linked_work_tree_sees_the_refs_of_its_repository(published: Clone) -> None:
    linked = published.path.parent / "linked"
    published.git("worktree", "add", "-q", "-b", "other", str(linked))
    repository = Repository.open(str(linked))
    assert dict(repository.refs().items()) == as_git_lists(published)
    assert repository.refs().head[0] == "refs/heads/other"


def test_strange_ref_names_on_disk_do_not_stop_a_listing(published: Clone) -> None:
    folder = os.fsencode(published.path) + b"/.git/refs/tags/prompts/"
    oid = published.git("rev-parse", "HEAD")
    with open(folder + b"bad\xff", "w") as file:
        file.write(oid + "\n")
    refs = list_refs(str(published.path / ".git"), str(published.path / ".git"))
    assert isinstance(refs, Refs)
    assert refs.get("refs/tags/prompts/welcome/1.0.0")


@given(st.binary(max_size=30).filter(lambda data: b"\\" not in data))
def test_any_ref_is_text_and_back(data: bytes) -> None:
    ref = data.decode("utf-8", "surrogateescape")
    text = text_of_ref(ref)
    text.encode()
    assert ref_of_text(text) == ref


_NAMES = st.text("abcXYZ019/.-@é\x85\u2028", min_size=1, max_size=12)
_OIDS = st.sampled_from(["1" * 40, "2" * 40])
_LINES = st.one_of(
    st.builds(lambda oid, name: f"{oid} refs/tags/prompts/{name}/1.0.0".encode(), _OIDS, _NAMES),
    st.builds(lambda oid, name: f"{oid} refs/heads/{name}".encode(), _OIDS, _NAMES),
    st.builds(lambda oid: f"^{oid}".encode(), _OIDS),
    st.just(b"# pack-refs with: peeled fully-peeled sorted "),
    st.binary(max_size=60),
)


@given(st.lists(_LINES, max_size=12), st.sampled_from([b"", b"\n", b"\r\n", b"\0"]))
def test_packed_refs_of_any_bytes_are_read_to_what_they_say_and_nothing_raises(
    lines: list[bytes], end: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/packed-refs", "wb") as file:
            file.write(b"\n".join(lines) + end)
        refs = list_refs(folder, folder)
        for ref, oid in refs.items():
            raw = ref.encode("utf-8", "surrogateescape")
            assert len(oid) == 40
            assert b"\n" not in raw
            assert ref.startswith("refs/")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_NAMES, _OIDS), max_size=8))
def test_packed_refs_are_read_as_git_reads_them(pairs: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        git(["init", "-q", "--bare", folder])
        target = git(["hash-object", "-w", "-t", "tree", os.devnull], cwd=folder).decode().strip()
        refs = {f"refs/heads/{name}" for name, _ in pairs}
        with open(f"{folder}/packed-refs", "w", encoding="utf-8", newline="") as file:
            file.write("# pack-refs with: peeled fully-peeled sorted \n")
            file.writelines(f"{target} {ref}\n" for ref in sorted(refs, key=os.fsencode))
        try:
            listed = git(["for-each-ref", "--format=%(refname)"], cwd=folder)
        except GitError:
            return  # what git takes for broken it does not list at all
        theirs = {line for line in listed.decode().split("\n") if line}
        ours = {ref for ref, _ in list_refs(folder, folder).items()}
        assert theirs <= ours
        for ref in ours - theirs:  # git leaves out what is no name of a ref; we judge it later
            with pytest.raises(GitError):
                git(["check-ref-format", ref])
