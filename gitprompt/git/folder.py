# SPDX-License-Identifier: Apache-2.0
"""The files below one tree, each read when it is asked for and once."""

from __future__ import annotations

from gitprompt.git.objects import REGULAR, Object, ObjectReader, parse_tree


class Folder:
    """`tree` is the tree's object; None: there is none, and so nothing below it."""

    def __init__(self, reader: ObjectReader, tree: str | None) -> None:
        self._reader = reader
        self._tree = tree
        self._entries: dict[str, dict[str, tuple[str, str]]] = {}
        self._files: dict[str, Object | None] = {}

    def file(self, path: str) -> Object | None:
        """The blob at a path; None if there is no regular file."""
        if path not in self._files:
            mode, oid = self._entry(path)
            blob = self._reader.get(oid) if mode in REGULAR else None
            self._files[path] = blob if blob is not None and blob.kind == "blob" else None
        return self._files[path]

    def _entry(self, path: str) -> tuple[str, str]:
        folder, _, name = path.rpartition("/")
        entries = self._entries.get(folder)
        if entries is None:
            entries = self._entries[folder] = self._listing(folder)
        return entries.get(name, ("", ""))

    def _listing(self, folder: str) -> dict[str, tuple[str, str]]:
        tree = self._tree
        if folder:
            mode, oid = self._entry(folder)
            tree = oid if mode == "40000" else None
        listed = self._reader.get(tree) if tree else None
        if listed is None or listed.kind != "tree":
            return {}
        return {
            name.decode("utf-8", "replace"): (mode, oid)
            for mode, name, oid in parse_tree(listed.data)
        }
