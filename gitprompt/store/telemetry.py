# SPDX-License-Identifier: Apache-2.0
"""The durable database: API keys and pins. A commit is on disk when it returns."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gitprompt.core.publication import Pin, Version
from gitprompt.store import sqlite


class KeyRecord(NamedTuple):
    """An API key without its secret. `workspace_id` '*' is a master key; times are Unix seconds."""

    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: int
    expires_at: int | None

    @property
    def scope_set(self) -> frozenset[str]:
        return frozenset(self.scopes.split(","))


_KEY = "id, name, workspace_id, scopes, created_at, expires_at"
_PIN = "name, version, tag, commit_oid, blob, created_at, author, path, first_seen"


class Telemetry:
    """One writing and one reading connection; each is used under its own lock."""

    def __init__(self, path: str) -> None:
        self._writer = sqlite.connect(path, "telemetry", durability="FULL")
        self._reader = sqlite.connect(path, "telemetry", durability="FULL")
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def ping(self) -> None:
        """Raise where the database cannot be read."""
        with self._read_lock:
            self._reader.execute("SELECT 1 FROM schema_version").get  # noqa: B018 - runs the query

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
    ) -> KeyRecord:
        values = (name, workspace_id, scopes, hashed, created_at, expires_at)
        with self._write_lock, sqlite.connection_transaction(self._writer):
            self._writer.execute(
                "INSERT INTO api_key (name, workspace_id, scopes, hash, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            key_id = self._writer.last_insert_rowid()
        return KeyRecord(key_id, name, workspace_id, scopes, created_at, expires_at)

    def key_by_hash(self, hashed: str) -> KeyRecord | None:
        """Read anew for each request: a revoked key is refused at once, whoever revoked it."""
        with self._read_lock:
            found = sqlite.row(
                self._reader, f"SELECT {_KEY} FROM api_key WHERE hash = ?", (hashed,)
            )
        return KeyRecord(*found) if found else None

    def keys(self) -> list[KeyRecord]:
        with self._read_lock:
            rows = sqlite.query(self._reader, f"SELECT {_KEY} FROM api_key ORDER BY id")
        return [KeyRecord(*found) for found in rows]

    def remove_key(self, key_id: int) -> bool:
        with self._write_lock, sqlite.connection_transaction(self._writer):
            self._writer.execute("DELETE FROM api_key WHERE id = ?", (key_id,))
            return self._writer.changes() > 0

    # pins

    def add_pins(self, workspace: str, versions: Sequence[Version], first_seen: int) -> None:
        """Remember versions as they were first seen; what is remembered already stays."""
        with self._write_lock, sqlite.connection_transaction(self._writer):
            self._writer.executemany(
                f"INSERT OR IGNORE INTO pin (workspace, {_PIN})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(workspace, *version, first_seen) for version in versions],
            )

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
                rows = sqlite.query(
                    self._reader,
                    f"SELECT {_PIN} FROM pin WHERE workspace = ? AND (name, version) > (?, ?)"
                    " ORDER BY name, version LIMIT ?",
                    (workspace, *after, chunk),
                )
            if not rows:
                return
            yield [_pin(found) for found in rows]
            after = (rows[-1][0], rows[-1][1])

    def has_pins(self, workspace: str) -> bool:
        with self._read_lock:
            sql = "SELECT 1 FROM pin WHERE workspace = ? LIMIT 1"
            return sqlite.row(self._reader, sql, (workspace,)) is not None


def _pin(found: Sequence[Any]) -> Pin:
    return Pin(Version(*found[:8]), found[8])
