# SPDX-License-Identifier: Apache-2.0
"""gitprompt log, trace, span and run: telemetry on a server, from a shell or a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from gitprompt.cli.client import path_of
from gitprompt.cli.output import Group, done, json_option, say, when, write_json, write_table
from gitprompt.cli.remote import require, server_options
from gitprompt.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])
Options = dict[str, Any]


def metadata_option(function: Function) -> Function:
    return click.option(
        "--metadata", metavar="JSON", help="An object of up to 50 keys, nested freely."
    )(function)


def connected(options: Options) -> Any:
    return require(options.pop("server"), options.pop("api_key"), options.pop("workspace"))


def body_of(options: Options, **more: Any) -> dict[str, Any]:
    """What was given, as a request's body; JSON options are read here."""
    body = {**options, **more}
    for key in ("metadata", "input", "output", "criteria"):
        if body.get(key) is not None:
            body[key] = _read_json(f"--{key}", body[key])
    return {key: value for key, value in body.items() if value is not None}


def _read_json(option: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{option}: not JSON: {error}", hint='For example: {"agent": "x"}'
        ) from None
    if not isinstance(value, dict):
        raise UsageError(f"{option}: an object is wanted, such as {{}}")
    return value


def tell(value: Mapping[str, Any], as_json: bool, said: str) -> None:
    if as_json:
        write_json(value)
    else:
        done(said)


# logs


@click.command()
@click.option("--prompt", "prompt_name", required=True, metavar="NAME", help="Which prompt.")
@click.option("--version", "version_tag", required=True, metavar="V", help="Which version.")
@click.option("--provider", help="Such as openai.")
@click.option("--model", help="Such as gpt-4o.")
@click.option("--tokens-in", type=int, metavar="N", help="Input tokens, cached ones included.")
@click.option("--tokens-out", type=int, metavar="N", help="Output tokens.")
@click.option("--latency-ms", type=int, metavar="MS", help="How long it took.")
@click.option("--cost-usd", type=float, metavar="USD", help="What it cost.")
@click.option("--status", type=click.Choice(["ok", "error"]), help="How it went.")
@click.option("--log-id", metavar="ID", help="Yours; makes a retry harmless.")
@click.option("--trace", "trace_id", metavar="ID", help="The trace that the call was part of.")
@click.option("--span", "span_id", metavar="ID", help="Its span in that trace.")
@metadata_option
@server_options
@json_option
def log(as_json: bool, **options: Any) -> None:
    """Store the log of a model call.

    \b
    Example:
      gitprompt log --prompt welcome --version 1.0.0 --model gpt-4o --tokens-in 120 --latency-ms 900
    """
    with connected(options) as client:
        answer = client.post("/v1/logs", body_of(options))
    tell(answer, as_json, f"log {answer['id']} is stored")


# traces and spans


@click.group(cls=Group)
def trace() -> None:
    """Create, show and list traces.

    \b
    Example:
      gitprompt trace create --prompt welcome --version 1.0.0
    """


@trace.command("create")
@click.option("--id", "trace_id", metavar="UUID", help="Your own; without it the server makes one.")
@click.option("--prompt", "prompt_name", metavar="NAME", help="Which prompt started it.")
@click.option("--version", "version_tag", metavar="V", help="Which version.")
@metadata_option
@server_options
@json_option
def create_trace(as_json: bool, **options: Any) -> None:
    """Create a trace and print its id.

    \b
    Example:
      TRACE=$(gitprompt trace create --prompt welcome --version 1.0.0)
    """
    with connected(options) as client:
        answer = client.post("/v1/traces", body_of(options))
    if as_json:
        write_json(answer)
    else:
        say(answer["trace_id"])


@trace.command("show")
@click.argument("trace_id")
@server_options
@json_option
def show_trace(trace_id: str, as_json: bool, **options: Any) -> None:
    """Show a trace with its spans.

    \b
    Example:
      gitprompt trace show 550e8400-e29b-41d4-a716-446655440000
    """
    with connected(options) as client:
        answer = client.get(path_of("v1", "traces", trace_id))
    if as_json:
        write_json(answer)
        return
    rows = [
        (span["name"], span["status"], str(span["start_time"]), str(span["end_time"]),
         span["span_id"])
        for span in answer["spans"]
    ]  # fmt: skip
    write_table(("span", "status", "start", "end", "id"), rows, empty="It has no spans.")


@trace.command("list")
@click.option("--prompt", "prompt_name", metavar="NAME", help="Of this prompt.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@server_options
@json_option
def list_traces(prompt_name: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """List traces, newest first.

    \b
    Example:
      gitprompt trace list --prompt welcome
    """
    narrowed = {"prompt_name": prompt_name} if prompt_name else {}
    with connected(options) as client:
        answer = client.get("/v1/traces", limit=limit, **narrowed)
    if as_json:
        write_json(answer["items"])
        return
    rows = [
        (item["trace_id"], item["prompt_name"] or "", item["version_tag"] or "",
         when(item["created_at"]))
        for item in answer["items"]
    ]  # fmt: skip
    write_table(("trace", "prompt", "version", "stored (UTC)"), rows, empty="No traces yet.")


@click.group(cls=Group)
def span() -> None:
    """Add spans to a trace.

    \b
    Example:
      gitprompt span add TRACE_ID --name llm-call --status ok
    """


@span.command("add")
@click.argument("trace_id")
@click.option("--name", required=True, help="What it did.")
@click.option("--id", "span_id", metavar="ID", help="Yours; makes a retry harmless.")
@click.option("--parent", "parent_id", metavar="ID", help="The span it is part of.")
@click.option("--status", type=click.Choice(["unset", "ok", "error", "running"]))
@click.option("--start", "start_time", type=int, metavar="MS", help="Your own clock.")
@click.option("--end", "end_time", type=int, metavar="MS", help="Your own clock.")
@metadata_option
@server_options
@json_option
def add_span(trace_id: str, as_json: bool, **options: Any) -> None:
    """Add a span to a trace.

    \b
    Example:
      gitprompt span add $TRACE --name llm-call --start 1000 --end 2500 --metadata '{"model": "gpt-4o"}'
    """
    with connected(options) as client:
        answer = client.post(path_of("v1", "traces", trace_id, "spans"), body_of(options))
    tell(answer, as_json, f"span {answer['span_id']} is stored")


# runs


@click.group(cls=Group)
def run() -> None:
    """Create, update and show runs of workflows.

    \b
    Example:
      gitprompt run create --workflow headline-generator
    """


@run.command("create")
@click.option("--workflow", "workflow_name", required=True, metavar="NAME", help="Which workflow.")
@click.option("--id", "run_id", metavar="ID", help="Your own; without it the server makes one.")
@click.option("--trace", "trace_id", metavar="ID", help="The trace of what it did.")
@click.option("--input", metavar="JSON", help="What went in.")
@metadata_option
@server_options
@json_option
def create_run(as_json: bool, **options: Any) -> None:
    """Create a run and print its id.

    \b
    Example:
      RUN=$(gitprompt run create --workflow headline-generator --input '{"topic": "AI"}')
    """
    with connected(options) as client:
        answer = client.post("/v1/runs", body_of(options))
    if as_json:
        write_json(answer)
    else:
        say(answer["run_id"])


@run.command("update")
@click.argument("run_id")
@click.option("--status", type=click.Choice(["running", "completed", "failed"]))
@click.option("--output", metavar="JSON", help="What came out.")
@metadata_option
@server_options
@json_option
def update_run(run_id: str, as_json: bool, **options: Any) -> None:
    """Replace the status, output or metadata of a run.

    \b
    Example:
      gitprompt run update $RUN --status completed --output '{"headline": "It works"}'
    """
    with connected(options) as client:
        answer = client.send("PATCH", path_of("v1", "runs", run_id), body=body_of(options))
    tell(answer, as_json, answer.get("message") or f"run {run_id} is updated")


@run.command("show")
@click.argument("run_id")
@server_options
def show_run(run_id: str, **options: Any) -> None:
    """Show a run, as JSON.

    \b
    Example:
      gitprompt run show $RUN
    """
    with connected(options) as client:
        write_json(client.get(path_of("v1", "runs", run_id)))
