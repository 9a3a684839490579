# SPDX-License-Identifier: Apache-2.0
"""Which server a command talks to: options, then the environment, then gitprompt.toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gitprompt import config, hosting
from gitprompt.cli import credentials
from gitprompt.core.printable import printable
from gitprompt.errors import UsageError
from gitprompt.server import local

Function = TypeVar("Function", bound=Callable[..., Any])


class NotLoggedIn(UsageError):
    """A cloned file names a server to which nobody has said that a key may go."""


def server_options(function: Function) -> Function:
    for option in (
        click.option(
            "--server",
            metavar="URL",
            help="The sidecar.  [env: GITPROMPT_SERVER; file: gitprompt.toml, after gitprompt login]",
        ),
        click.option(
            "--api-key",
            metavar="KEY",
            help="Better given as GITPROMPT_API_KEY: arguments are seen by others.",
        ),
        click.option("--workspace", metavar="W", help="The workspace.  [default: default]"),
    ):
        function = option(function)
    return function


def connect(server: str | None, api_key: str | None, workspace: str | None) -> Any:
    """A client, or None if no server is configured. A key of the person's goes only to a server that
    the person named; to one that only a gitprompt.toml names, the one stored by `gitprompt login`, or
    that of the file itself."""
    file = config.client_file()
    named = server or config.variable("GITPROMPT_SERVER")
    url = named or file.get("server")
    if not url:
        return None
    workspace = workspace or config.variable("GITPROMPT_WORKSPACE") or file.get("workspace")
    if named:
        api_key = api_key or config.variable("GITPROMPT_API_KEY") or credentials.key_for(url)
    else:
        api_key = credentials.key_for(url) or file.get("api_key")
        if not api_key:
            raise NotLoggedIn(
                f"gitprompt.toml names the server {printable(url)}, and you are not logged in there",
                hint=f"If you trust it: gitprompt login {printable(url)}\n"
                "  A key in the environment goes only to a server named by --server or"
                " GITPROMPT_SERVER.",
            )
    if not api_key:
        raise UsageError(
            "there is a server, but no key",
            hint="Set GITPROMPT_API_KEY, or: gitprompt login URL; gitprompt keys create makes a key.",
        )
    from gitprompt.cli.client import Client  # 100 ms, which only what needs a server pays

    return Client(url, api_key, workspace=workspace)


def require(server: str | None, api_key: str | None, workspace: str | None) -> Any:
    """Like `connect`, for what cannot be done without a server."""
    client = connect(server, api_key, workspace)
    if client is None:
        raise UsageError(
            "this needs a server",
            hint="--server URL, GITPROMPT_SERVER, or server = … in gitprompt.toml.",
        )
    return client


def connect_locally(data: str, workspace: str | None = None) -> Any:
    """A client of the sidecar that holds a data directory on this machine; None if none does, or
    its token was revoked. The token goes nowhere but into the socket in that directory."""
    from gitprompt.cli.client import Client

    token = local.token(data) if hosting.is_held(data) else None
    socket = local.address(data) if token else None
    if token is None or socket is None:
        return None
    return Client("http://localhost", token, workspace=workspace, socket=socket)
