# SPDX-License-Identifier: Apache-2.0
"""The commands that write logs, traces, spans, runs and results to a server."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.cli.commands import Cli
from tests.server.client import Client, fresh
from tests.world import Server


@pytest.fixture(autouse=True)
def configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands talk to the module's server."""
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())


def test_a_log_keeps_its_zeros_and_leaves_out_what_was_not_given(cli: Cli, client: Client) -> None:
    name = fresh("logged")
    outcome = cli(
        "log", "--prompt", name, "--version", "1.0.0", "--tokens-in", "0", "--cost-usd", "0",
        "--metadata", '{"agent": {"loop": 0}}',
    )  # fmt: skip
    (row,) = client.get("/v1/logs", prompt_name=name)["items"]
    assert outcome.out == f"✓ log {row['id']} is stored\n"
    assert (row["tokens_in"], row["cost_usd"], row["metadata"]) == (0, 0, {"agent": {"loop": 0}})
    assert (row["tokens_out"], row["model"], row["latency_ms"]) == (None, None, None)


def test_a_log_of_ones_own_id_is_stored_once(cli: Cli, client: Client) -> None:
    name = fresh("again")
    command = ("log", "--prompt", name, "--version", "1.0.0", "--log-id", fresh("log"), "--json")
    first = cli(*command)
    assert json.loads(first.out)["status"] == "accepted"
    assert cli(*command).out == first.out
    assert client.get("/v1/logs", prompt_name=name)["total"] == 1


@pytest.mark.parametrize(
    "more",
    [
        ("--metadata", '{"a": NaN}'), ("--cost-usd", "nan"), ("--metadata", "[" * 100_000),
        ("--metadata", '{"a": "\\ud800"}'), ("--model", "\ud800"),
    ],
)  # fmt: skip
def test_what_json_cannot_carry_is_usage(cli: Cli, more: tuple[str, str]) -> None:
    outcome = cli("log", "--prompt", "p", "--version", "1", *more)
    assert (outcome.code, outcome.out) == (2, ""), outcome


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("log", "--prompt", "p", "--version", "1"), "--metadata"),
        (("trace", "create"), "--metadata"),
        (("span", "add", "t", "--name", "n"), "--metadata"),
        (("run", "create", "--workflow", "w"), "--input"),
        (("run", "update", "r"), "--output"),
        (("eval", "create", "e", "--prompt", "p"), "--criteria"),
        (("eval", "result", "e"), "--metadata"),
    ],
)
def test_what_is_not_an_object_is_usage_and_is_not_sent(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], option: str
) -> None:
    monkeypatch.setenv("GITPROMPT_SERVER", "http://127.0.0.1:9")  # nobody listens there
    for text, message in (("{agent: x}", f"{option}: not JSON"), ("[1]", f"{option}: an object")):
        refused = cli(*command, option, text)
        assert (refused.code, message in refused.err) == (2, True), refused


def test_a_trace_is_printed_as_its_id_alone(cli: Cli, client: Client) -> None:
    trace_id, name = str(uuid.uuid4()), fresh("traced")
    outcome = cli("trace", "create", "--id", trace_id, "--prompt", name, "--version", "1.0.0")
    assert outcome.out == f"{trace_id}\n"
    trace = client.get(f"/v1/traces/{trace_id}")
    assert (trace["prompt_name"], trace["version_tag"], trace["spans"]) == (name, "1.0.0", [])


def test_a_trace_is_shown_with_a_row_a_span(cli: Cli, client: Client) -> None:
    trace_id = client.post("/v1/traces", {})["trace_id"]
    later = ("--id", "b", "--parent", "a", "--status", "error", "--start", "20", "--end", "25")
    assert cli("span", "add", trace_id, "--name", "llm-call", *later).out == "✓ span b is stored\n"
    cli("span", "add", trace_id, "--name", "root\tspan", "--id", "a", "--start", "0", "--end", "30")
    assert cli("trace", "show", trace_id).out.splitlines() == [
        "root\\tspan\tunset\t0\t30\ta",
        "llm-call\terror\t20\t25\tb",
    ]
    assert client.get(f"/v1/traces/{trace_id}/spans/b")["parent_id"] == "a"


def test_traces_of_a_prompt_are_listed_newest_first(cli: Cli, client: Client) -> None:
    name = fresh("listed")
    ids = [client.post("/v1/traces", {"prompt_name": name})["trace_id"] for _ in range(3)]
    client.post("/v1/traces", {"prompt_name": fresh("another")})
    rows = cli("trace", "list", "--prompt", name).out.splitlines()
    assert [row.split("\t")[:2] for row in rows] == [[trace_id, name] for trace_id in reversed(ids)]
    assert len(json.loads(cli("trace", "list", "--limit", "2", "--json").out)) == 2
    assert cli("trace", "list", "--limit", "101").code == 2


def test_a_span_of_an_unknown_trace_fails_in_the_words_of_the_server(cli: Cli) -> None:
    refused = cli("span", "add", str(uuid.uuid4()), "--name", "x")
    assert (refused.code, "404 Trace not found" in refused.err) == (1, True)


def test_a_run_is_updated_only_in_what_was_given(cli: Cli, client: Client) -> None:
    run_id = cli("run", "create", "--workflow", "w", "--input", '{"topic": "AI"}').out.strip()
    outcome = cli("run", "update", run_id, "--status", "completed", "--output", '{"h": 1}')
    assert outcome.out == f"✓ run {run_id} is updated\n"
    assert cli("run", "update", run_id).out == "✓ No changes\n"
    run = client.get(f"/v1/runs/{run_id}")
    assert (run["status"], run["input"], run["output"]) == ("completed", {"topic": "AI"}, {"h": 1})
    assert json.loads(cli("run", "show", run_id).out) == run
