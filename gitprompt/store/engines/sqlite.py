# SPDX-License-Identifier: Apache-2.0
"""SQLite in a file: one process writes, many read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import chain
from typing import Any

import apsw

from gitprompt.store import sqlite_file
from gitprompt.store.engines.duplicate import Duplicate
from gitprompt.store.generation import Generation

_CACHE_KIB = 16_000  # the pages of indexes that new rows go to
_CHECKPOINT_PAGES = 4_000  # 16 MB of journal: pages that change often are copied less often
_SIZES = (256, 64, 16, 4, 1)  # rows to a statement: few texts, so that each is compiled once


class Sqlite:
    """The database in the file at `path`, made if absent."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._inode: int | None = None
        self._boot = secrets.token_hex(16)

    def __str__(self) -> str:
        return f"SQLite: {self.path}"

    def writer(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        memory: str | None = None,
    ) -> SqliteConnection:
        db = sqlite_file.connect(self.path, "sqlite", durability="FULL", progress=progress)
        self._inode = os.stat(self.path).st_ino
        db.pragma("cache_size", -_CACHE_KIB)
        db.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
        return SqliteConnection(db, self._boot)

    def reader(self) -> SqliteConnection:
        db = sqlite_file.connect(self.path, "sqlite", durability="FULL")
        return SqliteConnection(db, self._boot)

    def size(self) -> int:
        return sqlite_file.size_of(self.path)

    def is_gone(self) -> bool:
        return sqlite_file.is_gone(self.path, self._inode)

    def generation(self) -> Generation:
        return Generation(os.path.join(os.path.dirname(self.path), "keys.generation"))


class SqliteConnection:
    is_shared = False

    def __init__(self, db: apsw.Connection, boot: str) -> None:
        self.db = db
        self.boot = boot
        self.close = db.close

    def living(self) -> Collection[str]:
        return (self.boot,)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return sqlite_file.row(self.db, sql, values)

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return iter(self.db.execute(sql, values))

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        self.db.execute(sql, values)
        return self.db.changes()

    def execute_each(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:  # as nearly always; twice as fast
            self.db.execute(sql, rows[0])
        else:
            self.db.executemany(sql, rows)

    def insert(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]], *, keep: str = ""
    ) -> None:
        at = 0
        try:
            if len(rows) == 1:
                self.db.execute(_insertion(table, columns, keep, 1), rows[0])
                return
            for size in _SIZES:
                while len(rows) - at >= size:
                    self.db.execute(
                        _insertion(table, columns, keep, size),
                        tuple(chain.from_iterable(rows[at : at + size])),
                    )
                    at += size
        except apsw.ConstraintError as error:
            raise Duplicate(str(error)) from error

    def add_up(
        self, table: str, key: str, sums: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        self.execute_each(_addition(table, key, tuple(sums)), rows)

    def insert_numbered(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]]
    ) -> Sequence[int]:
        ids = self.numbers(table, len(rows))
        numbered = [(number, *row) for number, row in zip(ids, rows, strict=True)]
        self.insert(table, f"id, {columns}", numbered)
        return ids

    def append(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        self.insert_numbered(table, columns, rows)

    def numbers(self, table: str, count: int) -> range:
        # In two statements: RETURNING makes SQLite build a table for its answer, which costs more.
        self.db.execute("UPDATE sequence SET last = last + $1 WHERE name = $2", (count, table))
        last = self.db.execute("SELECT last FROM sequence WHERE name = $1", (table,)).get
        return range(last - count + 1, last + 1)

    def continue_numbers(self, table: str, last: int) -> None:
        if table != "api_key":  # it counts by itself
            sql = "UPDATE sequence SET last = max(last, $1) WHERE name = $2"
            self.db.execute(sql, (last, table))

    def savepoint(self) -> AbstractContextManager[Any]:
        return self.db

    def transaction(self) -> AbstractContextManager[None]:
        return sqlite_file.transaction(self.db)

    def explained(self, error: Exception) -> Exception:
        return sqlite_file.explained(error)


@cache
def _addition(table: str, key: str, sums: tuple[str, ...]) -> str:
    columns = f"{key}, {', '.join(sums)}"
    places = ", ".join(f"${number}" for number in range(1, columns.count(",") + 2))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({places})"
        f" ON CONFLICT ({key}) DO UPDATE SET {added}"
    )


@cache
def _insertion(table: str, columns: str, keep: str, size: int) -> str:
    """Numbered placeholders would cost SQLite a search each."""
    row = f"({','.join('?' * (columns.count(',') + 1))})"
    conflict = f" ON CONFLICT ({keep}) DO NOTHING" if keep else ""
    return f"INSERT INTO {table} ({columns}) VALUES {','.join([row] * size)}{conflict}"
