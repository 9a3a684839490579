# SPDX-License-Identifier: Apache-2.0
"""The command `gitprompt` and its lazy subcommands. To add a group, add its line to COMMANDS."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from gitprompt import __version__
from gitprompt.cli.output import Group
from gitprompt.core.names import nearest

# command → module:function, in the order in which a newcomer meets them
COMMANDS: Mapping[str, str] = {
    "init": "create:init",
    "new": "create:new",
    "validate": "validate:validate_command",
    "list": "read:list_command",
    "versions": "read:versions",
    "show": "read:show",
    "render": "read:render",
    "diff": "compare:diff",
    "publish": "publish:publish",
    "label": "label:label",
    "status": "status:status",
    "hooks": "hooks:hooks",
    "serve": "serve:serve",
    "sync": "serve:sync",
    "ui": "serve:ui",
    "keys": "keys:keys",
    "login": "credentials:login",
    "logout": "credentials:logout",
    "log": "telemetry:log",
    "trace": "telemetry:trace",
    "span": "telemetry:span",
    "run": "telemetry:run",
    "score": "scores:score",
    "eval": "evaluations:eval_group",
    "import": "served:import_",
    "export": "served:export",
    "migrate": "exchange.migrate:migrate",
    "backup": "exchange.maintenance:backup",
    "restore": "exchange.maintenance:restore",
    "rollups": "exchange.maintenance:rollups",
    "mirror": "exchange.maintenance:mirror",
    "db": "exchange.maintenance:db",
    "github": "github:github",
    "prices": "prices:prices",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
    # what the contract's other command lines call things
    "create-prompt": "served:create_prompt",
    "get-prompt": "served:get_prompt",
    "list-prompts": "served:list_prompts",
    "create-trace": "telemetry:create_trace",
    "add-span": "telemetry:add_span",
    "create-run": "telemetry:create_run",
    "update-run": "telemetry:update_run",
    "add-label": "served:add_label",
    "get-label": "served:get_label",
}


class LazyGroup(Group):
    """Imports a subcommand's module only when it is run or its help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        target = COMMANDS.get(name)
        if target is None:
            return None
        module, _, function = target.partition(":")
        command: click.Command = getattr(import_module(f"gitprompt.cli.{module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = nearest(args[0], COMMANDS)
            hint = f" Did you mean '{close}'?" if close else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A prompt is named NAME (its newest version), NAME@VERSION, NAME@LABEL or NAME@. "
    "(the work tree). Exit codes: 0 fine, 1 findings or failure, 2 usage, 3 our bug.",
)
@click.version_option(__version__, prog_name="gitprompt")
def cli() -> None:
    """A Git repository is the registry of record for your prompts.

    \b
    Start here:
      gitprompt demo            the whole story in ten seconds
      gitprompt init my-prompts a repository of your own
    """


def run_cli(arguments: Sequence[str]) -> int:
    """Run a command line; click's own refusals become exit codes here."""
    try:
        result = cli.main(args=list(arguments), prog_name="gitprompt", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return error.exit_code
    return result if isinstance(result, int) else 0
