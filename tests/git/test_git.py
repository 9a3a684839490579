# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitprompt.errors import Conflict, GitError, SetupError
from gitprompt.git import peek, process
from gitprompt.git.objects import EMPTY_TREE, parse_tag
from gitprompt.git.refs import ZERO, Refs, RefUpdate, list_refs, update_refs
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry.refwrites import identity
from tests.world import Clone, run


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


def test_objects_are_read_in_order_with_none_for_what_is_missing(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    head = published.git("rev-parse", "HEAD")
    specs = [
        head,
        ZERO,
        f"{head}:prompts/welcome.yaml",
        f"{head}:nothing",
        "a\nb",
        "HEAD^{tree}",
    ] * 300
    with repository.reader() as reader:
        kinds = [found.kind if found else None for found in reader.contents(specs)]
        assert kinds == ["commit", None, "blob", None, None, "tree"] * 300
        names = [found.oid if found else None for found in reader.names(specs[:2])]
        assert names == [head, None]


def test_a_corrupt_object_is_none_and_stops_no_other(published: Clone) -> None:
    good = published.git("rev-parse", "HEAD")
    bad = published.git("hash-object", "-w", "--stdin", stdin="some text")
    path = published.path / ".git" / "objects" / bad[:2] / bad[2:]
    path.chmod(0o600)
    path.write_bytes(b"garbage")
    with Repository.open(str(published.path)).reader() as reader:
        kinds = [o.kind if o else None for o in reader.contents([good, bad, good] * 500)]
    assert kinds == ["commit", None, "commit"] * 500


def test_only_the_beginning_of_a_large_blob_is_read(clone: Clone) -> None:
    large = clone.git("hash-object", "-w", "--stdin", stdin="x" * (3 << 20))
    with Repository.open(str(clone.path)).reader() as reader:
        first, second = reader.contents([large, EMPTY_TREE])
    assert first is not None
    assert len(first.data) == (1 << 20) + 1
    assert second is not None
    assert second.kind == "tree"


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


def test_what_we_write_git_finds_sound(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    writer = ObjectWriter(repository, durable=True)
    who = identity(repository)
    blob = writer.blob(b"messages: []\n")
    tree = writer.tree([("prompts/support/triage.yaml", blob), ("prompts/a.yaml", blob)])
    grown = writer.tree([("prompts/support/b.yaml", blob)], base=tree)
    commit = writer.commit(grown, [published.git("rev-parse", "HEAD")], "Möve", who)
    tag = writer.tag(commit, "prompts/a/1.0.0", "hello", who, kind="commit")
    update_refs(repository, [RefUpdate("refs/tags/prompts/a/1.0.0", ZERO, tag)], message="x")
    assert "error" not in published.git("fsck", "--strict")
    listed = published.git("ls-tree", "-r", "--name-only", grown).splitlines()
    assert listed == ["prompts/a.yaml", "prompts/support/b.yaml", "prompts/support/triage.yaml"]
    with repository.reader() as reader:
        found = reader.get(tag)
    assert found is not None
    assert parse_tag(found.data).target == commit


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["git", "init", "-q", "--object-format=sha256", "r"], "sha256 object format"),
        (["mkdir", "r"], "not inside a Git repository"),
        (["touch", "r"], "is not a directory"),
    ],
)
def test_a_repository_that_cannot_be_used_says_so(
    tmp_path: Path, command: list[str], message: str
) -> None:
    run(*command, cwd=tmp_path)
    with pytest.raises(SetupError, match=message):
        Repository.open(str(tmp_path / "r"))


def _facts(path: Path) -> tuple[str, str, str | None] | str:
    """What a repository was found to be, or why it cannot be used."""
    try:
        found = Repository.open(str(path))
    except SetupError as error:
        return error.message
    return found.git_dir, found.common_dir, found.work_tree


@pytest.mark.parametrize(
    ("change", "is_plain"),
    [
        ((), True),
        (("core.sharedRepository", "group"), True),
        (("remote.origin.url", "https://example.org/x.git"), True),
        (("include.path", "gitprompt.config"), True),
        (("include.path", "other.config"), False),
        (("includeIf.gitdir:/.path", "gitprompt.config"), False),
        (("core.bare", "false"), False),
        (("core.worktree", ".."), False),
        (("core.repositoryformatversion", "1"), False),
        (("core.repositoryformatversion", "9"), False),
        (("extensions.partialClone", "origin"), False),
        (("alias.barely", "log"), False),
    ],
)
def test_what_a_bare_repository_is_found_to_be_without_git_git_says_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, ...], is_plain: bool
) -> None:
    run("git", "init", "-q", "--bare", "r.git", cwd=tmp_path)
    path = tmp_path / "r.git"
    if change:
        run("git", "config", "--file", "config", *change, cwd=path)
    assert peek.is_plain_bare(str(path)) == is_plain
    found = _facts(path)
    monkeypatch.setattr(peek, "is_plain_bare", lambda _: False)
    assert found == _facts(path)


@pytest.mark.parametrize(
    ("command", "inside"),
    [
        (["git", "init", "-q", "--bare", "--object-format=sha256", "r"], "."),
        (["git", "init", "-q", "r"], "."),
        (["git", "init", "-q", "r"], ".git"),
        (["git", "init", "-q", "--bare", "r"], "objects"),
        (["mkdir", "r"], "."),
        (["touch", "r"], "."),
    ],
)
def test_what_is_no_plain_bare_repository_is_left_to_git(
    tmp_path: Path, command: list[str], inside: str
) -> None:
    run(*command, cwd=tmp_path)
    assert not peek.is_plain_bare(str(tmp_path / "r" / inside))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[core]\n\tbare = false\n", "config"),
        ("[CORE]\nBARE=false\n", "config"),
        ("[core]\nrepositoryFormatVersion = 1\n[extensions]\nobjectFormat = sha256\n", "config"),
        ("../r.git\n", "commondir"),
    ],
)
def test_a_line_more_and_git_is_asked(tmp_path: Path, text: str, at: str) -> None:
    run("git", "init", "-q", "--bare", "r.git", cwd=tmp_path)
    with open(tmp_path / "r.git" / at, "a") as file:
        file.write(text)
    assert not peek.is_plain_bare(str(tmp_path / "r.git"))


def test_reftable_is_named(published: Clone) -> None:
    published.git("config", "core.repositoryformatversion", "1")
    published.git("config", "extensions.refstorage", "reftable")
    with pytest.raises(SetupError, match="reftable"):
        Repository.open(str(published.path))


def _fake_git(folder: Path, version: str) -> None:
    path = folder / "git"
    path.write_text(f"#!/bin/sh\necho git version {version}\n")
    path.chmod(0o755)


def test_an_old_or_missing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    process.git_path.cache_clear()
    process.require_git.cache_clear()
    try:
        with pytest.raises(SetupError, match="not found on PATH"):
            process.require_git()
        _fake_git(tmp_path, "2.30.1")
        with pytest.raises(SetupError, match="too old"):
            process.require_git()
        _fake_git(tmp_path, "2.39.0")
        assert process.require_git() == "git version 2.39.0"
        assert process.git_path() == str(tmp_path / "git")
    finally:
        process.git_path.cache_clear()
        process.require_git.cache_clear()


def test_credentials_are_not_in_errors(clone: Clone) -> None:
    with pytest.raises(GitError) as caught:
        Repository.open(str(clone.path)).git("fetch", "http://x:pm_secret@127.0.0.1:9/none.git")
    assert "pm_secret" not in caught.value.message + caught.value.stderr


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
