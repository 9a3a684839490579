# SPDX-License-Identifier: Apache-2.0
"""SQL engines: where the durable database is, how it is opened, migrated and written.

The tables speak the SQL that all engines take: `$1`, `$2`, … numbered in the order in which they
first appear, named conflict targets, qualified columns, RETURNING, IS DISTINCT FROM; `workspace` is
the first column of every key. What engines spell differently is a method of `Connection`. To add an
engine: write `engines/<name>.py` with a class that keeps the `Engine` contract, and name its scheme
in `ENGINES`; the contract suite picks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gitprompt.errors import SetupError
from gitprompt.store.engines.again import Again as Again
from gitprompt.store.engines.duplicate import Duplicate as Duplicate
from gitprompt.store.engines.sqlite import Sqlite

Row = tuple[Any, ...]


class Connection(Protocol):
    """A connection to the durable database; one thread uses it at a time. `is_shared`: other nodes write
    it too. `boot` is the process that writes, another one after each start."""

    is_shared: bool

    @property
    def boot(self) -> str: ...

    def living(self) -> Collection[str]:
        """The boots of all processes that may be writing."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows; the author of the SQL knows the types of the columns."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        """Rows as they are read: for results that may not fit in memory."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows; returns how many it changed."""

    def execute_each(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once with each row of values."""

    def insert(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]], *, keep: str = ""
    ) -> None:
        """Insert rows, all in as few statements as the engine likes. `keep` names the columns of a
        key: a row whose key is there already is left out; without it that raises Duplicate."""

    def add_up(
        self, table: str, key: str, sums: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Add to the sums of rows, each made if it is absent: values of `key`, then of `sums`; a key may stand
        twice. Many nodes may add to one key: whoever reads it adds up again."""

    def insert_numbered(
        self, table: str, columns: str, rows: Sequence[Sequence[Any]]
    ) -> Sequence[int]:
        """Insert rows that have no id yet; returns the ids that they get, ascending. Raises Duplicate."""

    def append(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows that have no id yet, and whose ids nobody asks for. Raises Duplicate."""

    def numbers(self, table: str, count: int) -> Sequence[int]:
        """Ids for new rows of a table, ascending. No two rows that were ever stored share one."""

    def continue_numbers(self, table: str, last: int) -> None:
        """Give no number up to `last` to a row of a table: rows were inserted with theirs."""

    def savepoint(self) -> AbstractContextManager[Any]:
        """What the body wrote is undone if it raises; the transaction goes on."""

    def transaction(self) -> AbstractContextManager[None]:
        """What the body wrote is durable when this ends, or undone if the body raises. The engine's
        own refusals come out as `explained`."""

    def explained(self, error: Exception) -> Exception:
        """A refusal of the engine in our words: Unavailable or SetupError; others as they are."""

    def close(self) -> None:
        """Let go of the database."""


class Counter(Protocol):
    """A number that all processes of a database see, to learn that something changed."""

    @property
    def value(self) -> int: ...

    def advance(self) -> None: ...

    def look(self) -> None:
        """Let `value` tell of all that was changed before this call. May block for a query."""

    def close(self) -> None: ...


class Engine(Protocol):
    """One durable database. Raises SetupError, or Corrupt, if it cannot be used."""

    def writer(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        memory: str | None = None,
    ) -> Connection:
        """The connection of the only thread that writes; brings the schema up to date first.
        `progress` gets rows done and rows in all if that takes long. `memory` is a file of whoever holds the
        data folder, by which the process before it is known to be dead."""

    def reader(self) -> Connection:
        """A connection that reads; the schema is up to date."""

    def size(self) -> int:
        """Bytes that the database takes; it may cost a query."""

    def is_gone(self) -> bool:
        """Whether what was opened is there no more, though it can still be written: nobody will read it."""

    def generation(self) -> Counter:
        """Advanced whenever an API key is made or removed, by whichever process."""


def _postgres(place: str) -> Engine:
    try:
        from gitprompt.store.engines.postgres import Postgres
    except ImportError as error:
        raise SetupError(
            f"DATABASE_URL names PostgreSQL, and its driver cannot be loaded: {error}",
            hint="pip install 'gitprompt-registry[postgres]'",
        ) from None
    return Postgres(f"postgresql:{place}")


ENGINES: Mapping[str, Callable[[str], Engine]] = {
    "sqlite": Sqlite,
    "postgres": _postgres,
    "postgresql": _postgres,
}


def engine_at(location: str) -> Engine:
    """The engine of `scheme:place`, or of the path of a SQLite file. Raises SetupError."""
    scheme, colon, place = location.partition(":")
    if not colon or "/" in scheme:
        return Sqlite(location)
    if scheme not in ENGINES:
        names = ", ".join(sorted(ENGINES))
        raise SetupError(f"there is no engine '{scheme}'", hint=f"It is one of: {names}.")
    return ENGINES[scheme](place)
