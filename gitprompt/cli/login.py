# SPDX-License-Identifier: Apache-2.0
"""gitprompt login and logout: which servers get a key of yours."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from gitprompt import keys
from gitprompt.cli import credentials
from gitprompt.cli.output import done, say
from gitprompt.errors import NotFound, UsageError


@click.command()
@click.argument("url")
@click.option("--workspace", metavar="W", help="The key's workspace.  [default: default]")
def login(url: str, workspace: str | None) -> None:
    """Store your API key for a server. It is asked for, or read from standard input.

    From then on commands that find this server in a gitprompt.toml send it this key. Without it they
    send none: a repository that you cloned must not choose who gets your key. GITPROMPT_API_KEY goes
    only to a server that you name with --server or GITPROMPT_SERVER.

    \b
    Examples:
      gitprompt login https://prompts.example.com
      gitprompt login http://127.0.0.1:3000 < service.key
    """
    from gitprompt.cli.client import Client

    server = credentials.server_id(url)
    if server.startswith("http://") and urlsplit(server).hostname not in _LOOPBACK:
        say("warning: without https, the key can be read on the way", err=True)
    key = click.prompt("API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    key = key.strip()
    if not keys.KEY.match(key):
        raise UsageError(
            "that is not an API key: it begins with pm_", hint="gitprompt keys create makes one."
        )
    # Refused by the server, it is not stored; a key that may not read is a key all the same.
    Client(url, key, workspace=workspace).probe()
    credentials.store(url, key)
    done(f"logged in to {server}; the key is in {credentials.path()}")


_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.argument("url")
def logout(url: str) -> None:
    """Forget the key of a server. It stays valid: gitprompt keys revoke ends it.

    \b
    Example:
      gitprompt logout https://prompts.example.com
    """
    if not credentials.store(url, None):
        raise NotFound(
            f"there is no key for {credentials.server_id(url)}",
            hint="Stored for: " + (", ".join(sorted(credentials.stored())) or "none"),
        )
    done(f"logged out of {credentials.server_id(url)}")
