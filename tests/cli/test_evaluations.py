# SPDX-License-Identifier: Apache-2.0
"""`gitprompt eval`."""

from __future__ import annotations

import pytest

from tests.cli.commands import Cli
from tests.server.client import Client, fresh, publish
from tests.world import Server


@pytest.fixture(autouse=True)
def configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands talk to the module's server."""
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())


def test_a_suite_is_scored_by_its_name_and_by_its_number(cli: Cli, client: Client) -> None:
    prompt, suite = fresh("scored"), fresh("suite")
    publish(client, prompt)
    outcome = cli("eval", "create", suite, "--prompt", prompt, "--criteria", '{"min_score": 0.8}')
    number = client.get(f"/v1/evaluations/{suite}")["id"]
    assert outcome.out.startswith(f"✓ suite {suite} is number {number}; the server committed ")
    for key in (suite, str(number)):
        assert cli("eval", "result", key, "--score", "0").code == 0
    results = client.get(f"/v1/evaluations/{suite}/results")["items"]
    assert [result["score"] for result in results] == [0, 0]


def test_suites_are_listed_with_any_for_a_version_that_is_open(cli: Cli, client: Client) -> None:
    prompt, bound, unbound = fresh("p"), fresh("bound"), fresh("unbound")
    publish(client, prompt)
    for name, more in ((bound, {"version_tag": "1.0.0"}), (unbound, {})):
        client.post("/v1/evaluations", {"name": name, "prompt_name": prompt, **more})
    rows = [row.split("\t")[1:] for row in cli("eval", "list").out.splitlines()]
    assert [bound, prompt, "1.0.0"] in rows
    assert [unbound, prompt, "any"] in rows
