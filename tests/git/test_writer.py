# SPDX-License-Identifier: Apache-2.0
"""What libgit2 writes, git finds sound."""

from __future__ import annotations

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
