# SPDX-License-Identifier: Apache-2.0
"""gitprompt eval: suites, which a server keeps as files in Git, and their results."""

from __future__ import annotations

from typing import Any

import click

from gitprompt.cli.client import path_of
from gitprompt.cli.output import Group, json_option, write_json, write_table
from gitprompt.cli.remote import server_options
from gitprompt.cli.telemetry import body_of, connected, metadata_option, tell


@click.group("eval", cls=Group)
def eval_group() -> None:
    """Create suites and store results.

    \b
    Example:
      gitprompt eval result accuracy-check --score 0.95
    """


@eval_group.command("create")
@click.argument("name")
@click.option("--prompt", "prompt_name", required=True, metavar="NAME", help="What it scores.")
@click.option("--version", "version_tag", metavar="V", help="Which version; any if absent.")
@click.option("--description", help="What it checks.")
@click.option("--criteria", metavar="JSON", help='Such as {"min_score": 0.8}.')
@server_options
@json_option
def create_eval(name: str, as_json: bool, **options: Any) -> None:
    """Create a suite: a file evals/NAME.yaml in Git.

    \b
    Example:
      gitprompt eval create accuracy-check --prompt welcome --criteria '{"min_score": 0.8}'
    """
    with connected(options) as client:
        answer = client.post("/v1/evaluations", body_of(options, name=name))
    tell(
        answer,
        as_json,
        f"suite {name} is number {answer['id']}; the server committed evals/{name}.yaml to its branch",
    )


@eval_group.command("list")
@server_options
@json_option
def list_evals(as_json: bool, **options: Any) -> None:
    """List the suites.

    \b
    Example:
      gitprompt eval list
    """
    with connected(options) as client:
        suites = list(client.everything("/v1/evaluations"))
    if as_json:
        write_json(suites)
        return
    rows = [(str(s["id"]), s["name"], s["prompt_name"], s["version_tag"] or "any") for s in suites]
    write_table(("id", "suite", "prompt", "version"), rows, empty="No suites yet.")


@eval_group.command("result")
@click.argument("suite")
@click.option("--score", type=float, metavar="X", help="0 or more.")
@click.option("--run", "run_id", metavar="ID", help="The run that was scored.")
@click.option("--id", "result_id", metavar="ID", help="Yours; makes a retry harmless.")
@metadata_option
@server_options
@json_option
def eval_result(suite: str, as_json: bool, **options: Any) -> None:
    """Store the result of an evaluation; SUITE is a name or a number.

    \b
    Example:
      gitprompt eval result accuracy-check --run run_7a3fe2c --score 0.95
    """
    with connected(options) as client:
        answer = client.post(path_of("v1", "evaluations", suite, "results"), body_of(options))
    tell(answer, as_json, f"result {answer['id']} is stored")
