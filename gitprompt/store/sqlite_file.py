# SPDX-License-Identifier: Apache-2.0
"""SQLite files through apsw: opened, migrated, kept durable; their errors in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import apsw

from gitprompt.errors import SetupError, Unavailable
from gitprompt.store import migration
from gitprompt.store.migration import Progress

Durability = Literal["FULL", "NORMAL"]

_BUSY_MS = 5_000


class Corrupt(SetupError):
    """The file is not a database, or is damaged."""


def connect(
    path: str,
    schema: str,
    *,
    durability: Durability,
    page_size: int = 4096,
    progress: Progress | None = None,
) -> apsw.Connection:
    """Open `path`, made if absent, and migrate it to the newest version of `schema`.

    FULL: a commit is on disk when it returns; NORMAL is for what can be built again, whose schema
    is not even awaited. `page_size` is that of a new file. Raises Corrupt, or SetupError if the
    file was written by a newer gitprompt or cannot be opened.
    """
    try:
        connection = apsw.Connection(path)
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("page_size", page_size)
        # A new file has nothing to lose yet, and the first commit that has to last brings all that
        # stands before it in the journal to the disk as well.
        connection.pragma("synchronous", "OFF")
        connection.pragma("journal_mode", "wal")
        if durability == "FULL" and migration.version_of(connection):
            connection.pragma("synchronous", "FULL")
        migration.migrate(connection, schema, path, progress=progress)
        connection.pragma("foreign_keys", True)
        connection.pragma("synchronous", durability)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupt(
            f"{path} is damaged: {error}",
            hint="Restore it from a backup; `gitprompt doctor` says which files can be rebuilt.",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError, apsw.FullError) as error:
        raise SetupError(
            f"{path} cannot be used: {error}",
            hint="Check that the folder exists, is writable, and that the disk is not full.",
        ) from error
    except apsw.BusyError as error:
        raise busy() from error
    os.chmod(path, 0o600)
    return connection


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT; everything is undone if the body raises. What the database refuses
    comes out as our own error: nothing was stored."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, apsw.Error):
            raise explained(error) from error
        raise


def explained(error: Exception) -> Exception:
    """A database's refusal in our words: try later, or repair the machine; others as they are."""
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return busy()
    if isinstance(error, apsw.FullError):
        return Unavailable("the disk is full; nothing was stored", hint="Free some space.")
    if isinstance(error, apsw.ReadOnlyError | apsw.IOError | apsw.CantOpenError):
        return Unavailable(f"the database cannot be written: {error}", retry_after=10)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return Corrupt(
            f"the database is damaged: {error}", hint="gitprompt doctor says how to repair it."
        )
    return error


def is_gone(path: str, inode: int | None) -> bool:
    """Whether the file that was opened was deleted, or another is in its place."""
    try:
        return os.stat(path).st_ino != inode
    except OSError:
        return True


def size_of(path: str) -> int:
    """Bytes of a database and its journal, of what there is of them."""
    size = 0
    for name in (path, f"{path}-wal"):
        with suppress(OSError):
            size += os.stat(name).st_size
    return size


def busy() -> Unavailable:
    return Unavailable("the database is locked by another process", retry_after=1)


def row(connection: apsw.Connection, sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    for first in connection.execute(sql, values):
        return tuple(first)
    return None


def query(
    connection: apsw.Connection, sql: str, values: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    """All rows of a query; its author knows the types of the columns."""
    return connection.execute(sql, values).fetchall()
