# SPDX-License-Identifier: Apache-2.0
"""gitprompt serve, sync and ui."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from gitprompt import config, hosting
from gitprompt.cli.output import done, json_option, say, write_json
from gitprompt.cli.remote import connect, connect_locally, server_options
from gitprompt.config import ServerSettings, server_settings
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.errors import GitpromptError, NotFound, SetupError
from gitprompt.metrics.http import join_address
from gitprompt.registry.sync import Progress


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each setting that is not a secret: secrets come from the environment."""
    for setting in reversed(fields(ServerSettings)):
        if setting.metadata["secret"]:
            continue
        if isinstance(setting.default, bool):
            function = click.option(
                f"--{setting.name.replace('_', '-')}",
                setting.name,
                flag_value="yes",
                default=None,
                help=f"{setting.metadata['help']}  [env: {setting.metadata['env']}; default: no]",
            )(function)
            continue
        default = setting.default if setting.default != "" else "unset"
        function = click.option(
            f"--{setting.name.replace('_', '-')}",
            setting.name,
            metavar=type(setting.default).__name__.upper(),
            help=f"{setting.metadata['help']}  [env: {setting.metadata['env']}; default: {default}]",
        )(function)
    return function


@click.command(
    epilog="Webhook secrets and the salt come from the environment only: "
    + ", ".join(f.metadata["env"] for f in fields(ServerSettings) if f.metadata["secret"])
)
@_options
def serve(**options: str | None) -> None:
    """Run the sidecar: host and index repositories, serve prompts.

    With nothing configured it makes ./data, hosts the repository /git/default.git, and listens on
    127.0.0.1:3000.

    \b
    Examples:
      gitprompt serve
      gitprompt serve --repo . --port 8080
    """
    from gitprompt.server.listening.serve import serve as run

    settings = server_settings(options)
    run(settings, progress=_bar, ready=_greet)


def _greet(url: str, settings: ServerSettings) -> None:
    say(f"gitprompt serves at {url}")
    url += settings.root_path.rstrip("/")
    if not settings.repo:
        say(f"  push to   {url}/git/default.git   (the password is an API key)")
    say(f"  make a key   gitprompt keys create --data {settings.data}")
    if settings.ui_auth in ("proxy", "local"):
        say(f"  look at it   {url}/ui")
    elif settings.ui_auth == "key":
        say(f"  look at it   gitprompt ui --data {settings.data}   ({url}/ui)")
    metrics = f"http://{settings.metrics_addr}" if settings.metrics_addr else url
    say(f"  metrics      {metrics}/metrics")
    sys.stdout.flush()


def _bar(what: str) -> Progress:
    """A bar on a terminal while something large is built."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    from rich.console import Console
    from rich.progress import Progress as Bar

    bar = Bar(console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None, start=False)

    def show(done: int, total: int) -> None:
        if total < 1_000:
            return
        bar.start()
        bar.update(task, completed=done, total=total)
        if done >= total:
            bar.stop()

    return show


@click.command()
@click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)
@click.option("--repo", metavar="PATH", help="The repository that is served in place, if one is.")
@server_options
@json_option
def sync(
    data: str | None, repo: str | None, server: str | None, api_key: str | None,
    workspace: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make the index agree with Git now: by the running sidecar, or here if none runs.

    \b
    Examples:
      gitprompt sync --server http://127.0.0.1:3000
      gitprompt sync --data data
    """
    client = connect(server, api_key, workspace)
    folder = config.data_folder(data)
    if client is None:
        client = connect_locally(folder, workspace)
        holder = hosting.is_held(folder) or ""
        if client is None and " at http" in holder:
            raise SetupError(
                f"{folder} is served by {holder}, which cannot be asked without a key",
                hint="Its local token may have been revoked. Ask with a key: --server URL",
            )
    state = client.post("/v1/sync") if client else _sync_here(folder, repo)
    if as_json:
        write_json(state)
        return
    for item in state["rejected"]:
        say(f"rejected {item['ref']}: {item['findings'][0]['message']}")
    for item in state["tampered"]:
        say(f"{item['condition']} {item['ref']}: what was first published is served")
    counts = state["counts"]
    done(
        f"{counts['prompts']} prompts, {counts['versions']} versions, {counts['labels']} labels; "
        f"{len(state['rejected'])} refs rejected, {len(state['tampered'])} tags tampered with"
    )


@click.command()
@click.option(
    "--data", metavar="DIR", help="The data folder.  [env: GITPROMPT_DATA; default: data]"
)
@click.option("--change", is_flag=True, help="Look and change; without it, look only.")
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open no browser.")
@click.option(
    "--url", metavar="URL", help="Where a browser reaches the server, if a proxy is before it."
)
@json_option
def ui(data: str | None, change: bool, only_print: bool, url: str | None, as_json: bool) -> None:
    """Open the pages of the server that runs here, signed in.

    It asks the server of a data folder on this machine for a link that signs one browser in, once,
    within a minute; no API key is needed. Elsewhere open the server's /ui, and paste a key.

    \b
    Examples:
      gitprompt ui
      gitprompt ui --change --data /srv/gitprompt
    """
    folder = config.data_folder(data)
    client = connect_locally(folder)
    if client is None:
        raise NotFound(
            f"no server runs on {folder}",
            hint="Start one: gitprompt serve. One that runs elsewhere has its pages at URL/ui.",
        )
    path = client.post("/ui/tickets", {"changes": change})["path"]
    base = (url or _address_of(folder)).rstrip("/")
    link = f"{base}{path}" if url is None else f"{base}{path[path.index('/ui/') :]}"
    if as_json:
        write_json({"url": link, "seconds": 60, "changes": change})
        return
    say(link)
    if not only_print:
        import webbrowser

        if not webbrowser.open(link):
            say(
                "No browser could be opened here: open the link yourself, within a minute.",
                err=True,
            )


def _address_of(folder: str) -> str:
    """Where the server of a folder listens, as it says in the lock that it holds."""
    holder = hosting.is_held(folder) or ""
    _, is_server, address = holder.rpartition(" at http://")
    if not is_server:
        raise NotFound(f"{folder} is held by {holder}, which has no pages")
    host, _, port = address.rpartition(":")
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - one listens there, and asks here
    return f"http://{join_address(here, int(port))}"


def _sync_here(folder: str, repo: str | None) -> Any:
    """Open everything as the server would, which syncs, and tell the state."""
    import os

    from gitprompt.server.api.sync import state_of
    from gitprompt.server.app import sidecar

    if not os.path.isdir(folder):
        raise NotFound(f"there is no data folder {folder}", hint="Say which: --data DIR")
    settings = server_settings({"data": folder, "repo": repo})
    with sidecar(settings, progress=_bar) as application:
        context = application.context
        state = state_of(context, DEFAULT_WORKSPACE)
        if state["last_error"]:
            raise GitpromptError(state["last_error"])
        return state
