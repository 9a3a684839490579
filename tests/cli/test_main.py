# SPDX-License-Identifier: Apache-2.0
"""Every command: help, usage, and errors that say what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gitprompt.cli.main import COMMANDS
from tests.cli.commands import Cli
from tests.world import WELCOME, Clone, Refused, run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_example(cli: Cli, command: str) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"gitprompt {command}" in said.out


def test_a_wrong_command_and_a_wrong_option(cli: Cli) -> None:
    assert cli("pubish").code == 2
    assert "Did you mean 'publish'?" in cli("pubish").err
    assert cli("list", "--nothing").code == 2
    assert cli("--version").code == 0


def test_outside_a_repository(cli: Cli, tmp_path: Path) -> None:
    for command in (["list"], ["status"], ["publish", "a"], ["hooks", "install"]):
        said = cli(*command, cwd=tmp_path)
        assert (said.code, "gitprompt init" in said.err) == (1, True)


def test_without_an_identity(published: Clone) -> None:
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    env = {
        "GIT_COMMITTER_NAME": "",
        "GIT_COMMITTER_EMAIL": "",
        "GIT_AUTHOR_NAME": "",
        "GIT_AUTHOR_EMAIL": "",
        "EMAIL": "",
        "HOME": "/nonexistent",
    }
    with pytest.raises(Refused, match="git does not know who you are"):
        published.gitprompt("publish", "welcome", env=env)


def test_an_empty_repository_and_a_detached_head(cli: Cli, clone: Clone) -> None:
    assert cli("list").code == 0
    assert json.loads(cli("status", "--json").out) == {"prompts": [], "server": None}
    clone.commit("x", welcome=WELCOME)
    clone.git("checkout", "-q", "--detach")
    assert cli("publish", "welcome").code == 0
    assert cli("list").out.startswith("welcome\t1.0.0")


def test_our_bug_is_told_with_a_log(clone: Clone) -> None:
    code = (
        "import gitprompt.cli.main as m, sys; m.run_cli = lambda a: 1/0; sys.argv=['gitprompt','list'];"
        "from gitprompt.__main__ import main; main()"
    )
    with pytest.raises(Refused) as caught:
        run(sys.executable, "-c", code, cwd=clone.path)
    assert caught.value.code == 3
    log = Path(caught.value.said.split()[-1])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_completion_is_printed(cli: Cli) -> None:
    assert "_GITPROMPT_COMPLETE" in cli("completion", "bash").out


def test_odd_arguments_are_usage_and_not_bugs(cli: Cli, tmp_path: Path, clone: Clone) -> None:
    assert cli("keys", "revoke", "9" * 30).code == 2
    assert cli("keys", "list", "--data", str(tmp_path / "none")).code == 1
    assert not (tmp_path / "none").exists()
    key = ["--api-key", "pm_x"]
    assert "does not answer" in cli("status", "--server", "http://127.0.0.1:9", *key).err
    named = cli("list", "--server", "foo", *key)
    assert (named.code, "too: http://foo\n" in named.err) == (2, True)
    assert cli("doctor", "--data", str(tmp_path / "none")).code == 1
