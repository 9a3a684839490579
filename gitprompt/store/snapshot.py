# SPDX-License-Identifier: Apache-2.0
"""Copies the durable database while it is in use, and puts a copy back."""

from __future__ import annotations

import os
from collections.abc import Callable

import apsw

from gitprompt.errors import SetupError
from gitprompt.store import integrity, sqlite_file

Progress = Callable[[int, int], None]
_PAGES = 2_000  # to one step: others write between two of them


def back_up(source: str, target: str, *, progress: Progress) -> None:
    """Copy a database to a file that does not exist yet; the copy is of one moment, and appears
    whole. `progress` gets pages done and pages in all. Raises SetupError."""
    if os.path.exists(target):
        raise SetupError(f"{target} exists already", hint="Choose another name.")
    temporary = f"{target}.part"
    read = sqlite_file.connect(source, "sqlite", durability="FULL")
    try:
        write = apsw.Connection(temporary)
        try:
            write.pragma("synchronous", "FULL")
            # One snapshot: without it each write of somebody else's would begin the copy again.
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM schema_version").get  # noqa: B018 - runs the query
            with write.backup("main", read, "main") as backup:
                while not backup.done:
                    backup.step(_PAGES)
                    progress(backup.page_count - backup.remaining, backup.page_count)
            write.pragma("journal_mode", "delete")
        finally:
            write.close()
        os.chmod(temporary, 0o600)
        os.replace(temporary, target)
    except apsw.Error as error:
        raise SetupError(f"{target} cannot be written: {error}") from error
    finally:
        read.close()


def put_back(source: str, target: str) -> None:
    """Replace a database that nobody has open by a copy, after the copy was found sound."""
    problem = integrity.problem(source) if os.path.exists(source) else "it does not exist"
    if problem:
        raise SetupError(f"{source} is not a backup: {problem}")
    sqlite_file.connect(
        source, "sqlite", durability="FULL"
    ).close()  # is it of ours, and of what age?
    temporary = f"{target}.part"
    read = apsw.Connection(source)
    try:
        write = apsw.Connection(temporary)
        try:
            with write.backup("main", read, "main") as backup:
                backup.step(-1)
        finally:
            write.close()
    finally:
        read.close()
    for suffix in ("-wal", "-shm"):
        if os.path.exists(target + suffix):
            os.unlink(target + suffix)
    os.replace(temporary, target)
