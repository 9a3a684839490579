# SPDX-License-Identifier: Apache-2.0
"""gitprompt score: how a trace, a span, a session or a run went."""

from __future__ import annotations

from typing import Any

import click

from gitprompt.cli.client import path_of
from gitprompt.cli.output import Group, json_option, when, write_json, write_table
from gitprompt.cli.remote import server_options
from gitprompt.cli.telemetry import body_of, connected, metadata_option, tell

_TYPES = ("numeric", "boolean", "categorical", "text")


@click.group(cls=Group)
def score() -> None:
    """Say how a trace, a span, a session or a run went, and list what was said.

    \b
    Example:
      gitprompt score add "user feedback" true --trace $TRACE --comment "Just what I needed"
    """


@score.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value")
@click.option("--type", type=click.Choice(_TYPES), help="By default that of the value.")
@click.option("--trace", "trace_id", metavar="ID", help="What is scored: this trace,")
@click.option("--span", "span_id", metavar="ID", help="this span of it,")
@click.option("--session", "session_id", metavar="ID", help="this session,")
@click.option("--run", "run_id", metavar="ID", help="this run,")
@click.option("--prompt", "prompt_name", metavar="NAME", help="or this prompt.")
@click.option("--version", "version_tag", metavar="V", help="Which version of it.")
@click.option("--comment", help="Why.")
@click.option("--source", help="Who says so, such as human.")
@click.option("--id", "score_id", metavar="ID", help="Yours; a score with it is replaced.")
@metadata_option
@server_options
@json_option
def add_score(name: str, value: str, as_json: bool, **options: Any) -> None:
    """Store a score: a number (it may be negative), true or false, or a word.

    \b
    Example:
      gitprompt score add tone 0.8 --run $RUN --source judge
    """
    body = body_of(options, name=name, value=_value(value, options["type"]))
    with connected(options) as client:
        answer = client.post("/v1/scores", body)
    tell(answer, as_json, f"score {answer['score_id']} is stored")


@score.command("list")
@click.option("--name", help="Of this name.")
@click.option("--trace", "trace_id", metavar="ID", help="Of this trace.")
@click.option("--session", "session_id", metavar="ID", help="Of this session.")
@click.option("--run", "run_id", metavar="ID", help="Of this run.")
@click.option("--prompt", "prompt_name", metavar="NAME", help="Of this prompt.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@server_options
@json_option
def list_scores(limit: int, as_json: bool, **options: Any) -> None:
    """List scores, and the results of suites, newest first.

    \b
    Example:
      gitprompt score list --name "user feedback" --prompt welcome
    """
    with connected(options) as client:
        narrowed = {name: value for name, value in options.items() if value is not None}
        items = client.get("/v1/scores", limit=limit, **narrowed)["items"]
    if as_json:
        write_json(items)
        return
    rows = [
        (item["score_id"] or "", item["name"], _shown(item["value"]), _subject(item),
         when(item["created_at"]))
        for item in items
    ]  # fmt: skip
    write_table(("id", "score", "value", "of", "when (UTC)"), rows, empty="No scores yet.")


@score.command("rm")
@click.argument("score_id")
@server_options
def remove_score(score_id: str, **options: Any) -> None:
    """Delete a score.

    \b
    Example:
      gitprompt score rm 0d9f2c7e-...
    """
    with connected(options) as client:
        client.send("DELETE", path_of("v1", "scores", score_id))
    tell({}, False, f"score {score_id} is gone")


def _value(text: str, type: str | None) -> bool | float | str:
    """What was typed, as what it looks like."""
    if type in ("categorical", "text"):
        return text
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _shown(value: object) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else f"{value if value is not None else ''}"
    )


def _subject(item: dict[str, Any]) -> str:
    """What a score is of, by its kind."""
    for kind in ("span", "trace", "session", "run"):
        if item[f"{kind}_id"]:
            return f"{kind} {item[f'{kind}_id']}"
    return f"{item['prompt_name'] or ''} {item['version_tag'] or ''}".strip()
