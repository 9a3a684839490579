# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL refuses, in our words."""

from __future__ import annotations

import psycopg
from psycopg import errors

from gitprompt.errors import Invalid, SetupError, Unavailable
from gitprompt.store.engines.again import Again
from gitprompt.store.engines.duplicate import Duplicate

# What another transaction or the network did, and what may go well the next time; nothing was stored.
_PASSING = (
    psycopg.OperationalError,  # lost, busy, in the way of another: all but what is told apart before
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,  # a replica took over, or has yet to
    errors.IdleInTransactionSessionTimeout,
)


def explained(error: Exception) -> Exception:
    """A refusal in our words: try again, try later, or repair the database; others as they are."""
    if not isinstance(error, psycopg.Error):
        return error
    if isinstance(error, errors.UniqueViolation | errors.ForeignKeyViolation):
        return Duplicate(str(error))
    if isinstance(error, errors.DiskFull):
        return Unavailable("the disk of the database is full; nothing was stored", retry_after=10)
    if isinstance(error, errors.QueryCanceled):
        return Unavailable("the database took too long; nothing was stored", retry_after=5)
    if isinstance(error, errors.InsufficientPrivilege):
        return SetupError(
            f"the database refuses what gitprompt needs: {said(error)}",
            hint="Let its role own the schema: ALTER SCHEMA gitprompt OWNER TO <role>.",
        )
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
        return Unavailable(
            "the tables of gitprompt are gone from the database: restore them, then start again",
            retry_after=60,
        )
    if isinstance(error, errors.ProgramLimitExceeded):
        return Invalid("a name is too long for the indexes of the database")
    if isinstance(error, _PASSING):
        return Again(f"the database does not answer: {said(error)}", retry_after=5)
    return error


def said(error: Exception) -> str:
    """The first line of what the server said; it never has a password."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
