# SPDX-License-Identifier: Apache-2.0
"""gitprompt backup, restore, rollups, mirror and db: what a server has is copied, brought back, summed up again, and
brought elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing

import click

from gitprompt import config, hosting
from gitprompt.cli.output import Group, done, json_option, progress, say, write_json
from gitprompt.core.names import DEFAULT_WORKSPACE, WORKSPACE
from gitprompt.errors import NotFound, SetupError, UsageError
from gitprompt.store import copying
from gitprompt.store import snapshot as copies
from gitprompt.store.database import Database
from gitprompt.store.engines import engine_at
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.transfer import recovery

_data_option = click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)
_passphrase_option = click.option(
    "--passphrase-file", metavar="FILE", help="Its first line encrypts, or opens, the salt."
)
_without_salt_option = click.option(
    "--without-salt", is_flag=True, help="Leave the salt out; no key is valid without it."
)
_POSTGRES = (
    "pg_dump --schema=gitprompt --format=custom writes keys, audit, pins and telemetry, pg_restore puts"
    " them back; the repositories are their origin's, and the salt is API_KEY_SALT. See docs/scaling.md."
)


@click.command()
@click.argument("file")
@_data_option
@_passphrase_option
@_without_salt_option
def backup(file: str, data: str | None, passphrase_file: str | None, without_salt: bool) -> None:
    """Copy everything that cannot be derived to FILE, while the server runs: keys, pins, telemetry
    and the audit log; every hosted repository; and the salt, encrypted with a passphrase.

    A salt that comes from API_KEY_SALT is never copied.

    \b
    Examples:
      gitprompt backup gitprompt-2026-11-24.tar --passphrase-file passphrase
      gitprompt backup gitprompt-2026-11-24.tar --without-salt
    """
    folder = config.data_folder(data)
    database = config.data_file(folder, _POSTGRES)
    if not os.path.exists(database):
        raise NotFound(f"there is no {database}", hint="Is --data right, and DATABASE_URL?")
    os.umask(0o077)
    has_salt = os.path.exists(os.path.join(folder, "salt")) and not config.variable("API_KEY_SALT")
    passphrase = None
    if has_salt and not without_salt:
        passphrase = _passphrase(passphrase_file, confirm=True)
    with Bars() as show:
        contents = recovery.back_up(folder, database, file, passphrase=passphrase, progress=show)
    done(
        f"{file} has {os.path.getsize(file):,} bytes: {os.path.basename(database)},"
        f" {len(contents.heads)} repositories, {'the salt' if contents.salt else 'no salt'}"
    )
    if not has_salt:
        say(
            "The salt comes from API_KEY_SALT and is not in it: keep that, or no key will be valid."
        )
    elif not contents.salt:
        say("Without the salt of this folder no key will be valid: keep a copy elsewhere.")
    if not contents.heads:
        say("A repository that is served in place is not in it: git clone --mirror copies it.")


@click.command()
@click.argument("file")
@_data_option
@_passphrase_option
@_without_salt_option
@click.option("--force", is_flag=True, help="Replace what is there.")
def restore(
    file: str, data: str | None, passphrase_file: str | None, without_salt: bool, force: bool
) -> None:
    """Make a data folder from a backup: it serves the same and accepts the same keys. The server
    must not run. A backup that is a database alone, as they once were, replaces that alone.

    \b
    Example:
      gitprompt restore gitprompt-2026-11-24.tar --data data --passphrase-file passphrase
    """
    folder = config.data_folder(data)
    path = config.data_file(folder, _POSTGRES)
    if not os.path.exists(file):
        raise NotFound(f"there is no {file}", hint="Give the file that gitprompt backup wrote.")
    os.umask(0o077)
    is_archive = recovery.is_archive(file)
    database = os.path.basename(path)
    parts = (database, "repos", "salt") if is_archive else (database,)
    there = [part for part in parts if os.path.lexists(os.path.join(folder, part))]
    if there and not force:
        raise SetupError(
            f"{os.path.join(folder, there[0])} is there",
            hint="--force replaces it; back it up first.",
        )
    passphrase = None
    if is_archive and recovery.contents_of(file).salt and not without_salt:
        passphrase = _passphrase(passphrase_file, confirm=False)
    with hosting.hold(folder, f"restore by process {os.getpid()}"):
        if not is_archive:
            copies.put_back(file, path)
            done(f"{path} is what {file} was")
            return
        with Bars() as show:
            contents = recovery.restore(
                file, folder, database, passphrase=passphrase, progress=show
            )
    if os.stat(folder).st_uid == os.getuid():  # a volume's may be root's, and its group ours
        os.chmod(folder, 0o700)
    done(f"{folder} is what {file} was: {len(contents.heads)} repositories")
    if passphrase is None:
        say("The salt is not from this backup: set API_KEY_SALT, or put the file salt in place.")


def _passphrase(file: str | None, *, confirm: bool) -> str:
    """From a file, or from whoever sits at the terminal. Raises UsageError if there is neither."""
    if file is not None:
        with open(file, encoding="utf-8") as lines:
            text = lines.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        text = click.prompt("Passphrase for the salt", hide_input=True, confirmation_prompt=confirm)
    else:
        raise UsageError(
            "the salt, by which keys are checked, is in a backup only encrypted",
            hint="Give --passphrase-file FILE, or leave it out: --without-salt",
        )
    if not text:
        raise UsageError("the passphrase is empty", hint="Its file has it in the first line.")
    return str(text)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option(
    "--workspace",
    default=DEFAULT_WORKSPACE,
    metavar="NAME",
    help="Which repository.  [default: default]",
)
@json_option
def mirror(source: str, target: str, workspace: str, as_json: bool) -> None:
    """Copy a repository from one place to another: its history, version tags and labels.

    \b
    A place is
      a path or URL of a Git repository; a path that is not there is made
      the data folder of a server: what it has pinned is what is copied
      s3://BUCKET/PREFIX     with S3_ENDPOINT, S3_ACCESS_KEY, … of the environment
      postgres:              the database of DATABASE_URL
      github:OWNER/REPO      with GITHUB_TOKEN and GITHUB_API_URL of the environment

    Cut short, it goes on where it was; at the end TO is read anew and compared. A version tag that is another one
    there stops it before anything is written. A bucket with prompts/NAME/VERSION.json and no Git is taken over.

    \b
    Examples:
      gitprompt mirror data s3://acme-prompts/team
      gitprompt mirror github:acme/prompts postgres:
    """
    from gitprompt.transfer import mirroring

    if not WORKSPACE.match(workspace):
        raise UsageError(f"'{workspace}' is no name of a workspace")
    settings = config.server_settings({"driver": "filesystem", "origin": "", "repo": ""})
    with (
        mirroring.opened(source, workspace, settings, new=False) as old,
        mirroring.opened(target, workspace, settings, new=True) as new,
        Bars() as show,
    ):
        copied = mirroring.mirror(old, new, workspace, show)
    if as_json:
        write_json({"from": old.name, "to": new.name, "workspace": workspace, **copied._asdict()})
        return
    done(
        f"{new.name} has the {copied.refs:,} refs of {old.name}; {copied.written:,} were written now"
    )
    if copied.taken_over:
        say(f"{copied.taken_over:,} files without Git became versions")
    if copied.pinned:
        say(
            f"{copied.pinned:,} tags were moved after they were served: what was served first was copied"
        )
    if copied.others:
        say(f"{copied.others:,} other refs of {new.name} were left alone")
    say(f"sha256 of what both have: {copied.digest}")


class Bars:
    """A bar for each stage of a long copy."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._stage = ""
        self._done = 0
        self._bar = progress("", 0)
        self._step = self._bar.__enter__()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__(None, None, None)

    def _show(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._bar.__exit__(None, None, None)
            self._bar = progress(stage, total)
            self._step, self._stage, self._done = self._bar.__enter__(), stage, 0
        self._step(done - self._done)
        self._done = done


@click.group(cls=Group)
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
    help="Only hours that begin then or later (Unix seconds); needed if old rows were deleted.",
)  # fmt: skip
def rebuild(data: str | None, since: int) -> None:
    """Compute the sums again from the rows of telemetry, in one transaction.

    \b
    Example:
      gitprompt rollups rebuild --data data
    """
    location = config.database_location(config.data_folder(data))
    file = config.database_file(location)
    if file is not None and not os.path.exists(file):
        raise NotFound(f"there is no {file}", hint="Is --data right?")
    with Bars() as show:
        database = Database(location, progress=lambda at, total: show("migrating", at, total))
    try:
        database.write_now(RollupRebuild(since))
    finally:
        database.close()
    done("the sums are computed again")


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
    Leave the password out of the URL, since others see the command: PGPASSWORD or ~/.pgpass has it. The Git of
    DRIVER=postgres is not copied: gitprompt mirror does that.

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
