# SPDX-License-Identifier: Apache-2.0
"""`gitprompt status`."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import Cli
from tests.world import Clone, Server


def test_status_and_sync_against_a_server(
    cli: Cli, server: Server, story: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.push_all(server.remote(), "refs/labels/*:refs/labels/*")
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    assert "no key" in cli("status").err
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())
    said = json.loads(cli("status", "--json").out)
    assert said["prompts"][0]["served"]["labels"] == {"production": "1.1.0"}
    assert said["server"]["rejected"] == []
    assert "welcome\tchanged\t1.1.0\tproduction=1.1.0\t1.1.0 production=1.1.0" in cli("status").out
    assert "1 prompts, 2 versions, 1 labels" in cli("sync").out
    monkeypatch.delenv("GITPROMPT_SERVER")
    assert "2 versions" in cli("sync", "--data", str(server.data)).out
    nobody = cli("status", "--server", "http://127.0.0.1:9")
    assert (nobody.code, "does not answer" in nobody.err) == (0, True)


def test_without_an_answer_of_the_server_what_is_here_is_shown(
    cli: Cli, published: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = cli("status").out
    outcome = cli("status", "--server", "http://127.0.0.1:9", "--api-key", "pm_" + "0" * 64)
    assert (outcome.code, outcome.out) == (0, here)
    assert outcome.err.startswith("warning: what the server has is not known: ")
    monkeypatch.setenv("GITPROMPT_SERVER", "http://127.0.0.1:9")
    outcome = cli("status")
    assert (outcome.code, outcome.out, "no key" in outcome.err) == (0, here, True)
