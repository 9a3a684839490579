# SPDX-License-Identifier: Apache-2.0
"""gitprompt login and logout: the keys that a person has stored, one file, a key for each server.

A server that only a cloned gitprompt.toml names gets a key only from here, so that a stranger's
repository cannot have the key of somebody who merely looks at it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from urllib.parse import urlsplit

import click

from gitprompt import config
from gitprompt import keys as api_keys
from gitprompt.cli.output import done, say
from gitprompt.core.printable import printable
from gitprompt.errors import NotFound, SetupError, UsageError

_PORTS = {"http": 80, "https": 443}


def server_id(url: str) -> str:
    """One spelling for all of a server's: scheme, host, port, and the prefix it is served below.
    Raises UsageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not the URL of a server: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        hint = "For example: https://prompts.example.com"
        if "://" not in url:
            hint = f"Write its scheme, too: http://{printable(url)}"
        raise UsageError(f"{url!r} is not the URL of a server", hint=hint)
    below = re.search(r"/(?:git/[^/]+\.git|v1)/*\Z", url)
    if below is not None:
        root = url[: below.start()]
        raise UsageError(f"{url!r} is below the server", hint=f"Name the server itself: {root}")
    if parts.username or parts.password:
        raise UsageError("the URL of a server has no user or password", hint="Leave them out.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    prefix = re.sub(r"/+\Z", "", parts.path)
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}{prefix}"


def path() -> str:
    """Where the file is: below XDG_CONFIG_HOME, or ~/.config."""
    folder = config.variable("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(folder, "gitprompt", "credentials.json")


def stored() -> dict[str, str]:
    """Server → key. Raises SetupError for a file that others may read, or that is damaged."""
    try:
        with open(path(), encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SetupError(f"{path()} may be read by others", hint=f"chmod 600 {path()}")
            keys = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SetupError(
            f"{path()} is damaged: {error}", hint="Remove it, and log in again."
        ) from None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise SetupError(f"{path()} is damaged", hint="Remove it, and log in again.")
    return keys


def key_for(url: str) -> str | None:
    return stored().get(server_id(url))


def store(url: str, key: str | None) -> bool:
    """Keep the key of a server, or forget it (None). False if there was nothing to forget."""
    keys = stored()
    server = server_id(url)
    existed = keys.pop(server, None) is not None
    if key is not None:
        keys[server] = key
    elif not existed:
        return False
    os.makedirs(os.path.dirname(path()), mode=0o700, exist_ok=True)
    temporary = f"{path()}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(keys, file, indent=2)
        file.write("\n")
    os.replace(temporary, path())
    return True


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

    server = server_id(url)
    if server.startswith("http://") and urlsplit(server).hostname not in _LOOPBACK:
        say("warning: without https, the key can be read on the way", err=True)
    key = click.prompt("API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    key = key.strip()
    if not api_keys.KEY.match(key):
        raise UsageError(
            "that is not an API key, which is pm_ and 64 hexadecimal digits",
            hint="gitprompt keys create makes one.",
        )
    # Refused by the server, it is not stored; a key that may not read is a key all the same.
    Client(url, key, workspace=workspace).probe()
    store(url, key)
    done(f"logged in to {server}; the key is in {path()}")


_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.argument("url")
def logout(url: str) -> None:
    """Forget the key of a server. It stays valid: gitprompt keys revoke ends it.

    \b
    Example:
      gitprompt logout https://prompts.example.com
    """
    if not store(url, None):
        raise NotFound(
            f"there is no key for {server_id(url)}",
            hint="Stored for: " + (", ".join(sorted(stored())) or "none"),
        )
    done(f"logged out of {server_id(url)}")
