# SPDX-License-Identifier: Apache-2.0
"""Files that are none: nobody waits for a pipe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.commands import Cli
from tests.world import Clone, Server


@pytest.fixture
def pipe(published: Clone) -> Path:
    path = published.path / "prompts" / "pipe.yaml"
    os.mkfifo(path)
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "command", [["publish", "pipe"], ["publish", "--changed"], ["validate"], ["show", "pipe@."],
                ["status"], ["list"]],
)  # fmt: skip
def test_a_pipe_in_a_clone_holds_up_no_command(cli: Cli, pipe: Path, command: list[str]) -> None:
    assert cli(*command).code in (0, 1)


@pytest.mark.timeout(20)
def test_a_pipe_is_sent_to_no_server(
    cli: Cli, pipe: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())
    at = ["--server", server.url]
    for command in (
        ["publish", str(pipe), *at],
        ["create-prompt", "--file", str(pipe), *at],
        ["import", "--dir", str(pipe.parent), *at],
    ):
        said = cli(*command)
        assert (said.code, "it is not a regular file" in said.err) == (1, True), command
