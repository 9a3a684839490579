# SPDX-License-Identifier: Apache-2.0
"""gitprompt db: from SQLite to PostgreSQL, and back."""

from __future__ import annotations

from contextlib import closing

import click

from gitprompt import config
from gitprompt.cli.maintenance import Bars
from gitprompt.cli.output import Group, done
from gitprompt.errors import UsageError
from gitprompt.store import copying
from gitprompt.store.engines import engine_at


@click.group(cls=Group)
def db() -> None:
    """The database of keys, audit, pins and telemetry.

    \b
    Example:
      gitprompt db copy data/telemetry.db postgres://gitprompt@db.internal/gitprompt
    """


@db.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy a database into an empty one: SQLite (a path) to PostgreSQL (a URL), or back.

    Stop the servers of both first. Cut short, it goes on where it was; at the end all rows are compared.
    Leave the password out of the URL, since others see the command: PGPASSWORD or ~/.pgpass has it.

    \b
    Example:
      gitprompt db copy data/telemetry.db postgres://gitprompt@db.internal/gitprompt
    """
    places = [config.database_location("", place) for place in (source, target)]
    if places[0] == places[1]:
        raise UsageError("FROM and TO are the same database")
    engines = [engine_at(place) for place in places]
    with Bars() as show, closing(engines[0].writer()) as old, closing(engines[1].writer()) as new:
        number = copying.copy(old, new, show)
    done(f"{engines[1]} has the {number:,} rows of {engines[0]}")
