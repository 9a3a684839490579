# SPDX-License-Identifier: Apache-2.0
"""gitprompt serve and sync."""

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
    from gitprompt.server.serve import serve as run

    settings = server_settings(options)
    run(settings, progress=_bar, ready=_greet)


def _greet(url: str, settings: ServerSettings) -> None:
    say(f"gitprompt serves at {url}")
    url += settings.root_path.rstrip("/")
    if not settings.repo:
        say(f"  push to   {url}/git/default.git   (the password is an API key)")
    say(f"  make a key   gitprompt keys create --data {settings.data}")
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
