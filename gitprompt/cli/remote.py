# SPDX-License-Identifier: Apache-2.0
"""Where a command finds prompts: in the clone that one stands in, or at a server, which is named by
options, then the environment, then gitprompt.toml."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from gitprompt import config, hosting
from gitprompt.cli import credentials
from gitprompt.core.document import check_root
from gitprompt.core.printable import printable
from gitprompt.errors import UsageError
from gitprompt.git import peek
from gitprompt.server import local

Function = TypeVar("Function", bound=Callable[..., Any])


class NotLoggedIn(UsageError):
    """A cloned file names a server to which nobody has said that a key may go."""


KEY_HELP = "Better given as GITPROMPT_API_KEY: arguments are seen by others."


def server_options(function: Function) -> Function:
    for option in (
        click.option(
            "--server",
            metavar="URL",
            help="The sidecar.  [env: GITPROMPT_SERVER; file: gitprompt.toml, after gitprompt login]",
        ),
        click.option("--api-key", metavar="KEY", help=KEY_HELP),
        click.option("--workspace", metavar="W", help="The workspace.  [default: the key's]"),
    ):
        function = option(function)
    return function


_SERVER_HELP = (
    "Do it at this server, without a clone; where no repository is, the one that GITPROMPT_SERVER or"
    " gitprompt.toml names is taken."
)


class Whereabouts(NamedTuple):
    """What was said of where the prompts are; `root` is the folder in the repository."""

    root: str = ""
    server: str | None = None
    api_key: str | None = None
    workspace: str | None = None


ROOT_VARIABLE = "GITPROMPT_ROOT"
ROOT_HELP = (
    "The folder of the repository that has prompts/, if no root in gitprompt.yaml names it."
    f"  [env: {ROOT_VARIABLE}]"
)
_PLACE = "gitprompt.place"


def _into_place(context: click.Context, option: click.Parameter, value: str | None) -> None:
    said: dict[str, Any] = {str(option.name): value}
    if option.name == "root":
        said["root"] = check_root(value or "")
    context.meta[_PLACE] = whereabouts()._replace(**said)


def root_option(function: Function) -> Function:
    """--root, for commands that read a clone; `whereabouts` has what was said."""
    return click.option(
        "--root", metavar="DIR", envvar=ROOT_VARIABLE, help=ROOT_HELP, expose_value=False,
        callback=_into_place,
    )(function)  # fmt: skip


def place_options(function: Function) -> Function:
    """The same, and the server that is read and written instead of the clone; `whereabouts` has them."""
    for name, letter, about in (
        ("--workspace", "W", "With a server: the workspace.  [default: the key's]"),
        ("--api-key", "KEY", KEY_HELP),
        ("--server", "URL", _SERVER_HELP),
    ):
        option = click.option(
            name, metavar=letter, help=about, expose_value=False, callback=_into_place
        )
        function = option(function)
    return root_option(function)


def whereabouts() -> Whereabouts:
    """What the options of the command that runs have said."""
    context = click.get_current_context(silent=True)
    said = context.meta.get(_PLACE) if context is not None else None
    return said if isinstance(said, Whereabouts) else Whereabouts()


def again(command: str, **said: str | None) -> str:
    """A command to paste next: with the server, the workspace and the folder that were said of this
    one, or of those in `said`."""
    place = said or whereabouts()._replace(api_key=None)._asdict()
    options = (f" --{name} {shlex.quote(value)}" for name, value in place.items() if value)
    return command + "".join(options)


def client_of_place() -> Any:
    """A client of the server that --server names, or that is configured where no repository is; None
    where the clone is meant."""
    said = whereabouts()
    if said.server is not None:
        return require(said.server, said.api_key, said.workspace)
    if peek.top_level(".") is not None or peek.is_plain_bare("."):
        return None
    return connect(None, said.api_key, said.workspace)


def connect(server: str | None, api_key: str | None, workspace: str | None) -> Any:
    """A client, or None if no server is configured. A key of the person's goes only to a server that
    the person named; to one that only a gitprompt.toml names, the one stored by `gitprompt login`, or
    that of the file itself."""
    file = config.client_file()
    named = server or config.variable("GITPROMPT_SERVER")
    url = named or file.get("server")
    if not url:
        return None
    credentials.server_id(url)  # says what is wrong with it
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
