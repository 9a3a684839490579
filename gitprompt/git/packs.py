# SPDX-License-Identifier: Apache-2.0
"""Objects as packs of their own: made for what is new, joined, and taken into another repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from gitprompt.errors import GitError
from gitprompt.git.refs import ZERO
from gitprompt.git.repository import Repository

_HEADER = 12  # bytes: PACK, the version, how many objects
_TRAILER = 20  # the SHA-1 of all before
_FEW, _LOOSE = 16, 200  # packs, and objects in them, up to which each becomes a file


def pack(repository: Repository, new: Iterable[str], old: Iterable[str]) -> bytes:
    """What is reachable from `new` objects and not from `old` ones; it needs no other pack. Empty if that is
    nothing."""
    lines = [*dict.fromkeys(new), "--not", *dict.fromkeys(oid for oid in old if oid != ZERO)]
    asked = "".join(f"{line}\n" for line in lines).encode()
    options = ("--revs", "--stdout", "--quiet", "--delta-base-offset")
    data = repository.git("pack-objects", *options, stdin=asked)
    return data if count(data) else b""


def count(data: bytes) -> int:
    """How many objects a pack has. Raises GitError for what is none."""
    if len(data) < _HEADER + _TRAILER or data[:8] != b"PACK\0\0\0\2":
        raise GitError("this is no pack of version 2")
    return int.from_bytes(data[8:_HEADER], "big")


def joined(packs: Sequence[bytes]) -> bytes:
    """One pack with the objects of all: what its objects refer to is at a relative place, so that their bytes may
    be moved."""
    total = sum(map(count, packs))
    parts: list[bytes | memoryview] = [b"PACK\0\0\0\2" + total.to_bytes(4, "big")]
    parts += [memoryview(data)[_HEADER:-_TRAILER] for data in packs]
    trailer = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        trailer.update(part)
    return b"".join([*parts, trailer.digest()])


def take(repository: Repository, packs: Sequence[bytes]) -> None:
    """Bring the objects of packs into a repository, each of them checked. Those of a few become loose objects, of
    many one pack: there is no --strict for that, which refuses an object that two nodes have made alike."""
    wanted = [data for data in packs if data]
    if len(wanted) <= _FEW and sum(map(count, wanted)) <= _LOOSE:
        for data in wanted:
            repository.git("unpack-objects", "-q", "--strict", stdin=data)
    elif wanted:
        repository.git(
            "index-pack",
            "--stdin",
            "--fsck-objects",
            stdin=wanted[0] if len(wanted) == 1 else joined(wanted),
        )
