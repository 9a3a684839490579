# SPDX-License-Identifier: Apache-2.0
"""gitprompt keys: on the data folder, before the server ever ran and while it runs; or at a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from gitprompt import clock, config, hosting
from gitprompt import keys as api_keys
from gitprompt.cli.output import Group, done, json_option, say, when, write_json, write_table
from gitprompt.cli.remote import KEY_HELP, Function, again, require
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import NotFound, SetupError, UsageError
from gitprompt.server import local
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import LOCAL, LOCAL_TOKEN, Actor
from gitprompt.store.tables.keys import Keys

_data_option = click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)


def _server_options(function: Function) -> Function:
    """A key is made at a server only if that is named: who can read the data folder needs none."""
    function = click.option("--api-key", metavar="KEY", help=KEY_HELP)(function)
    return click.option(
        "--server", metavar="URL", help="Do it at this server, with a key of scope admin."
    )(function)


@click.group(cls=Group)
def keys() -> None:
    """Create, list and revoke API keys.

    \b
    Example:
      export GITPROMPT_API_KEY=$(gitprompt keys create --name laptop)
    """


@contextmanager
def _database(data: str | None, *, make: bool = False) -> Iterator[tuple[Database, str]]:
    folder = config.data_folder(data)
    location = config.database_location(folder)
    file = config.database_file(location)
    if not make and file is not None and not os.path.exists(file):
        raise NotFound(
            f"there are no keys: there is no {file}", hint="Is --data right, and DATABASE_URL?"
        )
    hosting.check_database(folder, file)
    os.umask(0o077)
    try:
        hosting.make_data_folder(folder)
    except OSError as error:
        raise SetupError(f"{folder} cannot be made: {error.strerror}") from error
    database = Database(location)
    try:
        yield database, folder
    finally:
        database.close()


@keys.command()
@_data_option
@click.option(
    "--name", default="key", show_default=True, metavar="N", help="Whose it is, for the audit log."
)
@click.option(
    "--workspace",
    metavar="W",
    help="Its workspace; '*' for all.  [default: default; with --server, that of your key]",
)
@click.option(
    "--scopes",
    default="read,write",
    show_default=True,
    help="read fetches, write pushes, admin moves protected labels.",
)
@click.option(
    "--expires-in-days", type=int, metavar="D", help="The days it is good for.  [default: for ever]"
)
@_server_options
def create(
    data: str | None, name: str, workspace: str | None, scopes: str, expires_in_days: int | None,
    server: str | None, api_key: str | None,
) -> None:  # fmt: skip
    """Print a new key. It is shown this once; only its hash is stored.

    \b
    Examples:
      gitprompt keys create --name ci --scopes read,write,admin --expires-in-days 90
      gitprompt keys create --name ci --server https://prompts.example.com
    """
    if server is not None:
        body = {"name": name, "scopes": scopes, "expires_in_days": expires_in_days}
        if workspace is not None:
            body["workspace_id"] = workspace
        made = require(server, api_key, None).post("/v1/api-keys", body)
        say(f"key {made['id']} for {made['workspace_id']}: {made['scopes']}", err=True)
        say(made["key"])
        return
    workspace = workspace or DEFAULT_WORKSPACE
    with _database(data, make=True) as (database, folder):
        try:
            salt = api_keys.salt(folder, config.variable("API_KEY_SALT") or "", database)
        except api_keys.SaltGone as error:
            say(f"warning: {error.message}: a new salt is made, and they are not valid", err=True)
            salt = api_keys.salt(folder, "", None)
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, api_keys.FINGERPRINT))
        record, key = api_keys.create(
            database,
            salt,
            name=name,
            workspace=workspace,
            scopes=scopes,
            expires_in_days=expires_in_days,
            clock=clock.now,
        )
    say(f"key {record.id} for {workspace}: {record.scopes}", err=True)
    say(key)


@keys.command("list")
@_data_option
@_server_options
@json_option
def list_(data: str | None, server: str | None, api_key: str | None, as_json: bool) -> None:
    """List the keys, never their secrets.

    \b
    Example:
      gitprompt keys list
    """
    if server is not None:
        items = list(require(server, api_key, None).everything("/v1/api-keys"))
    else:
        with _database(data) as (database, _):
            items = [record._asdict() for record in database.read_now(Keys(None))]
    if as_json:
        write_json(items)
        return
    rows = [
        (
            str(item["id"]),
            item["name"],
            item["workspace_id"],
            item["scopes"],
            when(item["created_at"]),
            when(item["expires_at"]) if item["expires_at"] else "never",
            when(item["last_used_at"]) if item["last_used_at"] else "not yet",
        )
        for item in items
    ]
    write_table(
        ("id", "name", "workspace", "scopes", "created (UTC)", "expires (UTC)", "last used (UTC)"),
        rows,
        empty="No keys yet: " + again("gitprompt keys create", data=data, server=server),
    )


@keys.command()
@_data_option
@click.argument("key_id", metavar="ID")
@_server_options
def revoke(data: str | None, key_id: str, server: str | None, api_key: str | None) -> None:
    """Revoke a key. A running server refuses it from the next request on.

    The ID 'local' is the token by which hooks and `gitprompt sync` poke the running server over
    its Unix socket; the next start makes another.

    \b
    Examples:
      gitprompt keys revoke 3
      gitprompt keys revoke local
    """
    is_number = key_id.isascii() and key_id.isdigit() and int(key_id) < 1 << 62
    if not is_number and key_id != "local":
        raise UsageError(
            f"'{key_id}' is neither a number nor 'local'",
            hint=again("gitprompt keys list", data=data, server=server) + " has them.",
        )
    if server is not None:
        if not is_number:
            raise UsageError("the token 'local' is the data folder's", hint="Leave out --server.")
        require(server, api_key, None).send("DELETE", f"/v1/api-keys/{int(key_id)}")
        done(f"key {key_id} is revoked")
        return
    with _database(data) as (database, folder):
        if is_number:
            api_keys.revoke(database, int(key_id), clock=clock.now)
        else:
            _revoke_local(database, folder)
    done(f"key {key_id} is revoked")


def _revoke_local(database: Database, folder: str) -> None:
    if not local.revoke(folder):
        raise NotFound("there is no local token", hint="A server has one while it runs.")
    entry = Actor(DEFAULT_WORKSPACE, LOCAL).did("key:revoke", clock.now(), target_id=LOCAL_TOKEN)
    database.write_now(entry)
