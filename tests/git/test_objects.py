# SPDX-License-Identifier: Apache-2.0
"""Objects, read in bulk."""

from __future__ import annotations

from gitprompt.git.objects import EMPTY_TREE
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
