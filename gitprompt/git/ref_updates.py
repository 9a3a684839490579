# SPDX-License-Identifier: Apache-2.0
"""Moves refs: many in one transaction, each by compare-and-swap."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from gitprompt.errors import Conflict, GitError
from gitprompt.git.refs import ZERO, RefUpdate
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
