# SPDX-License-Identifier: Apache-2.0
"""gitprompt hooks install and uninstall."""

from __future__ import annotations

import os

import click

from gitprompt import hosting
from gitprompt.cli.output import Group, done, say
from gitprompt.errors import UsageError
from gitprompt.git.repository import Repository
from gitprompt.registry import remotes

_SERVER = ("pre-receive", "post-receive")
_server_option = click.option(
    "--server", is_flag=True, help="The hooks of a bare repository that others push to."
)


@click.group(cls=Group)
def hooks() -> None:
    """Install or remove the hooks that validate commits and pushes.

    \b
    Example:
      gitprompt hooks install
    """


@hooks.command()
@_server_option
@click.option(
    "--data",
    metavar="DIR",
    help="With --server: the data folder of the sidecar to tell about pushes.",
)
def install(server: bool, data: str | None) -> None:
    """Install hooks: pre-commit and pre-push, or with --server pre-receive and post-receive.

    A hook that is there already goes on running, before ours. Installing twice changes nothing.

    \b
    Examples:
      gitprompt hooks install
      gitprompt hooks install --server --data /var/lib/gitprompt
    """
    repository = _repository(server)
    if server:
        installed = hosting.install_hooks(repository.hooks_dir(), _SERVER)
    else:
        installed = hosting.install_client_hooks(repository)
    for path in installed:
        done(os.path.relpath(path))
    if data is not None:
        repository.git("config", "gitprompt.data", os.path.abspath(data))
    if not server:
        for remote in repository.remotes():
            for refspec in remotes.configure_fetch(repository, remote):
                done(f"git fetch {remote} now brings {refspec.partition(':')[0].lstrip('+')}")


@hooks.command()
@_server_option
def uninstall(server: bool) -> None:
    """Remove our hooks and put back what was there before.

    \b
    Example:
      gitprompt hooks uninstall
    """
    repository = _repository(server)
    removed = hosting.uninstall_hooks(
        repository.hooks_dir(), _SERVER if server else hosting.CLIENT_HOOKS
    )
    for path in removed:
        done(f"removed {os.path.relpath(path)}")
    if not removed:
        say("No hooks of gitprompt were installed.")


def _repository(server: bool) -> Repository:
    repository = Repository.discover()
    if server and repository.work_tree is not None:
        raise UsageError("--server is for a bare repository", hint="Run it in the bare one.")
    if not server and repository.work_tree is None:
        raise UsageError("a bare repository has no commits of its own", hint="Add --server.")
    return repository
