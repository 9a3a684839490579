# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from gitprompt.git.folder import Folder
from gitprompt.git.repository import Repository
from tests.world import Clone


def test_regular_files_are_found_at_any_depth_and_nothing_else(clone: Clone) -> None:
    clone.write("shared/a.md", "one")
    clone.write("shared/deep/er/b.md", "two")
    (clone.path / "shared/link.md").symlink_to("a.md")
    (clone.path / "shared/away").symlink_to("deep")
    clone.commit("Add")
    tree = clone.git("rev-parse", "HEAD:shared")
    with Repository.open(str(clone.path)).reader() as reader:
        folder = Folder(reader, tree)
        for path, data in (("a.md", b"one"), ("deep/er/b.md", b"two")):
            blob = folder.file(path)
            assert blob is not None
            assert blob.data == data
            assert folder.file(path) is blob, "read once"
        for path in ("link.md", "away/er/b.md", "deep", "deep/er", "absent.md", "a.md/b", ""):
            assert folder.file(path) is None, path


def test_without_a_tree_there_is_nothing(clone: Clone) -> None:
    clone.commit("Empty")
    with Repository.open(str(clone.path)).reader() as reader:
        assert Folder(reader, None).file("a.md") is None
        assert Folder(reader, "1" * 40).file("a.md") is None
