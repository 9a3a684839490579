# SPDX-License-Identifier: Apache-2.0
"""Lists refs straight from the files, and says cheaply that nothing changed.

Loose files are read before `packed-refs`: in the other order a ref that is being packed at that
moment would be in neither. "Nothing changed" is answered from the times of `packed-refs`, HEAD
and the folders of loose refs; a time too close to the moment of reading proves nothing
(Git's racy-timestamp rule).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

ZERO = "0" * 40
# What gitprompt looks at; a mirror may have thousands of refs/pull/* as well.
ROOTS = ("refs/heads", "refs/tags/prompts", "refs/labels")
_PACKED = re.compile(
    r"^([0-9a-f]{40}) (refs/(?:heads|tags/prompts|labels|remotes/[^/\n]+/labels)/[^\n]+)$",
    re.MULTILINE,
)
_RACY_NS = 50_000_000

_Stamp = tuple[int, int, int, int]


class RefUpdate(NamedTuple):
    """One ref from `old` to `new`; ZERO means a ref that does not exist. With both the same it
    is a condition: the ref must be there when the others move."""

    ref: str
    old: str
    new: str


def text_of_ref(ref: str) -> str:
    """A ref as `Refs` has it, and any database takes it: what is no UTF-8 of it is written \\xe9, since git
    has no backslash in a name."""
    return ref.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def ref_of_text(text: str) -> str:
    """The same as git is given it."""
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), text)


def packed_refs(refs: Mapping[str, str]) -> bytes:
    """The file of that name: ref → object."""
    lines = sorted((os.fsencode(ref), oid.encode()) for ref, oid in refs.items())
    return b"# pack-refs with: sorted \n" + b"".join(b"%b %b\n" % (oid, ref) for ref, oid in lines)


class _Folder(NamedTuple):
    """What one folder of loose refs had: its files, and the folders below it."""

    mtime: int
    files: Mapping[str, str]
    below: Sequence[str]


class Packed(dict[str, str]):
    """Ref → object of `packed-refs`, which may have 100,000."""

    @cached_property
    def branches(self) -> Sequence[str]:
        return list(_branches(self))


def _branches(refs: Iterable[str]) -> Iterator[str]:
    return (ref for ref in refs if ref.startswith("refs/heads/"))


class Refs:
    """The refs at one moment. `packed` is shared by snapshots between which it did not change."""

    __slots__ = (
        "_folders", "_head", "_head_stamp", "_packed_stamp", "_racy", "_settled", "loose", "packed",
    )  # fmt: skip

    def __init__(
        self,
        loose: Mapping[str, str],
        packed: Packed,
        head: str,
        *,
        packed_stamp: _Stamp | None = None,
        head_stamp: _Stamp | None = None,
        folders: Mapping[str, int] | None = None,
        settled: Mapping[str, _Folder] | None = None,
        racy: bool = True,
    ) -> None:
        self.loose = loose
        self.packed = packed
        self._head = head
        self._packed_stamp = packed_stamp
        self._head_stamp = head_stamp
        self._folders = folders or {}
        self._settled = settled or {}
        self._racy = racy

    def get(self, ref: str) -> str | None:
        return self.loose.get(ref) or self.packed.get(ref)

    def items(self) -> Iterator[tuple[str, str]]:
        yield from self.loose.items()
        for ref, oid in self.packed.items():
            if ref not in self.loose:
                yield ref, oid

    def changed_since(self, before: Refs) -> AbstractSet[str]:
        """The refs that differ between two snapshots; cheap where only loose refs do."""
        if not before.loose and not before.packed:
            return {**self.packed, **self.loose}.keys()  # in order, as packed-refs has them
        candidates: set[str] = {*self.loose, *before.loose}
        if self.packed is not before.packed:
            mine, theirs = self.packed, before.packed
            candidates.update(ref for ref, oid in mine.items() if theirs.get(ref) != oid)
            candidates.update(ref for ref in theirs if ref not in mine)
        return {ref for ref in candidates if self.get(ref) != before.get(ref)}

    @property
    def head(self) -> tuple[str | None, str | None]:
        """The default branch and its tip. HEAD says which; if its branch is unborn and there
        is exactly one other, that one. A detached HEAD has a tip and no branch."""
        if not self._head.startswith("ref: "):
            return None, self._head or None
        branch = self._head.removeprefix("ref: ")
        tip = self.get(branch)
        if tip is None:
            branches = {*_branches(self.loose), *self.packed.branches}
            if len(branches) == 1:
                (branch,) = branches
                tip = self.get(branch)
        return branch, tip

    def is_current(self, git_dir: str, common_dir: str) -> bool:
        """True if nothing can have changed since; a few stats, no reading."""
        if self._racy or _stamp(f"{common_dir}/packed-refs") != self._packed_stamp:
            return False
        if _stamp(f"{git_dir}/HEAD") != self._head_stamp:
            return False
        return all(_folder_time(path) == mtime for path, mtime in self._folders.items())


def list_refs(
    git_dir: str, common_dir: str, *, before: Refs | None = None, remote: str | None = None
) -> Refs:
    """The refs below ROOTS, and HEAD. `before` lends its packed refs if they still hold. The labels
    fetched from `remote` stand in for labels that are not here."""
    now = time.time_ns()
    scan = _Scan(common_dir, before._settled if before else {})
    fetched = f"refs/remotes/{remote}/labels" if remote else ""
    for root in (*ROOTS, fetched) if fetched else ROOTS:
        scan.folder(root)
    loose, folders = scan.loose, scan.folders
    head_stamp = _stamp(f"{git_dir}/HEAD")
    head = _read_text(f"{git_dir}/HEAD").strip()
    packed_path = f"{common_dir}/packed-refs"
    packed_stamp = _stamp(packed_path)
    if (
        before is not None
        and packed_stamp == before._packed_stamp
        and not _is_racy(packed_stamp, now)
    ):
        packed = before.packed
    else:
        # Not splitlines(): a ref may contain characters that Python takes for line ends.
        packed = Packed({ref: oid for oid, ref in _PACKED.findall(_read_text(packed_path))})
        _let_stand_in(packed, fetched, packed)
    _let_stand_in(loose, fetched, packed)
    racy = _is_racy(packed_stamp, now) or _is_racy(head_stamp, now)
    racy = racy or any(mtime > now - _RACY_NS for mtime in folders.values())
    return Refs(
        loose,
        packed,
        head,
        packed_stamp=packed_stamp,
        head_stamp=head_stamp,
        folders=folders,
        settled={
            path: folder for path, folder in scan.found.items() if folder.mtime <= now - _RACY_NS
        },
        racy=racy,
    )


def _let_stand_in(refs: dict[str, str], fetched: str, packed: Packed) -> None:
    """Give the labels among the refs that were fetched the names of our own, if we have none, and
    forget what other remotes have."""
    for ref in [ref for ref in refs if ref.startswith("refs/remotes/")]:
        oid = refs.pop(ref)
        if fetched and ref.startswith(f"{fetched}/"):
            for namespace in ("refs/labels", "refs/heads/labels"):
                own = namespace + ref.removeprefix(fetched)
                if own not in packed:
                    refs.setdefault(own, oid)


class _Scan:
    """Reads folders of loose refs; one whose time is as it was `before`, settled then, has the same
    files, so that a repository with many of them is not read again for each new one."""

    def __init__(self, common: str, before: Mapping[str, _Folder]) -> None:
        self._common = common
        self._before = before
        self.loose: dict[str, str] = {}
        self.folders: dict[str, int] = {}
        self.found: dict[str, _Folder] = {}

    def folder(self, name: str) -> None:
        path = f"{self._common}/{name}"
        mtime = self.folders[path] = _folder_time(path)
        listing = self._before.get(name)
        if listing is None or listing.mtime != mtime or not mtime:
            listing = self._read(name, path, mtime)
            if listing is None:
                return
        self.found[name] = listing
        self.loose.update(listing.files)
        for below in listing.below:
            self.folder(below)

    def _read(self, name: str, path: str, mtime: int) -> _Folder | None:
        try:
            with os.scandir(path) as entries:
                items = list(entries)
        except (FileNotFoundError, NotADirectoryError):
            # Not there, or packed and removed just now. The parent's time says when it appears.
            self.folders[path] = 0
            parent = os.path.dirname(path)
            self.folders.setdefault(parent, _folder_time(parent))
            return None
        files: dict[str, str] = {}
        below: list[str] = []
        for entry in items:
            inside = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                below.append(inside)
            elif not entry.name.endswith(".lock"):
                oid = _read_text(f"{self._common}/{inside}").strip()
                if len(oid) == 40:
                    files[os.fsencode(inside).decode("utf-8", "backslashreplace")] = oid
        return _Folder(mtime, files, below)


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _folder_time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_racy(stamp: _Stamp | None, now: int) -> bool:
    return stamp is not None and stamp[2] > now - _RACY_NS
