# SPDX-License-Identifier: Apache-2.0
"""The row of a node: which shard it counts in, that it is alive, and what it has committed last (ADR 18).

Each transaction of a node writes its number into the row. A node whose row somebody has taken is fenced:
it takes another one. After a connection is lost at COMMIT the row says whether the transaction is stored.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import psycopg
from psycopg import errors

from gitprompt.store.engines.postgres_link import SCHEMA

STALE = 60  # seconds after which a node that was not seen is dead
_NOW = "CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT)"
_NODE = f"{SCHEMA}.node"
LIVING = f"SELECT boot FROM {_NODE} WHERE seen_at >= {_NOW} - {STALE}"
# What holds a transaction for ever would hold all others.
_BEGIN = (
    "BEGIN; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '10s';"
    " SET LOCAL idle_in_transaction_session_timeout = '60s';"
)


class Node:
    """A row of the table of nodes that is this process's own."""

    def __init__(
        self, connection: psycopg.Connection[Any], schema: int, memory: str | None
    ) -> None:
        """`memory` is a file that says who the last process was: whoever has it knows that one to be dead."""
        self.schema = schema
        self._memory = memory
        if memory is not None and os.path.exists(memory):
            with open(memory, encoding="ascii") as file:
                before = file.read()
            connection.execute(f"UPDATE {_NODE} SET seen_at = 0 WHERE boot = $1", (before,))
        self.claim(connection)

    def claim(self, connection: psycopg.Connection[Any]) -> None:
        """Take the smallest row that nobody lives in, or a new one."""
        self.boot = secrets.token_hex(16)
        self.batch = 0
        if self._memory is not None:
            with open(f"{self._memory}.new", "w", encoding="ascii") as file:
                file.write(self.boot)
            os.replace(f"{self._memory}.new", self._memory)
        while True:
            with connection.transaction():
                found = connection.execute(
                    f"SELECT id FROM {_NODE} WHERE seen_at < {_NOW} - {STALE}"
                    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
                ).fetchone()
                if found is not None:
                    self.id = int(found[0])
                    connection.execute(
                        f"UPDATE {_NODE} SET boot = $1, batch = 0, seen_at = {_NOW} WHERE id = $2",
                        (self.boot, self.id),
                    )
                    return
            try:
                made = connection.execute(
                    f"INSERT INTO {_NODE} (id, boot, batch, seen_at)"
                    f" SELECT coalesce(max(id), 0) + 1, $1, 0, {_NOW} FROM {_NODE} RETURNING id",
                    (self.boot,),
                ).fetchone()
            except errors.UniqueViolation:
                continue  # another node was faster
            assert made is not None
            self.id = int(made[0])
            return

    def begin(self, connection: psycopg.Connection[Any]) -> bool:
        """Begin a transaction, in one round trip; False: somebody has taken the row, or has brought the tables to
        a newer schema, and it is aborted."""
        cursor = connection.execute(
            f"{_BEGIN} UPDATE {_NODE} SET batch = {self.batch + 1}, seen_at = {_NOW}"
            f" WHERE id = {self.id} AND boot = '{self.boot}'"
            f" AND {self.schema} = (SELECT version FROM {SCHEMA}.schema_version)",
            prepare=False,
        )
        while cursor.nextset():
            pass
        self.batch += 1
        if cursor.rowcount == 1:
            return True
        connection.execute("ROLLBACK", prepare=False)
        return False

    def has_committed(self, connection: psycopg.Connection[Any]) -> bool | None:
        """Whether the last transaction is stored; None: nobody knows, since the row was taken. Waits for the
        end of the session that had it."""
        with connection.transaction():
            row = connection.execute(
                f"SELECT boot, batch FROM {_NODE} WHERE id = $1 FOR UPDATE", (self.id,)
            ).fetchone()
        if row is None or row[0] != self.boot:
            return None
        return bool(row[1] == self.batch)

    def leave(self, connection: psycopg.Connection[Any]) -> None:
        """Give the row to whoever comes next."""
        connection.execute(
            f"UPDATE {_NODE} SET seen_at = 0 WHERE id = $1 AND boot = $2", (self.id, self.boot)
        )
