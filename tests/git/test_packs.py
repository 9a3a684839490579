# SPDX-License-Identifier: Apache-2.0
"""Packs are made, joined and taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.errors import GitError
from gitprompt.git import packs
from gitprompt.git.repository import Repository
from tests.world import WELCOME, Clone, empty_repository, run


def objects(repository: Repository) -> set[str]:
    said = run("git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)",
               cwd=repository.git_dir)  # fmt: skip
    return set(said.split())


def test_what_is_new_is_packed_and_taken(published: Clone, tmp_path: Path) -> None:
    source = Repository.open(str(published.path))
    first = published.git("rev-parse", "HEAD")
    published.commit("More", other=WELCOME.replace("Hello", "Good day"))
    second = published.git("rev-parse", "HEAD")
    whole, part = packs.pack(source, [first], []), packs.pack(source, [second], [first])
    assert (packs.count(whole), packs.count(part)) == (4, 4)  # no blob twice
    assert packs.pack(source, [first], [second]) == b""
    target = empty_repository(tmp_path / "few.git")
    packs.take(target, [whole, b"", part])
    assert first in objects(target)
    assert second in objects(target)
    assert packs.count(packs.joined([whole, part])) == packs.count(whole) + packs.count(part)


def test_many_packs_with_the_same_objects_become_one(published: Clone, tmp_path: Path) -> None:
    source = Repository.open(str(published.path))
    tips = []
    for at in range(packs._FEW + 4):
        published.commit(f"Number {at}", other=WELCOME + f"# {at}\n" * 40)
        tips.append(published.git("rev-parse", "HEAD"))
    made = [packs.pack(source, [tip], []) for tip in tips]  # each has the ones before, too
    target = empty_repository(tmp_path / "many.git")
    packs.take(target, made)
    assert set(tips) <= objects(target)
    run("git", "update-ref", "refs/heads/main", tips[-1], cwd=target.git_dir)
    run("git", "fsck", "--strict", cwd=target.git_dir)
    assert len(list((tmp_path / "many.git/objects/pack").glob("*.pack"))) == 1


@pytest.mark.parametrize("data", [b"PACK", b"PACK\0\0\0\2\0\0\0\1" + b"x" * 30, b"\0" * 40])
def test_what_is_no_pack_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(GitError):
        packs.take(empty_repository(tmp_path / "r.git"), [data])
