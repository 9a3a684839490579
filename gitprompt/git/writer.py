# SPDX-License-Identifier: Apache-2.0
"""Builds objects in process, with libgit2: a publish over HTTP must not start ten processes.

Many refs are moved together by `ref_updates.update_refs`. Signing goes through the git binary, which
knows the user's keys.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from gitprompt.errors import Conflict, GitError, SetupError
from gitprompt.git.objects import EMPTY_TREE, Signature
from gitprompt.git.repository import cure_of

if TYPE_CHECKING:
    from gitprompt.git.refs import RefUpdate
    from gitprompt.git.repository import Repository


_LOCK_SECONDS = 5.0
_FIRST = 99  # before the backends of the disk, whose priorities are 1 and 2


@cache
def _memory_class() -> type[Any]:
    import pygit2

    class Memory(pygit2.OdbBackend):
        """Objects by their names. The methods are those that libgit2 calls."""

        def __init__(self) -> None:
            super().__init__()
            self.objects: dict[Any, tuple[int, bytes]] = {}

        def write_cb(self, oid: Any, data: bytes, kind: int) -> None:
            self.objects[oid] = kind, bytes(data)

        def read_cb(self, oid: Any) -> tuple[int, bytes]:
            return self.objects[oid]

        def read_header_cb(self, oid: Any) -> tuple[int, int]:
            kind, data = self.objects[oid]
            return kind, len(data)

        def read_prefix_cb(self, text: str) -> tuple[int, bytes, Any]:
            oid = pygit2.Oid(hex=text)
            return (*self.objects[oid], oid)

        def exists_cb(self, oid: Any) -> bool:
            return oid in self.objects

        def exists_prefix_cb(self, text: str) -> Any:
            oid = pygit2.Oid(hex=text)
            if oid not in self.objects:
                raise KeyError(text)
            return oid

        def refresh_cb(self) -> None:
            """All there is is here."""

    return Memory


def check_tip(repository: Repository) -> None:
    """Raise SetupError if the commit that HEAD names, or its tree, cannot be read: a pack is damaged, or
    an object is gone. A repository without commits is fine."""
    import pygit2

    try:
        there = pygit2.Repository(repository.git_dir)
        if not there.head_is_unborn:
            there.head.peel(pygit2.Tree)
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        raise SetupError(
            f"{repository.git_dir} is damaged: what HEAD names cannot be read ({error})",
            hint=cure_of(repository.git_dir),
        ) from error


class ObjectWriter:
    """Importing pygit2 takes 80 ms, so a writer is made only where something is written.

    `durable` fsyncs every object before its name is returned.
    """

    def __init__(self, repository: Repository, *, durable: bool = False) -> None:
        import pygit2

        self._git = repository
        self._pygit2 = pygit2
        if durable:
            pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, True)
        self._repository = pygit2.Repository(repository.git_dir)
        self._memory: Any = None

    def in_memory(self) -> ObjectWriter:
        """One whose objects are kept in memory until `store` writes them, all in one pack: a sync of
        the disk for each object takes most of the time of many."""
        other = ObjectWriter(self._git)
        other._memory = _memory_class()()
        database = self._pygit2.Odb(os.path.join(self._git.common_dir, "objects"))
        database.add_backend(other._memory, _FIRST)
        other._repository.set_odb(database)
        return other

    def store(self) -> None:
        """Write what is in memory. Returns when it is durable."""
        if self._memory is None or not self._memory.objects:
            return
        pack = self._pygit2.PackBuilder(self._repository)
        for oid in self._memory.objects:
            pack.add(oid)
        with self._told():
            pack.write(os.path.join(self._git.common_dir, "objects", "pack"))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """libgit2's refusals, such as a folder that cannot be written, as our own error. An object that is
        missing or damaged is a KeyError there."""
        try:
            yield
        except self._pygit2.GitError as error:
            raise GitError(f"{self._git.git_dir}: {error}") from error
        except KeyError as error:
            raise GitError(
                f"{self._git.git_dir} is damaged: the object {error} cannot be read",
                hint=cure_of(self._git.git_dir),
            ) from error

    def _object(self, oid: str) -> Any:
        with self._told():
            return self._repository[oid]

    def ref(self, ref: str) -> str | None:
        """What a ref points at now; read in process, from packed refs too."""
        reference = self._repository.references.get(ref)
        return None if reference is None else str(reference.resolve().target)

    def has(self, oid: str) -> bool:
        return oid in self._repository

    def commit_of(self, oid: str) -> str:
        """The commit that an object is or peels to."""
        item = self._object(oid)
        return str(item.peel(self._pygit2.Commit).id)

    def tree_of(self, commit: str) -> str:
        item = self._object(commit)
        with self._told():
            return str(item.tree.id)

    def entry(self, commit: str, path: str) -> tuple[str, str] | None:
        """Mode in octal and object of a path in a commit, None if there is none."""
        item = self._object(commit)
        with self._told():
            tree = item.tree
        try:
            entry = tree[path]
        except KeyError:
            return None
        return f"{entry.filemode:06o}", str(entry.id)

    def read(self, oid: str) -> bytes:
        item = self._object(oid)
        return bytes(item.data)

    def blob(self, data: bytes) -> str:
        with self._told():
            return str(self._repository.create_blob(data))

    def tree(
        self,
        files: Sequence[tuple[str, str]],
        *,
        base: str | None = None,
        remove: Sequence[str] = (),
    ) -> str:
        """A tree with the (path, blob) pairs in place and the paths of `remove` gone, on top of
        `base`; paths must be checked, and those to remove must be there. Raises Conflict if a
        file is in the way of a folder, or a folder in the way of a file."""
        nested: dict[str, list[tuple[str, str]]] = {}
        with self._told():
            builder = self._repository.TreeBuilder(*([base] if base else []))
        for path, blob in files:
            first, slash, rest = path.partition("/")
            if slash:
                nested.setdefault(first, []).append((rest, blob))
            else:
                if _is_tree(builder.get(first)):
                    raise Conflict(f"{path} is a folder", hint="Choose another name.")
                builder.insert(first, blob, self._pygit2.enums.FileMode.BLOB)
        for path in remove:
            first, slash, rest = path.partition("/")
            if not slash:
                builder.remove(first)
            else:
                oid = self.tree([], base=str(builder.get(first).id), remove=(rest,))
                if oid == EMPTY_TREE:
                    builder.remove(first)
                else:
                    builder.insert(first, oid, self._pygit2.enums.FileMode.TREE)
        for folder, inner in nested.items():
            below: Any = builder.get(folder)  # None if there is no such entry
            if below is not None and not _is_tree(below):
                raise Conflict(
                    f"{folder} is a file, and {inner[0][0]} would need a folder of that name",
                    hint="Choose another name.",
                )
            oid = self.tree(inner, base=str(below.id) if below is not None else None)
            builder.insert(folder, oid, self._pygit2.enums.FileMode.TREE)
        with self._told():
            return str(builder.write())

    def commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Signature,
        *,
        sign: bool = False,
    ) -> str:
        if sign:
            return self._signed_commit(tree, parents, message, author)
        person = self._pygit2.Signature(author.name, author.email, author.at, 0, "utf-8")
        with self._told():
            return str(
                self._repository.create_commit(None, person, person, message, tree, list(parents))
            )

    def _signed_commit(
        self, tree: str, parents: Sequence[str], message: str, author: Signature
    ) -> str:
        options = [part for parent in parents for part in ("-p", parent)]
        return (
            self._git.git("commit-tree", "-S", *options, tree, stdin=message.encode())
            .decode()
            .strip()
        )

    def tag(self, target: str, name: str, message: str, tagger: Signature, *, kind: str) -> str:
        """An annotated tag object; no ref points at it yet."""
        payload = (
            f"object {target}\ntype {kind}\ntag {name}\n"
            f"tagger {tagger} {tagger.at} +0000\n\n{message.strip()}\n"
        )
        with self._told():
            return str(
                self._repository.odb.write(self._pygit2.enums.ObjectType.TAG, payload.encode())
            )

    def move_ref(self, update: RefUpdate) -> None:
        """Move one ref by compare-and-swap, in process; raises Conflict if it was moved.

        Where another process holds the ref's lock, as `git pack-refs` does for a moment, it waits.
        """
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                return self._move_ref(update)
            except OSError as error:
                if "lock" not in str(error) or time.monotonic() > deadline:
                    raise GitError(f"{update.ref} cannot be moved: {error}") from error
                time.sleep(0.01)

    def _move_ref(self, update: RefUpdate) -> None:
        from gitprompt.git.refs import ZERO

        try:
            if update.old == ZERO:
                self._repository.references.create(update.ref, update.new)
            else:
                # libgit2 writes only if the ref is still what this look-up found.
                reference = self._repository.references[update.ref]
                if str(reference.target) != update.old:
                    raise Conflict(f"{update.ref} was changed meanwhile")
                reference.set_target(update.new)
        except (KeyError, ValueError, self._pygit2.GitError) as error:
            if "lock" in str(error):
                raise OSError(str(error)) from error
            raise Conflict(f"{update.ref} was changed meanwhile") from error


def _is_tree(entry: Any) -> bool:
    return entry is not None and entry.type_str == "tree"
