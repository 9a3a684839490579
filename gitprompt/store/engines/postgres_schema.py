# SPDX-License-Identifier: Apache-2.0
"""Brings the schema `gitprompt` of a PostgreSQL database up to date, in one transaction; nodes that start
together wait for each other at the row with its version."""

from __future__ import annotations

import os
import re
from typing import Any

import psycopg
from psycopg import errors

from gitprompt import log
from gitprompt.errors import SetupError
from gitprompt.store.engines.postgres_errors import said
from gitprompt.store.engines.postgres_link import SCHEMA, PostgresAddress
from gitprompt.store.migration import MIGRATIONS

_FOLDER = os.path.join(MIGRATIONS, "postgres")
_VERSION = f"{SCHEMA}.schema_version"
_MADE = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    f"CREATE TABLE IF NOT EXISTS {_VERSION} (one SMALLINT PRIMARY KEY, version BIGINT NOT NULL)",
    f"INSERT INTO {_VERSION} (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING",
)


def migrate(connection: psycopg.Connection[Any], place: PostgresAddress) -> None:
    """Raises SetupError if the schema is of a newer gitprompt, the role lacks rights, or the database cannot hold
    every text."""
    files, newest = _files(), newest_version()
    _check_encoding(connection, place)
    try:
        if version_of(connection) == newest:
            return
        _make(connection)
        with connection.transaction():
            row = connection.execute(f"SELECT version FROM {_VERSION} FOR UPDATE").fetchone()
            current = int(row[0]) if row else 0
            if current > newest:
                raise SetupError(
                    f"the {place} was written by a newer gitprompt (schema {current}, this one knows"
                    f" {newest})",
                    hint="Upgrade gitprompt; going back is not possible.",
                )
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            for name in files[current:]:
                with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
                    connection.execute(file.read())
            connection.execute(f"UPDATE {_VERSION} SET version = $1", (newest,))
    except errors.InsufficientPrivilege as error:
        raise SetupError(
            f"the role may not make the tables of gitprompt ({place}): {said(error)}",
            hint=f"GRANT CREATE ON DATABASE <database> TO <role>, or CREATE SCHEMA {SCHEMA}"
            " AUTHORIZATION <role>.",
        ) from None
    log.info("the database has a new schema", database=str(place), schema=newest)


def _check_encoding(connection: psycopg.Connection[Any], place: PostgresAddress) -> None:
    """Of a SQL_ASCII database texts come back as bytes, and others lack most of Unicode."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SetupError(
            f"the {place} has the encoding {encoding}, and must have UTF8",
            hint="Make another: CREATE DATABASE gitprompt ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C.UTF-8'",
        )


def newest_version() -> int:
    """The schema that this gitprompt knows."""
    return int(_files()[-1][:4])


def _files() -> list[str]:
    return sorted(name for name in os.listdir(_FOLDER) if re.fullmatch(r"\d{4}_\w+\.sql", name))


def version_of(connection: psycopg.Connection[Any]) -> int:
    """The schema of the database; 0 if it has none."""
    try:
        row = connection.execute(f"SELECT version FROM {_VERSION}").fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return 0
    return int(row[0]) if row else 0


def _make(connection: psycopg.Connection[Any]) -> None:
    """The row that nodes wait at; making it may race itself."""
    for statement in _MADE:
        for _ in range(10):
            try:
                connection.execute(statement)
            except (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateSchema):
                continue
            break
