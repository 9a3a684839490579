# SPDX-License-Identifier: Apache-2.0
"""The durable database: one thread writes it, others read it; API keys and pins.

A write that returned is on disk. What belongs to one table is in the module of that table.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import apsw

from gitprompt.core.publication import Pin
from gitprompt.store.engines import sqlite
from gitprompt.store.generation import Generation
from gitprompt.store.group_commit import Command, OnCommit, Writer
from gitprompt.store.tables.keys import KeyByHash, KeyInsertion, KeyRecord, KeyRemoval
from gitprompt.store.tables.pins import OnePin, PinsAfter

Result = TypeVar("Result")
Answer_co = TypeVar("Answer_co", covariant=True)
_READERS = 2
_CACHE_KIB = 16_000  # the pages of indexes that new rows go to
_CHECKPOINT_PAGES = 4_000  # 16 MB of journal: pages that change often are copied less often
_KNOWN_KEYS = 10_000


class Query(Protocol[Answer_co]):
    """A question to the database, as a value."""

    def answer(self, db: apsw.Connection) -> Answer_co: ...


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

    # commands and queries are values: their type says what becomes of them

    async def write(self, command: Command[Result]) -> Result:
        """Queue a write, and return its result when it is on disk; see `Writer.submit`."""
        result: Result = await self.writer.submit(command)
        return result

    def start(self, command: Command[Result]) -> Future[Result]:
        """Queue a write from any other thread; the future is done when it is on disk."""
        return self.writer.start(command)

    def write_now(self, command: Command[Result]) -> Result:
        """Write from any other thread, and wait until it is on disk."""
        return self.writer.run(command)

    async def read(self, query: Query[Result]) -> Result:
        """Ask in a thread of its own: a long query must not keep requests waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: query.answer(self._connection()))

    def read_now(self, query: Query[Result]) -> Result:
        """Ask something short in this thread."""
        with self._read_lock:
            return query.answer(self._reader)

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite.connect(
                self.path, "telemetry", durability="FULL"
            )
            self._opened.append(connection)
        return connection

    # keys

    def add_key(self, key: KeyInsertion) -> KeyRecord:
        key_id = self.write_now(key)
        self._generation.advance()
        return KeyRecord(
            key_id, key.name, key.workspace_id, key.scopes, key.created_at, key.expires_at
        )

    def remove_key(self, key: KeyRemoval) -> bool:
        """False if it is not there."""
        removed = self.write_now(key)
        self._generation.advance()
        return removed

    def key_by_hash(self, hashed: str) -> KeyRecord | None:
        """The key with a hash, kept in memory until some process adds or removes a key: a revoked
        key is refused at once, whoever revoked it."""
        generation = self._generation.value
        if generation != self._known_at or len(self._known_keys) > _KNOWN_KEYS:
            self._known_keys.clear()
            self._known_at = generation
        record = self._known_keys.get(hashed)
        if record is None:
            record = self.read_now(KeyByHash(hashed))
            if record is not None:
                self._known_keys[hashed] = record
        return record

    # pins

    def pin(self, workspace: str, name: str, version: str) -> Pin | None:
        return self.read_now(OnePin(workspace, name, version))

    def pins(self, workspace: str, *, chunk: int = 2_000) -> Iterator[list[Pin]]:
        """All pins of a workspace in order of name and version, in chunks."""
        name = version = ""
        while pins := self.read_now(PinsAfter(workspace, name, version, chunk)):
            yield pins
            name, version = pins[-1].version.name, pins[-1].version.version
