# SPDX-License-Identifier: Apache-2.0
"""Brings the schema of a SQLite file up to date, in one transaction: cut short, nothing has happened.

A step is a file `migrations/<schema>/NNNN_name.sql`. A statement in it that has `$after` and
`$until` copies a table by ranges of its ids, so that a long copy can say how far it is.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import apsw

from gitprompt import log
from gitprompt.errors import SetupError

Progress = Callable[[int, int], None]
"""Rows that are done, and rows in all."""

MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")
_RANGE = 20_000  # ids to one statement
_SPACE = 2.2  # the new tables beside the old ones, in the journal and then in the file
_CACHE_KIB = 200_000


class Statement(NamedTuple):
    """`source` is the table that it copies by ranges of ids, if it does."""

    sql: str
    source: str | None


def migrate(
    connection: apsw.Connection, schema: str, path: str, *, progress: Progress | None = None
) -> None:
    """Raises SetupError if the file is of a newer gitprompt, or the disk has too little room."""
    folder = os.path.join(MIGRATIONS, schema)
    files = sorted(name for name in os.listdir(folder) if re.fullmatch(r"\d{4}_\w+\.sql", name))
    newest = int(files[-1][:4])
    if version_of(connection) == newest:
        return
    # A table that is made again is dropped first: that must not delete what refers to it.
    connection.pragma("foreign_keys", False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        current = version_of(connection)
        if current > newest:
            raise SetupError(
                f"{path} was written by a newer gitprompt (schema {current}, this one knows {newest})",
                hint="Upgrade gitprompt; going back is not possible.",
            )
        statements = [
            statement for name in files[current:] for statement in _read(os.path.join(folder, name))
        ]
        if current:
            _run_long(connection, path, statements, progress)
        else:
            for statement in statements:
                if statement.source is None:  # a new file has no rows to copy
                    connection.execute(statement.sql)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT"
        )
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", (newest,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if current:
        connection.pragma("wal_checkpoint", "TRUNCATE")  # the journal may be as large as the file
        log.info("the database has a new schema", path=path, schema=newest)


def version_of(connection: apsw.Connection) -> int:
    """The schema of the file; 0 if it is new."""
    if not connection.table_exists("main", "schema_version"):
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").get)


def _read(path: str) -> Iterator[Statement]:
    with open(path, encoding="utf-8") as file:
        sql = ""
        for line in file:
            sql += line
            if sqlite3.complete_statement(sql):
                source = re.search(r"\bFROM (\w+)", sql) if "$after" in sql else None
                yield Statement(sql, source[1] if source else None)
                sql = ""


def _run_long(
    connection: apsw.Connection,
    path: str,
    statements: Sequence[Statement],
    progress: Progress | None,
) -> None:
    """Run statements over a file that has rows, after asking whether the disk holds the result."""
    sources = [statement.source for statement in statements if statement.source is not None]
    total = sum(_rows(connection, source) for source in sources)
    if total:
        _check_room(connection, path)
        log.info("bringing the database to a new schema", path=path, rows=total)
        connection.pragma("cache_size", -_CACHE_KIB)
    done = 0
    for statement in statements:
        if statement.source is None:
            connection.execute(statement.sql)
            continue
        first, last = _ids(connection, statement.source)
        for after in range(first, last, _RANGE):
            until = min(after + _RANGE, last)
            connection.execute(statement.sql, {"after": after, "until": until})
            done += until - after
            if progress is not None:
                progress(done, total)


def _rows(connection: apsw.Connection, table: str) -> int:
    """About how many rows there are to copy; none if another step makes the table first."""
    first, last = _ids(connection, table) if connection.table_exists("main", table) else (0, 0)
    return last - first


def _ids(connection: apsw.Connection, table: str) -> tuple[int, int]:
    """All ids of a table are above the first of these, and up to the second."""
    ids: tuple[int, int] = connection.execute(
        f"SELECT coalesce(min(id) - 1, 0), coalesce(max(id), 0) FROM {table}"
    ).get
    return ids


def _check_room(connection: apsw.Connection, path: str) -> None:
    pages = connection.pragma("page_count") - connection.pragma("freelist_count")
    needed = int(pages * connection.pragma("page_size") * _SPACE)
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free
    if free < needed:
        raise SetupError(
            f"{path} must be brought to a new schema, which needs {needed / 1e9:.1f} GB of free"
            f" disk; there are {free / 1e9:.1f} GB",
            hint="Free some space, or move the data folder to a larger disk. Nothing was changed.",
        )
