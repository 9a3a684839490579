# SPDX-License-Identifier: Apache-2.0
"""gitprompt github setup and check: a webhook that is delivered, and rules that hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Cli
from tests.github import WEBHOOK_SECRET, FakeGithub
from tests.world import WELCOME, Clone, Refused, Server, eventually

TAG = "refs/tags/prompts/welcome/1.0.0"


@pytest.fixture
def server(asked: FakeGithub, tmp_path: Path) -> Iterator[Server]:
    """That would look by itself once an hour."""
    env = {"DRIVER": "github", "GITHUB_SYNC_INTERVAL_MS": "3600000"}
    found = Server(tmp_path / "data", env=env).start()
    yield found
    found.stop()


def states(cli: Cli, *arguments: str) -> dict[str, Any]:
    found = json.loads(cli("github", *arguments, "--json").out)["default"]["found"]
    return {one["what"].split()[0]: one["state"] for one in found}


def test_what_setup_makes_check_finds(asked: FakeGithub, cli: Cli, server: Server) -> None:
    url = f"{server.url}/webhooks/github"
    assert states(cli, "check", "--url", url) == {
        "token": "ok", "ruleset": "missing", "webhook": "missing"
    }  # fmt: skip
    assert cli("github", "check").code == 1
    assert states(cli, "setup", "--url", url) == {"ruleset": "made", "webhook": "made"}
    assert states(cli, "setup", "--url", url) == {"ruleset": "ok", "webhook": "changed"}
    assert len(asked.hooks) == len(asked.rulesets) == 1
    assert states(cli, "check", "--url", url) == {"token": "ok", "ruleset": "ok", "webhook": "ok"}
    outcome = cli("github", "check", "--url", url)
    assert outcome.code == 0
    assert WEBHOOK_SECRET not in outcome.out + outcome.err


def test_a_push_there_is_served_at_once(
    asked: FakeGithub, cli: Cli, server: Server, published: Clone
) -> None:
    cli("github", "setup", "--url", f"{server.url}/webhooks/github")
    published.git(
        "remote",
        "set-url",
        "origin",
        f"http://x-access-token:{asked.token}@{asked.url[7:]}/acme/forge.git",
    )
    published.commit("Add", fresh=WELCOME)
    published.tag("fresh", "1.0.0")
    published.git("push", "-q", "origin", "main", "refs/tags/prompts/fresh/1.0.0")
    eventually(lambda: server.request("/v1/prompts/fresh?render=false").status_code == 200)
    assert {one["event"] for one in asked.deliveries} == {"push", "create"}


def test_its_rules_hold_against_a_push(asked: FakeGithub, cli: Cli, published: Clone) -> None:
    cli("github", "setup")
    url = f"http://x-access-token:{asked.token}@{asked.url[7:]}/acme/forge.git"
    before = asked.refs()
    with pytest.raises(Refused, match="GH013"):
        published.git("push", "-f", url, f"HEAD:{TAG}")
    assert asked.refs() == before


def test_what_could_not_be_delivered_is_shown_and_sent_again(
    asked: FakeGithub, cli: Cli, server: Server, published: Clone
) -> None:
    url = f"{server.url}/webhooks/github"
    cli("github", "setup", "--url", url)
    server.stop()
    published.commit("Add", fresh=WELCOME)
    path = f"http://x-access-token:{asked.token}@{asked.url[7:]}/acme/forge.git"
    published.git("push", "-q", path, "main")
    outcome = cli("github", "check", "--url", url)
    assert outcome.code == 1
    assert "was answered by nobody" in outcome.out
    server.options = ("--port", url.split(":")[2].split("/")[0])
    server.start()
    assert states(cli, "check", "--url", url, "--redeliver") == {"delivery": "sent again"}
    assert states(cli, "check", "--url", url)["webhook"] == "ok"
    assert cli("github", "check").code == 1 or asked.rulesets


def test_what_was_changed_is_mended(asked: FakeGithub, cli: Cli) -> None:
    url = "https://prompts.example.com/webhooks/github"
    cli("github", "setup", "--url", url)
    asked.rulesets[0]["enforcement"] = "disabled"
    asked.hooks[0]["events"] = ["push"]
    found = cli("github", "check", "--url", url)
    assert "it lacks create, delete" in found.out
    assert states(cli, "check", "--url", url) == {
        "token": "ok", "ruleset": "wrong", "webhook": "wrong"
    }  # fmt: skip
    assert states(cli, "setup", "--url", url) == {"ruleset": "changed", "webhook": "changed"}
    assert states(cli, "check", "--url", url) == {"token": "ok", "ruleset": "ok", "webhook": "ok"}


def test_a_plan_without_rulesets_is_no_failure(asked: FakeGithub, cli: Cli) -> None:
    asked.has_rulesets = False
    assert states(cli, "check") == {"token": "ok", "ruleset": "not available"}
    assert states(cli, "setup") == {"ruleset": "not available"}
    assert cli("github", "check").code == 0


def test_a_token_that_may_not_write_is_told(asked: FakeGithub, cli: Cli) -> None:
    asked.may_write = False
    assert states(cli, "check")["token"] == "wrong"
