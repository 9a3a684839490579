# SPDX-License-Identifier: Apache-2.0
"""`gitprompt score`."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import Cli
from tests.server.client import Client, fresh
from tests.world import Server


@pytest.fixture(autouse=True)
def configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands talk to the module's server."""
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())


@pytest.mark.parametrize(
    ("typed", "more", "stored"),
    [
        ("-1.5", (), -1.5), ("true", (), True), ("false", ("--type", "boolean"), False),
        ("3", ("--type", "categorical"), "3"), ("so so", (), "so so"),
        ("well said", ("--type", "text"), "well said"),
    ],
)  # fmt: skip
def test_a_score_is_what_it_looks_like(
    cli: Cli, client: Client, typed: str, more: tuple[str, ...], stored: object
) -> None:
    session = fresh("session")
    outcome = cli("score", "add", "user feedback", typed, "--session", session, *more)
    assert outcome.code == 0, outcome.err
    (item,) = client.get("/v1/scores", session=session)["items"]
    assert (item["value"], type(item["value"])) == (stored, type(stored))
    assert outcome.out == f"✓ score {item['score_id']} is stored\n"


def test_scores_are_listed_and_deleted(cli: Cli) -> None:
    session, key = fresh("session"), fresh("key")
    cli("score", "add", "tone", "2", "--session", session, "--id", key)
    listed = cli("score", "list", "--session", session).out
    assert [key, "tone", "2.0", f"session {session}"] == listed.strip().split("\t")[:4]
    assert json.loads(cli("score", "list", "--session", session, "--json").out)[0]["value"] == 2
    assert cli("score", "rm", key).code == 0
    assert cli("score", "list", "--session", session).out.strip() in ("", "No scores yet.")
    assert cli("score", "rm", key).code == 1


def test_a_score_of_nothing_says_what_is_missing(cli: Cli) -> None:
    outcome = cli("score", "add", "tone", "2")
    assert outcome.code == 1
    assert "say what is scored" in outcome.err
