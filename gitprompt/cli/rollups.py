# SPDX-License-Identifier: Apache-2.0
"""gitprompt rollups: the sums of the durable database."""

from __future__ import annotations

import os

import click

from gitprompt import config
from gitprompt.cli.output import done
from gitprompt.errors import NotFound
from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import RollupRebuild


@click.group()
def rollups() -> None:
    """The sums that statistics are made of.

    \b
    Example:
      gitprompt rollups rebuild
    """


@rollups.command()
@click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)
@click.option(
    "--since", type=int, default=0, metavar="SECONDS",
    help="Only hours that begin then or later (Unix seconds); needed where old rows are gone.",
)  # fmt: skip
def rebuild(data: str | None, since: int) -> None:
    """Make the sums anew from the rows of telemetry, in one transaction.

    \b
    Example:
      gitprompt rollups rebuild --data data
    """
    path = os.path.join(config.data_folder(data), "telemetry.db")
    if not os.path.exists(path):
        raise NotFound(f"there is no {path}", hint="Is --data right?")
    database = Database(path)
    try:
        database.write_now(RollupRebuild(since))
    finally:
        database.close()
    done("the sums are made anew")
