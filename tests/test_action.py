# SPDX-License-Identifier: Apache-2.0
"""action.yml, as a runner would take its steps: the real shell, the real git, and a `gh` that writes down what it is
asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.world import IDENTITY, WELCOME, Clone, run

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
EVENTS = {
    "pull_request": {"github.event.pull_request.number": "7"},
    "push": {},
}
COMMENTS = "repos/acme/prompts/issues/7/comments"


class Runner:
    """Of GitHub Actions, with a checkout of depth one."""

    def __init__(self, folder: Path, forge: Clone, branch: str) -> None:
        self.folder = folder
        run(
            "git",
            "clone",
            "-q",
            "--depth=1",
            "--branch",
            branch,
            f"file://{forge.path}",
            "checkout",
            cwd=folder,
        )
        self.checkout = Clone(folder / "checkout")
        tools = folder / "tools"
        tools.mkdir()
        (tools / "gh").write_text(
            '#!/bin/sh\nprintf \'%s\\n\' "$*" >> "$GH_CALLS"\n'
            'case "$*" in *--paginate*) cat "$GH_FOUND";; *) exit "$GH_FAILS";; esac\n'
        )
        (tools / "gh").chmod(0o755)
        (tools / "gitprompt").write_text(f'#!/bin/sh\nexec {sys.executable} -m gitprompt "$@"\n')
        (tools / "gitprompt").chmod(0o755)
        self.found, self.calls, self.summary = (
            folder / name for name in ("found", "calls", "summary")
        )
        for file in (self.found, self.calls, self.summary):
            file.touch()
        self.fails = 0

    def take(self, event: str, **inputs: str) -> str:
        """What all steps have printed. Raises CalledProcessError for one that fails."""
        given = {name: str(value["default"]) for name, value in ACTION["inputs"].items()} | inputs
        given["token"] = "s3cret"
        values = {
            "github.repository": "acme/prompts", "github.actor": "ada", "github.event_name": event,
            "github.ref_name": "main", "github.event.repository.default_branch": "main",
            "github.token": "s3cret", **EVENTS[event],
            **{f"inputs.{name}": value for name, value in given.items()},
        }  # fmt: skip
        said = ""
        for step in ACTION["runs"]["steps"]:
            if (
                "run" in step
                and "pip install" not in step["run"]
                and is_due(step.get("if"), values)
            ):
                env = {
                    name: filled(str(value), values) for name, value in step.get("env", {}).items()
                }
                said += self._shell(step["run"], env)
        return said

    def _shell(self, script: str, env: dict[str, str]) -> str:
        given = {
            **IDENTITY, "PATH": f"{self.folder / 'tools'}:{os.environ['PATH']}", "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT), "GH_CALLS": str(self.calls), "GH_FOUND": str(self.found),
            "GH_FAILS": str(self.fails), "RUNNER_TEMP": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.summary), **env,
        }  # fmt: skip
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=self.checkout.path, env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def comment(self) -> str:
        return (self.folder / "comment.md").read_text()


def filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{{ {name} }}}}", value)
    assert "${{" not in text, text
    return text


def is_due(condition: str | None, values: dict[str, str]) -> bool:
    """Of conditions that compare, joined by &&."""
    for part in (condition or "").split(" && ") if condition else ():
        left, right = (side.strip() for side in part.split("=="))
        if values[left] != (right.strip("'") if right.startswith("'") else values[right]):
            return False
    return True


@pytest.fixture
def runner(published: Clone, forge: Clone, tmp_path: Path) -> Runner:
    """On a branch that changes a prompt and brings another."""
    published.git("checkout", "-q", "-b", "change")
    published.commit("Change", welcome=WELCOME.replace("Hello", "Good day"), fresh=WELCOME)
    published.git("push", "-q", "origin", "change")
    folder = tmp_path / "runner"
    folder.mkdir()
    return Runner(folder, forge, "change")


def test_no_expression_stands_in_a_script() -> None:
    """What an author of a pull request chose would be run."""
    assert not any("${{" in step.get("run", "") for step in ACTION["runs"]["steps"])


def test_a_pull_request_is_told_what_changed(runner: Runner, forge: Clone) -> None:
    runner.take("pull_request")
    assert "| `fresh` |  | first version | 1.0.0 |" in runner.comment
    assert "| `welcome` | 1.0.0 | patch | 1.0.1 |" in runner.comment
    assert runner.comment == runner.summary.read_text()
    made = runner.calls.read_text().splitlines()[-1]
    assert f"--method POST {COMMENTS} -F body=@" in made
    assert "s3cret" not in runner.calls.read_text()
    assert "fresh" not in forge.git("tag")


def test_what_is_too_long_for_a_comment_is_a_table(runner: Runner) -> None:
    lines = "".join(f"  Line {at} of a very long prompt\\n" for at in range(2_500))
    runner.checkout.write(
        "prompts/welcome.yaml", f'messages:\n- {{role: user, content: "{lines}{{{{name}}}}"}}\n'
    )
    runner.take("pull_request")
    assert len(runner.comment) < 60_000
    assert "| `welcome` | 1.0.0 |" in runner.comment
    assert "too long for a comment" in runner.comment
    assert "```" not in runner.comment.replace("`gitprompt diff --changed`", "")


def test_its_comment_is_kept_up_to_date(runner: Runner) -> None:
    runner.found.write_text("41\n42\n")
    runner.take("pull_request")
    made = runner.calls.read_text().splitlines()[-1]
    assert "--method PATCH repos/acme/prompts/issues/comments/41 " in made


def test_a_fork_that_may_not_comment_fails_nothing(runner: Runner) -> None:
    runner.fails = 1
    assert "::notice::The comment could not be written" in runner.take("pull_request")
    assert "`fresh`" in runner.summary.read_text()


def test_what_is_not_valid_is_annotated(runner: Runner) -> None:
    runner.checkout.write("prompts/wrong.yaml", "messages: 5\n")
    with pytest.raises(AssertionError, match=r"::error file=prompts/wrong\.yaml,line=1"):
        runner.take("pull_request")


def test_a_merge_publishes_what_changed(
    runner: Runner, published: Clone, forge: Clone, tmp_path: Path
) -> None:
    published.git("push", "-q", "origin", "change:main")
    folder = tmp_path / "merge"
    folder.mkdir()
    merge = Runner(folder, forge, "main")
    merge.take("push")
    assert set(forge.git("tag").split()) == {
        "prompts/fresh/1.0.0", "prompts/welcome/1.0.0", "prompts/welcome/1.0.1"
    }  # fmt: skip
    before = forge.git("show-ref")
    merge.take("push")
    assert forge.git("show-ref") == before, "it is published already"


def test_whoever_wants_no_comment_and_no_publication_gets_none(
    runner: Runner, forge: Clone
) -> None:
    before = forge.git("show-ref")
    runner.take("pull_request", comment="false")
    runner.take("push", publish="false")
    assert runner.calls.read_text() == ""
    assert forge.git("show-ref") == before
