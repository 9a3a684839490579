# SPDX-License-Identifier: Apache-2.0
"""The durable database: one thread writes it, others read it; API keys and pins.

A write that returned is on disk. What belongs to one table is in the module of that table.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from gitprompt.core.publication import Pin
from gitprompt.errors import SetupError
from gitprompt.store.engines import Connection, engine_at
from gitprompt.store.group_commit import Command, OnCommit, Writer
from gitprompt.store.tables.keys import KeyInsertion, KeyRecord, KeyRemoval, KeysByHash
from gitprompt.store.tables.pins import OnePin, PinsAfter

Result = TypeVar("Result")
Answer_co = TypeVar("Answer_co", covariant=True)
_READERS = 2


class Query(Protocol[Answer_co]):
    """A question to the database, as a value."""

    def answer(self, db: Connection) -> Answer_co: ...


class Database:
    """Opens the database at `location` (see `engine_at`), which is made or migrated first;
    `progress` hears of a migration that takes long; `memory`: see `Engine.writer`. Raises Corrupt or SetupError."""

    def __init__(
        self,
        location: str,
        *,
        on_commit: Sequence[OnCommit] = (),
        progress: Callable[[int, int], None] | None = None,
        memory: str | None = None,
    ) -> None:
        self._engine = engine_at(location)
        self.writer = Writer(
            self._engine.writer(progress=progress, memory=memory),
            name="telemetry-writer",
            on_commit=on_commit,
        )
        self._reader = self._engine.reader()
        self._read_lock = threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="telemetry-reader")
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._generation = self._engine.generation()
        self._refreshing = threading.Lock()
        self._keys: Mapping[str, KeyRecord] = {}
        self._keys_at: int | None = None
        self.refresh_keys()

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._readers.shutdown()
        self.writer.close()
        with self._read_lock:
            for connection in (self._reader, *self._opened):
                connection.close()
        self._generation.close()

    def look(self) -> bool:
        """Whether the database is there; if it was deleted, nothing is written from now on, because nobody
        would ever read it."""
        if is_gone := self._engine.is_gone():
            self.writer.refuse("the database was deleted: stop the server and restore a backup")
        return not is_gone

    def ping(self) -> None:
        """Raise if the database cannot be read, or is gone."""
        if not self.look():
            raise SetupError("the database was deleted under the server")
        with self._read_lock:
            self._reader.row("SELECT 1 FROM schema_version")

    @property
    def is_shared(self) -> bool:
        """Whether other nodes write it too."""
        return self._reader.is_shared

    def __str__(self) -> str:
        """Where it is, without secrets."""
        return str(self._engine)

    def size(self) -> int:
        """Bytes that the database takes."""
        return self._engine.size()

    # commands and queries are values: their type says what becomes of them

    async def write(self, command: Command[Result]) -> Result:
        """Queue a write, and return its result when it is on disk; see `Writer.submit`."""
        result: Result = await self.writer.submit(command)
        return result

    def submit(self, command: Command[Result]) -> asyncio.Future[Result]:
        """Queue a write from the event loop; see `Writer.submit`."""
        return self.writer.submit(command)

    def start(self, command: Command[Result]) -> Future[Result]:
        """Queue a write from any other thread; the future is done when it is on disk."""
        return self.writer.start(command)

    def write_now(self, command: Command[Result]) -> Result:
        """Write from any other thread, and wait until it is on disk."""
        return self.writer.run(command)

    async def read(self, query: Query[Result]) -> Result:
        """Ask in a thread of its own: a long query must not keep requests waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, lambda: _answered(query, self._connection())
        )

    def read_now(self, query: Query[Result]) -> Result:
        """Ask something short in this thread."""
        with self._read_lock:
            return _answered(query, self._reader)

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.reader()
            self._opened.append(connection)
        return connection

    # keys: all of them are in memory, so that a request waits for the database only after some
    # process has made or revoked one

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

    @property
    def keys(self) -> Mapping[str, KeyRecord] | None:
        """All keys by hash; None if they have changed, whoever changed them: `refresh_keys` first."""
        return self._keys if self._keys_at == self._generation.value else None

    def look_for_keys(self) -> Mapping[str, KeyRecord]:
        """All keys by hash, those too that another node has just made. Blocks."""
        self._generation.look()
        return self.keys or self.refresh_keys()

    def refresh_keys(self) -> Mapping[str, KeyRecord]:
        """Read all keys. Blocks."""
        with self._refreshing:
            generation = self._generation.value  # a change from here on is seen by the next look
            if self._keys_at != generation:
                self._keys = self.read_now(KeysByHash())
                self._keys_at = generation
            return self._keys

    # pins

    def pin(self, workspace: str, name: str, version: str) -> Pin | None:
        return self.read_now(OnePin(workspace, name, version))

    def pins(
        self, workspace: str, *, chunk: int = 2_000, lack_document: bool = False
    ) -> Iterator[list[Pin]]:
        """All pins of a workspace, or those whose documents are not here, in order of name and version, in
        chunks."""
        name = version = ""
        while pins := self.read_now(PinsAfter(workspace, name, version, chunk, lack_document)):
            yield pins
            name, version = pins[-1].version.name, pins[-1].version.version


def _answered(query: Query[Result], connection: Connection) -> Result:
    """The answer; what the engine refuses comes out in our words."""
    try:
        return query.answer(connection)
    except Exception as error:
        known = connection.explained(error)
        if known is error:
            raise
        raise known from error
