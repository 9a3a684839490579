# SPDX-License-Identifier: Apache-2.0
"""Connections to PostgreSQL: opened with bounds on every wait, and opened anew when one is lost.

A pooler in transaction mode gives every transaction another session, so nothing is left in one: no `SET` beyond
a transaction, each table is named with its schema, and statements are prepared where there is no pooler alone.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
import weakref
from contextlib import suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gitprompt.errors import SetupError
from gitprompt.store.engines.postgres_errors import said

SCHEMA = "gitprompt"
_TABLES = (
    "api_key|ui_session|pin|log|trace|span|run|suite|score|metric|audit|trace_tag|trace_total|run_tag|tally|usage_rollup"
    "|latency_rollup|score_rollup|node|generation|fingerprint|schema_version|git_object"
)
_NAMED = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE) ({_TABLES})\b")
_PREPARED = 5  # times that a statement is run before it is prepared
_SECONDS = 30.0  # that one statement may take before its connection is given up
_BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",
    "application_name": "gitprompt",
}


@lru_cache(maxsize=1_000)
def qualified(sql: str) -> str:
    """A statement of ours, its tables named with their schema."""
    return _NAMED.sub(rf"\1 {SCHEMA}.\2", sql)


@lru_cache(maxsize=1_000)
def reads_sums(sql: str) -> bool:
    """Whether a statement is about what `Connection.add_up` adds to."""
    return "_rollup" in sql or "tally" in sql


class PostgresAddress:
    """A database by its URL. Raises SetupError for one that is none; its password is never told."""

    def __init__(self, url: str) -> None:
        try:
            self._parameters = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise SetupError(
                "DATABASE_URL is no address of a PostgreSQL database",
                hint="It looks like postgres://user:password@host:5432/database; characters such as @ or /"
                " in a password are written as %40 or %2F.",
            ) from None

    def __str__(self) -> str:
        """Where it is, for people: database, host and port."""
        found = self._parameters
        hosts = str(found.get("host") or "the local socket").split(",")
        ports = str(found.get("port") or "5432").split(",")
        ports += ports[-1:] * (len(hosts) - len(ports))
        where = ", ".join(f"{host}:{port}" for host, port in zip(hosts, ports, strict=False))
        return f"database {found.get('dbname') or found.get('user') or '?'} on {where}"

    def open(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A new connection. Raises psycopg.Error."""
        connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=psycopg.RawCursor,
            **{**_BOUNDS, **self._parameters},
        )
        if _is_direct(connection):
            connection.prepare_threshold = _PREPARED
        _WATCH.add(connection)
        return connection

    def first(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The first connection of a process. Raises SetupError, which says what to do."""
        try:
            return self.open()
        except psycopg.Error as error:
            raise SetupError(
                f"PostgreSQL cannot be used ({self}): {said(error)}",
                hint="Check DATABASE_URL: the host, the name of the database, user and password; and"
                " that the server is running and takes one connection more.",
            ) from None


def _is_direct(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Whether this session is one of the server's own: a pooler tells a number of a process that it made up."""
    try:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
    except psycopg.Error:
        connection.close()
        raise
    return row is not None and row[0] == connection.info.backend_pid


class _Watch:
    """Cuts connections that wait too long for an answer: a network that swallows packets says nothing, and
    libpq has no bound for that."""

    def __init__(self) -> None:
        self._busy: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, connection: Any) -> None:
        with self._lock:
            self._busy[connection] = 0.0
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._look, name="postgres-watch", daemon=True
                )
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                connections = list(self._busy.items())
            now = time.monotonic()
            for connection, since in connections:
                is_waiting = (
                    not connection.closed and connection.pgconn.transaction_status == _ACTIVE
                )
                if not is_waiting:
                    since = 0.0
                elif since and now - since > _SECONDS:
                    _cut(connection)
                with self._lock:
                    if connection in self._busy:
                        self._busy[connection] = since or (now if is_waiting else 0.0)


_ACTIVE = psycopg.pq.TransactionStatus.ACTIVE
_WATCH = _Watch()


def _cut(connection: Any) -> None:
    with suppress(Exception):
        handle = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            handle.shutdown(socket.SHUT_RDWR)
        finally:
            handle.close()
