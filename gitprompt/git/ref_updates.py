# SPDX-License-Identifier: Apache-2.0
"""Moves refs: many in one transaction, each by compare-and-swap; and thousands at a server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from gitprompt.errors import Conflict, GitError, OriginUnreachable
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


# At a server: git compares each ref that it is to push with each there, which for 10,000 new tags takes four times
# as long as all else together; libgit2 does not.

_SILENCE = 120_000  # milliseconds; while it judges, a server sends a sign of life every few seconds


@cache
def _callbacks_class() -> type[Any]:
    import pygit2

    class Callbacks(pygit2.RemoteCallbacks):
        """Gives the password to one server alone, and hears what it says of each ref."""

        def __init__(self, url: str, user: str, password: str) -> None:
            super().__init__()
            self._url, self._user, self._password = url, user, password
            self._was_asked = False
            self.refused: list[tuple[str, str]] = []
            self.said: list[str] = []

        def credentials(self, url: str, username_from_url: str | None, allowed_types: Any) -> Any:
            if self._was_asked or not url.startswith(self._url):
                raise pygit2.Passthrough  # another server, or the password is wrong
            self._was_asked = True
            return pygit2.UserPass(self._user, self._password)

        def push_update_reference(self, refname: str, message: str | None) -> None:
            if message is not None:
                self.refused.append((refname, message))

        def sideband_progress(self, string: str) -> None:
            self.said.append(string)

    return Callbacks


def push_many(
    repository: Repository,
    url: str,
    refs: Sequence[str],
    *,
    user: str,
    password: str,
    is_here: bool,
) -> None:
    """Make refs of a repository at a URL of HTTP what they are here; a branch or label only goes forward. `is_here`:
    the server is this machine, and no proxy is on the way. Raises Conflict, with the server's words, if it refuses
    one, and OriginUnreachable."""
    import pygit2

    pygit2.settings.server_connect_timeout = 20_000
    pygit2.settings.server_timeout = _SILENCE
    callbacks = _callbacks_class()(url, user, password)
    there = pygit2.Repository(repository.git_dir)
    remote = there.remotes.create_anonymous(url)
    try:
        remote.push(
            [f"{ref}:{ref}" for ref in refs], callbacks=callbacks, proxy=None if is_here else True
        )
    except pygit2.GitError as error:
        raise OriginUnreachable(f"{url}: {error}") from error
    if callbacks.refused:
        ref, why = callbacks.refused[0]
        words = [line.strip() for line in "".join(callbacks.said).splitlines()]
        told = [line for line in words if line and "deltas" not in line and "objects" not in line]
        raise Conflict(f"{ref}: {why}", hint="\n  ".join(told[:20]))
