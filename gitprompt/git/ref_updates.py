# SPDX-License-Identifier: Apache-2.0
"""Moves refs: many in one transaction, each by compare-and-swap."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gitprompt.errors import Conflict, GitError
from gitprompt.git.refs import ZERO, RefUpdate, packed_refs
from gitprompt.git.repository import Repository


def update_refs(repository: Repository, updates: Sequence[RefUpdate], *, message: str) -> None:
    """Move refs in one transaction, each by compare-and-swap; all of them or none.

    `message` is the reflog's. Raises Conflict if a ref is not at its `old` any more.
    """
    lines = b"".join(map(_command, updates))
    try:
        repository.git("update-ref", "-m", message, "--stdin", "-z", stdin=lines)
    except GitError as error:
        if _LOST_RACE.search(error.stderr):
            raise Conflict(
                f"{_named(error.stderr) or 'a ref'} was changed by somebody else meanwhile",
                hint="Fetch, look at what happened, and try again.",
            ) from error
        raise


def write_packed_refs(repository: Repository, refs: Mapping[str, str]) -> None:
    """Give a repository all its refs at once, which for thousands of them is far faster than a transaction; its
    packed ones before are gone. Raises GitError if an object is not there, or is none that the ref may name, or if somebody
    else packs refs now. That the names are those of refs is for the caller to know."""
    oids = "".join(f"{oid}\n" for oid in refs.values()).encode()
    kinds = repository.git("cat-file", "--batch-check=%(objecttype)", stdin=oids).split(b"\n")
    for ref, kind in zip(refs, kinds, strict=False):
        if kind.endswith(b" missing"):
            raise GitError(f"{ref} names an object that is not there")
        if ref.startswith("refs/heads/") and kind != b"commit":
            raise GitError(f"{ref} is a branch, and names a {kind.decode()}")
        folders = ref.split("/")
        if any("/".join(folders[:at]) in refs for at in range(3, len(folders))):
            raise GitError(f"{ref} lies below another ref")
    path = os.path.join(repository.common_dir, "packed-refs")
    try:
        with open(f"{path}.lock", "xb") as file:  # as git itself locks it
            file.write(packed_refs(refs))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.lock", path)
    except FileExistsError:
        raise GitError(f"{path}.lock is there: somebody else packs refs now") from None
    except OSError as error:
        with suppress(OSError):
            os.unlink(f"{path}.lock")
        raise GitError(f"packed-refs cannot be written: {error.strerror}") from error
    repository.git("pack-refs", "--all")  # notes what each tag leads to


def _command(update: RefUpdate) -> bytes:
    """The line of `git update-ref --stdin -z` for an update."""
    ref, old, new = os.fsencode(update.ref), update.old.encode(), update.new.encode()
    if old == new:
        return b"verify %b\0%b\0" % (ref, old)
    if update.new == ZERO:
        return b"delete %b\0%b\0" % (ref, old)
    return b"update %b\0%b\0%b\0" % (ref, new, old)


_LOST_RACE = re.compile(
    r"but expected|reference already exists|unable to resolve reference|cannot lock ref"
)


def _named(stderr: str) -> str:
    match = re.search(r"cannot lock ref '([^']+)'", stderr)
    return match[1] if match else ""
