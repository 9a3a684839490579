# SPDX-License-Identifier: Apache-2.0
"""SQLite through apsw: opens a database, brings its schema up to date, keeps it durable."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import apsw

from gitprompt.errors import SetupError, Unavailable

Durability = Literal["FULL", "NORMAL"]

_MIGRATIONS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "migrations")
_BUSY_MS = 5_000


class Corrupt(SetupError):
    """The file is not a database, or is damaged."""


def connect(
    path: str, schema: str, *, durability: Durability, page_size: int = 4096
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
        if durability == "FULL" and _version(connection):
            connection.pragma("synchronous", "FULL")
        connection.pragma("foreign_keys", True)
        _migrate(connection, schema, path)
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


def _migrate(connection: apsw.Connection, schema: str, path: str) -> None:
    folder = os.path.join(_MIGRATIONS, schema)
    files = sorted(name for name in os.listdir(folder) if re.fullmatch(r"\d{4}_\w+\.sql", name))
    newest = int(files[-1][:4])
    if _version(connection) == newest:
        return
    with connection_transaction(connection):
        current = _version(connection)
        if current > newest:
            raise SetupError(
                f"{path} was written by a newer gitprompt (schema {current}, this one knows {newest})",
                hint="Upgrade gitprompt; going back is not possible.",
            )
        for name in files[current:]:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                connection.execute(file.read())
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT"
        )
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", (newest,))


def _version(connection: apsw.Connection) -> int:
    """The schema of the file; 0 where it is new."""
    if not connection.table_exists("main", "schema_version"):
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").get)


@contextmanager
def connection_transaction(connection: apsw.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT; everything is undone where the body raises. What the database
    refuses comes out as our own error: nothing was stored."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        _roll_back(connection)
        if isinstance(error, apsw.Error):
            raise told(error) from error
        raise


def told(error: Exception) -> Exception:
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


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def busy() -> Unavailable:
    return Unavailable("the database is locked by another process", retry_after=1)


def row(connection: apsw.Connection, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    for first in connection.execute(sql, values):
        return tuple(first)
    return None


def query(
    connection: apsw.Connection, sql: str, values: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    """All rows of a query; its author knows the types of the columns."""
    return connection.execute(sql, values).fetchall()
