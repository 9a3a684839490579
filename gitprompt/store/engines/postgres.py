# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: many nodes write one database. What is SQLite's alone is in `sqlite`; both take the SQL of
the tables."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from typing import Any

import psycopg
from psycopg import RawServerCursor
from psycopg.errors import ForeignKeyViolation, UniqueViolation
from psycopg.pq import TransactionStatus

from gitprompt import log
from gitprompt.errors import Unavailable
from gitprompt.store.engines.again import Again
from gitprompt.store.engines.duplicate import Duplicate
from gitprompt.store.engines.postgres_errors import explained
from gitprompt.store.engines.postgres_link import SCHEMA, PostgresAddress, qualified, reads_sums
from gitprompt.store.engines.postgres_node import LIVING, Node
from gitprompt.store.engines.postgres_pulse import Pulse
from gitprompt.store.engines.postgres_schema import migrate, newest_version, version_of

_COPIED = 8  # rows from which on COPY is faster than VALUES
_FETCHED = 2_000  # rows of a stream at a time
_RESOLVING = 10.0  # seconds in which a lost COMMIT must be found out

Sums = dict[tuple[str, str, tuple[str, ...]], dict[tuple[Any, ...], tuple[Any, ...]]]
"""By table, key and columns: what is added to which row."""
Session = psycopg.Connection[tuple[Any, ...]]


class Postgres:
    """The database at a URL of PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.place = PostgresAddress(url)

    def __str__(self) -> str:
        return f"PostgreSQL: {self.place}"

    def writer(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        memory: str | None = None,
    ) -> PostgresConnection:
        session = self.place.first()
        try:
            migrate(session, self.place)
            node = Node(session, newest_version(), memory)
        except psycopg.Error as error:
            session.close()
            raise explained(error) from error
        except BaseException:
            session.close()
            raise
        return PostgresConnection(self.place, session, node)

    def reader(self) -> PostgresConnection:
        return PostgresConnection(self.place, self.place.first(), None)

    def size(self) -> int:
        with self.place.first() as session:
            row = session.execute(
                "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class AS c"
                f" WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'r'"
            ).fetchone()
        return int(row[0]) if row else 0

    def is_gone(self) -> bool:
        return False  # whoever drops it makes every statement fail

    def generation(self) -> Pulse:
        return Pulse(self.place)


class PostgresConnection:
    """One session, opened anew when it is lost. With a `node` it may write: each transaction is the node's."""

    is_shared = True

    def __init__(self, place: PostgresAddress, session: Session, node: Node | None) -> None:
        self._place = place
        self._session = session
        self._node = node
        self._streams = 0
        self._sums: Sums = {}  # what the transaction adds up, written at its end
        self._is_writing = False  # a transaction is begun: its session must not be another one

    @property
    def boot(self) -> str:
        assert self._node is not None
        return self._node.boot

    def living(self) -> Collection[str]:
        return frozenset(row[0] for row in self.query(LIVING))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._run(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return self._run(sql, values).fetchone()

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        session = self._live()
        if session.info.transaction_status != TransactionStatus.INTRANS:
            with session.cursor() as cursor:
                yield from cursor.stream(qualified(sql), values)
            return
        self._streams += 1  # other statements go on beside it
        with RawServerCursor(session, f"stream_{self._streams}") as streamed:
            streamed.itersize = _FETCHED
            streamed.execute(qualified(sql), values)
            yield from streamed

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        return self._run(sql, values).rowcount

    def execute_each(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:
            self._run(sql, rows[0])
        elif rows:
            with self._live().cursor() as cursor:
                cursor.executemany(qualified(sql), rows)

    def insert(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]], *, keep: str = ""
    ) -> None:
        try:
            if len(rows) >= _COPIED and not keep:
                with (
                    self._live().cursor() as cursor,
                    cursor.copy(f"COPY {SCHEMA}.{table} ({columns}) FROM STDIN") as copy,
                ):
                    for row in rows:
                        copy.write_row(row)
                return
            width = columns.count(",") + 1
            size = _MOST_VALUES // width
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                sql = _insertion(table, columns, keep, len(part))
                self._run(sql, tuple(chain.from_iterable(part)))
        except (UniqueViolation, ForeignKeyViolation) as error:
            raise Duplicate(str(error)) from error

    def add_up(
        self, table: str, key: str, sums: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        width = key.count(",") + 1
        known = self._sums.setdefault((table, key, tuple(sums)), {})
        for row in rows:
            place, added = tuple(row[:width]), tuple(row[width:])
            before = known.get(place)
            known[place] = added if before is None else tuple(map(operator.add, before, added))
        if not self._is_writing:
            self._write_sums()

    def _write_sums(self) -> None:
        """Each table by one statement, all of them in one round trip; always in the same order, so that two
        nodes never wait for each other."""
        assert self._node is not None
        written, self._sums = self._sums, {}
        shard = self._node.id
        with self._session.pipeline():
            for (table, key, sums), rows in sorted(written.items()):
                sharded = [(*place, shard, *rows[place]) for place in sorted(rows)]
                size = _MOST_VALUES // (key.count(",") + 2 + len(sums))
                for start in range(0, len(sharded), size):
                    part = sharded[start : start + size]
                    sql = _addition(table, key, sums, len(part))
                    self._session.execute(sql, tuple(chain.from_iterable(part)))

    def insert_numbered(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]]
    ) -> Sequence[int]:
        if len(rows) >= _COPIED:
            ids = self.numbers(table, len(rows))
            numbered = [(number, *row) for number, row in zip(ids, rows, strict=True)]
            self.insert(table, f"id, {columns}", numbered)
            return ids
        try:
            sql = _numbered(table, columns, len(rows))
            return [row[0] for row in self._run(sql, tuple(chain.from_iterable(rows)))]
        except (UniqueViolation, ForeignKeyViolation) as error:
            raise Duplicate(str(error)) from error

    def append(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        self.insert(table, columns, rows)  # the table numbers them

    def numbers(self, table: str, count: int) -> list[int]:
        rows = self._run(
            f"SELECT nextval('{SCHEMA}.{table}_number') FROM generate_series(1, $1)", (count,)
        )
        return [row[0] for row in rows]

    def continue_numbers(self, table: str, last: int) -> None:
        name = "api_key_id_seq" if table == "api_key" else f"{table}_number"
        self._run(
            f"SELECT setval('{SCHEMA}.{name}', greatest($1, (SELECT last_value FROM {SCHEMA}.{name})))",
            (max(last, 1),),
        )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        before = {what: dict(rows) for what, rows in self._sums.items()}
        try:
            with self._session.transaction():
                yield
        except BaseException:
            self._sums = before
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Connection.transaction`. A connection that is lost at COMMIT is no answer: the node's row is."""
        self._begin()
        try:
            yield
            if self._sums:
                self._write_sums()
        except BaseException as error:
            self._roll_back()
            known = explained(error) if isinstance(error, Exception) else error
            if known is error:
                raise
            raise known from error
        try:
            self._session.execute("COMMIT", prepare=False)
        except psycopg.Error as error:
            # What has no state is not said by the server: only the node's row knows.
            is_lost = self._session.closed or error.sqlstate is None
            self._roll_back()
            if not is_lost:
                raise explained(error) from error
            if not self._has_committed():
                raise Again(
                    "the connection to the database was lost; nothing was stored"
                ) from error
        self._is_writing = False

    def _roll_back(self) -> None:
        try:
            self._session.execute("ROLLBACK", prepare=False)
        except psycopg.Error:  # of no use any more, whatever it says of itself
            self._session.close()
        self._is_writing = False
        self._sums = {}

    def _begin(self) -> None:
        assert self._node is not None, "a reader does not write"
        try:
            session = self._live()
            if not self._node.begin(session):
                if version_of(session) > self._node.schema:
                    raise Unavailable(
                        "another node has brought the database to a newer schema: upgrade this one",
                        retry_after=60,
                    )
                before = self._node.id
                self._node.claim(session)
                log.warning(
                    "this node was not seen for a minute, and another took its place",
                    node=before, now=self._node.id,
                )  # fmt: skip
                self._node.begin(session)
        except psycopg.Error as error:
            self._roll_back()
            raise explained(error) from error
        self._is_writing = True

    def _has_committed(self) -> bool:
        """Whether the transaction whose COMMIT got no answer is stored."""
        assert self._node is not None
        deadline = time.monotonic() + _RESOLVING
        while True:
            try:
                stored = self._node.has_committed(self._live())
            except psycopg.Error as error:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        "the database went away in the middle: what was sent may be stored; send it"
                        " again with the same id",
                        retry_after=5,
                    ) from error
                time.sleep(0.2)
                continue
            if stored is None:
                raise Unavailable(
                    "the database was away for a minute: what was sent may be stored; send it again"
                    " with the same id",
                    retry_after=5,
                )
            return stored

    def explained(self, error: Exception) -> Exception:
        return explained(error)

    def close(self) -> None:
        if self._node is not None:
            with suppress(psycopg.Error):
                self._node.leave(self._live())
        self._session.close()

    def _run(self, sql: str, values: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        """A cursor with the result. What is asked outside a transaction is asked again of a new session."""
        if self._sums and reads_sums(sql):
            self._write_sums()
        try:
            return self._live().execute(qualified(sql), values)
        except psycopg.OperationalError:
            if self._is_writing:
                raise
            self._session.close()
            return self._live().execute(qualified(sql), values)

    def _live(self) -> Session:
        """The session; a new one if it was lost outside a transaction."""
        if self._session.closed and not self._is_writing:
            self._session = self._place.open()
        return self._session


_MOST_VALUES = 30_000  # of one statement; the protocol has 65,535


@cache
def _insertion(table: str, columns: str, keep: str, size: int) -> str:
    width = columns.count(",") + 1
    conflict = f" ON CONFLICT ({keep}) DO NOTHING" if keep else ""
    return f"INSERT INTO {SCHEMA}.{table} ({columns}) VALUES {_places(width, size)}{conflict}"


@cache
def _numbered(table: str, columns: str, size: int) -> str:
    width = columns.count(",") + 1
    number = f"nextval('{SCHEMA}.{table}_number')"
    values = ", ".join(
        f"({number}, {', '.join(f'${at * width + one}' for one in range(1, width + 1))})"
        for at in range(size)
    )
    return f"INSERT INTO {SCHEMA}.{table} (id, {columns}) VALUES {values} RETURNING id"


@cache
def _addition(table: str, key: str, sums: tuple[str, ...], size: int) -> str:
    columns = f"{key}, shard, {', '.join(sums)}"
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    return (
        f"INSERT INTO {SCHEMA}.{table} ({columns}) VALUES {_places(columns.count(',') + 1, size)}"
        f" ON CONFLICT ({key}, shard) DO UPDATE SET {added}"
    )


def _places(width: int, size: int) -> str:
    """Numbered placeholders of so many rows."""
    rows = (range(at * width + 1, (at + 1) * width + 1) for at in range(size))
    return ", ".join(f"({', '.join(f'${number}' for number in row)})" for row in rows)
