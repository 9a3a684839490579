# SPDX-License-Identifier: Apache-2.0
"""gitprompt backup, restore and rollups: the durable database of a data folder."""

from __future__ import annotations

import os

import click

from gitprompt import config, hosting
from gitprompt.cli.output import done, progress
from gitprompt.errors import NotFound, SetupError
from gitprompt.store import backup as copies
from gitprompt.store import rollups as rollup_tables
from gitprompt.store.telemetry import Telemetry

_data_option = click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)


def _database(data: str | None, *, must_exist: bool = True) -> str:
    folder = config.data_folder(data)
    path = os.path.join(folder, "telemetry.db")
    if must_exist and not os.path.exists(path):
        raise NotFound(f"there is no {path}", hint="Is --data right?")
    return path


@click.command()
@click.argument("file")
@_data_option
def backup(file: str, data: str | None) -> None:
    """Copy keys, pins, telemetry and the audit log to FILE, while the server runs.

    Prompts, labels and suites are in Git: back that up with git clone --mirror.

    \b
    Example:
      gitprompt backup telemetry-2026-11-24.db
    """
    path = _database(data)
    before = 0
    with progress("backing up", 0) as step:

        def show(pages: int, _total: int) -> None:
            nonlocal before
            step(pages - before)
            before = pages

        copies.back_up(path, file, progress=show)
    done(f"{file} has {os.path.getsize(file):,} bytes")


@click.command()
@click.argument("file")
@_data_option
@click.option("--force", is_flag=True, help="Replace a database that is there.")
def restore(file: str, data: str | None, force: bool) -> None:
    """Put a backup in the place of the database. The server must not run.

    \b
    Example:
      gitprompt restore telemetry-2026-11-24.db --data data --force
    """
    path = _database(data, must_exist=False)
    folder = os.path.dirname(path)
    if os.path.exists(path) and not force:
        raise SetupError(f"{path} is there", hint="--force replaces it; back it up first.")
    with hosting.hold(folder, f"restore by process {os.getpid()}"):
        copies.put_back(file, path)
    done(f"{path} is what {file} was")


@click.group()
def rollups() -> None:
    """The sums that statistics are made of.

    \b
    Example:
      gitprompt rollups rebuild
    """


@rollups.command()
@_data_option
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
    telemetry = Telemetry(_database(data))
    try:
        telemetry.writer.call(lambda db: rollup_tables.rebuild(db, since=since))
    finally:
        telemetry.close()
    done("the sums are made anew")
