# SPDX-License-Identifier: Apache-2.0
"""What libgit2 writes, git finds sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitprompt.errors import GitError
from gitprompt.git.objects import parse_tag
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry.refwrites import identity
from tests.world import Clone


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


def test_what_is_built_in_memory_is_one_sound_pack_when_it_is_stored(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    durable = ObjectWriter(repository, durable=True)
    writer = durable.in_memory()
    who = identity(repository)
    before = published.git("count-objects", "-v")
    parent = published.git("rev-parse", "HEAD")
    base = writer.tree_of(parent)
    for number in range(30):
        blob = writer.blob(b"messages: [%d]\n" % number)
        base = writer.tree([(f"prompts/deep/{number % 3}/{number}.yaml", blob)], base=base)
        parent = writer.commit(base, [parent], str(number), who)
        assert writer.entry(parent, f"prompts/deep/{number % 3}/{number}.yaml") is not None
        assert writer.read(blob) == b"messages: [%d]\n" % number
    tag = writer.tag(parent, "prompts/a/1.0.0", "hello", who, kind="commit")
    assert published.git("count-objects", "-v") == before
    assert (durable.has(tag), writer.has(tag)) == (False, True)
    writer.store()
    counted = dict(line.split(": ") for line in published.git("count-objects", "-v").splitlines())
    assert counted["packs"] == "1"
    update_refs(repository, [RefUpdate("refs/tags/prompts/a/1.0.0", ZERO, tag)], message="x")
    assert "error" not in published.git("fsck", "--strict")
    assert published.git("rev-list", "--count", "prompts/a/1.0.0") == "31"
    assert durable.has(tag)


def test_nothing_in_memory_is_no_pack(published: Clone) -> None:
    before = published.git("count-objects", "-v")
    ObjectWriter(Repository.open(str(published.path))).in_memory().store()
    assert published.git("count-objects", "-v") == before


def test_an_object_that_is_gone_is_told_as_damage(published: Clone) -> None:
    repository = Repository.open(str(published.path))
    head = published.git("rev-parse", "HEAD")
    tree = published.git("rev-parse", "HEAD^{tree}")
    for oid in (tree, head):
        (published.path / f".git/objects/{oid[:2]}/{oid[2:]}").unlink()
        writer = ObjectWriter(repository, durable=True)
        acts: list[Callable[[ObjectWriter], object]] = [
            lambda writer: writer.entry(head, "prompts/welcome.yaml"),
            lambda writer: writer.tree_of(head),
            lambda writer: writer.tree([("a", "1" * 40)], base=tree),
        ]
        for act in acts:
            with pytest.raises(GitError) as raised:
                act(writer)
            assert str(published.path) in raised.value.message
    with pytest.raises(GitError, match="is damaged: the object") as raised:
        writer.commit_of(head)
    assert "fetch --refetch CLONE" in raised.value.hint
