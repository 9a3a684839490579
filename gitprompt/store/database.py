# SPDX-License-Identifier: Apache-2.0
"""The durable database: one thread writes it, others read it; API keys and pins.

A write that returned is on disk. What belongs to one table is in the module of that table.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import apsw

from gitprompt.core.publication import Pin, Version
from gitprompt.store.engines import sqlite
from gitprompt.store.generation import Generation
from gitprompt.store.group_commit import Apply, OnCommit, Writer
from gitprompt.store.tables import audit, rows
from gitprompt.store.tables.audit import AuditRow

Result = TypeVar("Result")
_READERS = 2
_CACHE_KIB = 16_000  # the pages of indexes that new rows go to
_CHECKPOINT_PAGES = 4_000  # 16 MB of journal: pages that change often are copied less often
_KNOWN_KEYS = 10_000


class KeyRecord(NamedTuple):
    """An API key without its secret. `workspace_id` '*' is a master key; times are Unix seconds."""

    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None = None

    @property
    def scope_set(self) -> frozenset[str]:
        return frozenset(self.scopes.split(","))


_KEY = ", ".join(KeyRecord._fields)
_PIN = "name, version, tag, commit_oid, blob, created_at, author, path, first_seen"


class Database:
    """Opens the file, which is made or migrated first. Raises Corrupt or SetupError."""

    def __init__(self, path: str, *, on_commit: Sequence[OnCommit] = ()) -> None:
        self.path = path
        self._known_keys: dict[str, KeyRecord] = {}
        self._generation = Generation(os.path.join(os.path.dirname(path), "keys.generation"))
        self._known_at = self._generation.value
        connection = sqlite.connect(path, "telemetry", durability="FULL")
        connection.pragma("cache_size", -_CACHE_KIB)
        connection.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
        self.writer = Writer(connection, name="telemetry-writer", on_commit=on_commit)
        self._reader = sqlite.connect(path, "telemetry", durability="FULL")
        self._read_lock = threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="telemetry-reader")
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._readers.shutdown()
        self.writer.close()
        with self._read_lock:
            for connection in (self._reader, *self._opened):
                connection.close()
        self._generation.close()

    def ping(self) -> None:
        """Raise where the database cannot be read."""
        with self._read_lock:
            self._reader.execute("SELECT 1 FROM schema_version").get  # noqa: B018 - runs the query

    async def write(self, apply: Apply, item: Any) -> Any:
        """Queue a write, and return its result when it is on disk; see `Writer.submit`."""
        return await self.writer.submit(apply, item)

    async def read(self, query: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """Run a query in a thread of its own: a long one must not keep requests waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, lambda: query(self._connection(), *args, **options)
        )

    def read_now(self, query: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """Run a short query in this thread."""
        with self._read_lock:
            return query(self._reader, *args, **options)

    def _connection(self) -> apsw.Connection:
        found: apsw.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = sqlite.connect(
                self.path, "telemetry", durability="FULL"
            )
            self._opened.append(found)
        return found

    # keys

    def add_key(
        self,
        *,
        name: str,
        workspace_id: str,
        scopes: str,
        hashed: str,
        created_at: int,
        expires_at: int | None,
        entry: AuditRow,
    ) -> KeyRecord:
        """Store a key by its hash, and the audit row for it, which gets the key's id."""

        def add(db: apsw.Connection) -> int:
            db.execute(
                "INSERT INTO api_key (name, workspace_id, scopes, hash, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, workspace_id, scopes, hashed, created_at, expires_at),
            )
            key_id = db.last_insert_rowid()
            audit.insert(db, [entry._replace(target_id=str(key_id))])
            return key_id

        key_id = self.writer.call(add)
        self._generation.advance()
        return KeyRecord(key_id, name, workspace_id, scopes, created_at, expires_at)

    def key_by_hash(self, hashed: str) -> KeyRecord | None:
        """The key with a hash, kept in memory until some process adds or removes a key: a revoked
        key is refused at once, whoever revoked it."""
        generation = self._generation.value
        if generation != self._known_at or len(self._known_keys) > _KNOWN_KEYS:
            self._known_keys.clear()
            self._known_at = generation
        known = self._known_keys.get(hashed)
        if known is None:
            with self._read_lock:
                found = sqlite.row(
                    self._reader, f"SELECT {_KEY} FROM api_key WHERE hash = ?", (hashed,)
                )
            if found is None:
                return None
            known = self._known_keys[hashed] = KeyRecord(*found)
        return known

    def keys(self, workspace: str | None = None) -> list[KeyRecord]:
        """The keys of a workspace, or all, oldest first."""
        with self._read_lock:
            found = sqlite.query(
                self._reader,
                f"SELECT {_KEY} FROM api_key WHERE ?1 IS NULL OR workspace_id = ?1 ORDER BY id",
                (workspace,),
            )
        return [KeyRecord(*key) for key in found]

    def remove_key(self, key_id: int, entry: AuditRow, *, workspace: str | None = None) -> bool:
        """Remove a key, of one workspace or of any; False where there is none."""

        def remove(db: apsw.Connection) -> bool:
            db.execute(
                "DELETE FROM api_key WHERE id = ?1 AND (?2 IS NULL OR workspace_id = ?2)",
                (key_id, workspace),
            )
            removed = db.changes() > 0
            if removed:
                audit.insert(db, [entry])
            return removed

        removed = self.writer.call(remove)
        self._generation.advance()
        return removed

    def note_use(self, used: Mapping[int, int]) -> None:
        """Remember when keys were last used: key id → Unix seconds."""

        def note(db: apsw.Connection) -> None:
            db.executemany(
                "UPDATE api_key SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
                [(at, key_id) for key_id, at in used.items()],
            )

        self.writer.call(note)

    # pins

    def add_pins(
        self, workspace: str, versions: Sequence[Version], first_seen: int
    ) -> Future[None]:
        """Remember versions as they were first seen; what is remembered already stays. The future
        is done when they are on disk."""
        pins = [(workspace, *version, first_seen) for version in versions]
        return self.writer.start(_insert_pins, pins)

    def pin(self, workspace: str, name: str, version: str) -> Pin | None:
        with self._read_lock:
            found = sqlite.row(
                self._reader,
                f"SELECT {_PIN} FROM pin WHERE workspace = ? AND name = ? AND version = ?",
                (workspace, name, version),
            )
        return _pin(found) if found else None

    def pins(self, workspace: str, *, chunk: int = 2_000) -> Iterator[list[Pin]]:
        """All pins of a workspace in order of name and version, in chunks."""
        after = ("", "")
        while True:
            with self._read_lock:
                found = sqlite.query(
                    self._reader,
                    f"SELECT {_PIN} FROM pin WHERE workspace = ? AND (name, version) > (?, ?)"
                    " ORDER BY name, version LIMIT ?",
                    (workspace, *after, chunk),
                )
            if not found:
                return
            yield [_pin(pin) for pin in found]
            after = (found[-1][0], found[-1][1])

    def has_pins(self, workspace: str) -> bool:
        with self._read_lock:
            sql = "SELECT 1 FROM pin WHERE workspace = ? LIMIT 1"
            return sqlite.row(self._reader, sql, (workspace,)) is not None


def _insert_pins(db: apsw.Connection, items: Sequence[Sequence[tuple[Any, ...]]]) -> list[None]:
    for pins in items:
        rows.insert(db, "pin", f"workspace, {_PIN}", pins, verb="INSERT OR IGNORE")
    return [None] * len(items)


def _pin(found: Sequence[Any]) -> Pin:
    return Pin(Version(*found[:8]), found[8])
