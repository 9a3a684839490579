# SPDX-License-Identifier: Apache-2.0
"""gitprompt completion: click's own completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      gitprompt completion bash >> ~/.bashrc
    """
    from gitprompt.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "gitprompt", "_GITPROMPT_COMPLETE").source())
