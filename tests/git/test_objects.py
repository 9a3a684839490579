# SPDX-License-Identifier: Apache-2.0
"""Objects, read in bulk."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from gitprompt.errors import GitError
from gitprompt.git.objects import EMPTY_TREE, ObjectReader, parse_commit, parse_tag
from gitprompt.git.process import git_path
from gitprompt.git.refs import ZERO
from gitprompt.git.repository import Repository
from tests.world import Clone


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


def test_people_and_messages_are_read_in_the_encoding_that_a_commit_names() -> None:
    def commit(encoding: str, name: bytes) -> bytes:
        person = name + b" <j@x> 1 +0000"
        header = f"encoding {encoding}\n".encode() if encoding else b""
        return b"tree %b\nauthor %b\ncommitter %b\n%b\nGr\xfc\xdfe\n" % (
            EMPTY_TREE.encode(), person, person, header,
        )  # fmt: skip

    latin = parse_commit(commit("ISO-8859-1", b"J\xfcrgen"))
    assert (latin.author.name, latin.committer.name, latin.message) == (
        "Jürgen",
        "Jürgen",
        "Grüße\n",
    )
    assert parse_commit(commit("Shift_JIS", "花子".encode("shift_jis"))).author.name == "花子"
    # What is no encoding of text, or none at all, is read as UTF-8.
    for encoding in ("zlib_codec", "unicode_escape", "idna", "x", "", "\xff"):
        assert parse_commit(commit(encoding, "Jürgen".encode())).author.name == "Jürgen"


def test_a_tag_may_name_its_encoding_too() -> None:
    tag = (
        b"object %b\ntype commit\ntag a\ntagger J\xfcrgen <j@x> 1 +0000\nencoding latin1\n\nx\n"
        % ZERO.encode()
    )
    tagger = parse_tag(tag).tagger
    assert tagger is not None
    assert tagger.name == "Jürgen"


def test_a_message_cannot_pretend_to_be_a_header() -> None:
    data = (
        b"tree %b\nauthor J <j@x> 1 +0000\ncommitter J <j@x> 1 +0000\n\n\nencoding latin1\n\xc3\xbc"
    )
    assert parse_commit(data % EMPTY_TREE.encode()).message.endswith("ü")


def test_a_git_that_hangs_is_ended_and_told_and_the_next_answers(
    published: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "git"
    mark = tmp_path / "well"
    fake.write_text(
        f'#!/bin/sh\n[ -e {mark} ] && exec {shutil.which("git")} "$@"\nexec sleep 600\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    git_path.cache_clear()
    try:
        reader = ObjectReader(str(published.path / ".git"), os.environ, patience=0.5)
        with reader:
            with pytest.raises(GitError, match="git does not answer"):
                reader.get("HEAD")
            mark.touch()
            reader.end()
            with pytest.raises(GitError, match="git does not answer"):
                reader.get("HEAD")
            commit = reader.get("HEAD")
            assert commit is not None
            assert commit.kind == "commit"
            time.sleep(2)
            assert reader.get("HEAD") is not None, "who is asked nothing has patience for ever"
    finally:
        git_path.cache_clear()
