# SPDX-License-Identifier: Apache-2.0
"""Where what libraries raise becomes an error of ours: a full or damaged disk is nobody's bug."""

from __future__ import annotations

import errno

from gitprompt.errors import GitError, GitpromptError, Unavailable
from gitprompt.store.sqlite_file import explained

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def translated(error: Exception) -> GitpromptError | None:
    """The error as a client reads it; None for what nobody has foreseen."""
    known = explained(error)
    if isinstance(known, GitpromptError):
        return known
    if type(error).__module__.partition(".")[0] in ("pygit2", "_pygit2"):
        return GitError(
            f"the repository cannot be read or written: {error}",
            hint="gitprompt doctor says what is wrong.",
        )
    if not isinstance(error, OSError) or isinstance(error, ConnectionError | TimeoutError):
        return None
    if error.errno in _FULL or "No space left" in str(error):  # libgit2 tells no number
        return Unavailable("the disk is full", hint="Free some space.")
    if error.errno in _TOO_MANY:
        return Unavailable(f"the machine has no room: {error.strerror}")
    why = error.strerror or error
    return Unavailable(f"the data folder cannot be used: {why}", retry_after=10)
