# SPDX-License-Identifier: Apache-2.0
"""Which server a command talks to: options, then the environment, then gitprompt.toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gitprompt import config, hosting, local
from gitprompt.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


def server_options(function: Function) -> Function:
    for option in (
        click.option(
            "--server",
            metavar="URL",
            help="The sidecar.  [env: GITPROMPT_SERVER; file: gitprompt.toml]",
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
    """A client, or None where no server is configured."""
    from gitprompt.client import Client

    file = config.client_file()
    server = server or config.variable("GITPROMPT_SERVER") or file.get("server")
    if not server:
        return None
    api_key = api_key or config.variable("GITPROMPT_API_KEY") or file.get("api_key")
    if not api_key:
        raise UsageError(
            "there is a server, but no key",
            hint="Set GITPROMPT_API_KEY; gitprompt keys create makes one.",
        )
    workspace = workspace or config.variable("GITPROMPT_WORKSPACE") or file.get("workspace")
    return Client(server, api_key, workspace=workspace)


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
    from gitprompt.client import Client

    token = local.token(data) if hosting.is_held(data) else None
    socket = local.address(data) if token else None
    if token is None or socket is None:
        return None
    return Client("http://localhost", token, workspace=workspace, socket=socket)
