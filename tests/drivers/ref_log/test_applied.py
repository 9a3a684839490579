# SPDX-License-Identifier: Apache-2.0
"""What a repository has applied, and what refs it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.drivers.ref_log.applied import Position, apply, position_of, values
from gitprompt.drivers.ref_log.entry import Entry
from gitprompt.errors import GitError
from gitprompt.git.packs import pack
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.drivers.ref_log.nodes import TAG
from tests.world import Clone, empty_repository, run

NOTE = "refs/notes/x"


def entry_of_all(clone: Clone) -> Entry:
    refs = dict(Repository.open(str(clone.path)).refs().items())
    objects = pack(Repository.open(str(clone.path)), refs.values(), [])
    updates = [RefUpdate(ref, ZERO, oid) for ref, oid in refs.items()]
    return Entry("r", "", "t", "n", 1, "refs/heads/main", updates, objects)


def test_an_empty_repository_gets_all_at_once(published: Clone, tmp_path: Path) -> None:
    repository = empty_repository(tmp_path / "r.git")
    assert position_of(repository) == Position()
    entry = entry_of_all(published)
    here = Position(1, "d", "r")
    apply(repository, [(here, entry)])
    assert position_of(repository) == here
    assert dict(repository.refs().items()) == {one.ref: one.new for one in entry.updates}
    apply(repository, [(here, entry)])  # cut before it was noted: done again
    run("git", "fsck", "--strict", cwd=repository.git_dir)


def test_refs_of_objects_that_are_not_there_are_refused(published: Clone, tmp_path: Path) -> None:
    repository = empty_repository(tmp_path / "r.git")
    with pytest.raises(GitError, match="names an object that is not there"):
        apply(repository, [(Position(1, "d", "r"), entry_of_all(published)._replace(pack=b""))])
    assert not dict(repository.refs().items())
    assert position_of(repository) == Position()


def test_values_are_of_any_ref(published: Clone) -> None:
    tip = published.git("rev-parse", "HEAD")
    published.git("update-ref", NOTE, tip)
    found = values(
        Repository.open(str(published.path)), [TAG, NOTE, "refs/notes/y", "refs/heads/z"]
    )
    assert found == {
        TAG: published.git("rev-parse", TAG), NOTE: tip, "refs/notes/y": ZERO, "refs/heads/z": ZERO
    }  # fmt: skip
