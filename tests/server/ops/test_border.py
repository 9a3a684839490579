# SPDX-License-Identifier: Apache-2.0
"""What libraries raise becomes an error of ours, if it is nobody's bug."""

from __future__ import annotations

import errno

import apsw
import pygit2
import pytest

from gitprompt.errors import GitError, Unavailable
from gitprompt.server.ops.border import translated
from gitprompt.store.sqlite_file import Corrupt


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Unavailable, "the disk is full"),
        (OSError("failed to write: No space left on device"), Unavailable, "the disk is full"),
        (OSError(errno.EMFILE, "Too many open files"), Unavailable, "no room: Too many open files"),
        (OSError(errno.EIO, "Input/output error"), Unavailable, "cannot be used: Input/output"),
        (PermissionError(errno.EACCES, "Permission denied"), Unavailable, "Permission denied"),
        (apsw.FullError("full"), Unavailable, "the disk is full"),
        (apsw.CorruptError("malformed"), Corrupt, "the database is damaged"),
        (apsw.BusyError("locked"), Unavailable, "locked by another process"),
        (pygit2.GitError("object not found"), GitError, "cannot be read or written: object not"),
    ],
)
def test_damage_and_a_full_disk_are_told(error: Exception, kind: type, words: str) -> None:
    known = translated(error)
    assert known is not None
    assert isinstance(known, kind)
    assert known.status == 503
    assert words in known.message


@pytest.mark.parametrize(
    "error", [KeyError("a"), ValueError("b"), ConnectionResetError(), apsw.SQLError("near x")]
)
def test_a_bug_stays_one(error: Exception) -> None:
    assert translated(error) is None
