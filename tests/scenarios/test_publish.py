# SPDX-License-Identifier: Apache-2.0
"""A publish that was begun can be finished: what is tagged here and missing there is pushed, and
nobody is told that it is published when it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Outcome
from tests.world import WELCOME, Clone, run

Cli = Callable[..., Outcome]


@pytest.fixture
def shared(cli: Cli, clone: Clone, tmp_path: Path) -> Clone:
    """A clone with a prompt, and the bare repository that it pushes to."""
    (tmp_path / "shared.git").mkdir()
    bare = Clone(tmp_path / "shared.git")
    bare.git("init", "-q", "--bare", "-b", "main")
    clone.commit("Add welcome", welcome=WELCOME)
    clone.git("remote", "add", "origin", str(bare.path))
    return bare


def states(cli: Cli) -> tuple[str, str]:
    return cli("status").out, cli("list").out


def test_what_was_tagged_without_a_push_can_be_pushed(cli: Cli, shared: Clone) -> None:
    assert "Not pushed yet: gitprompt publish welcome --push" in cli("publish", "welcome").out
    assert states(cli) == (
        "welcome\tclean, not pushed: 1.0.0\t1.0.0\t\n", "welcome\t1.0.0 (not pushed)\t\n"
    )  # fmt: skip
    assert cli("publish", "welcome").code == 1  # there is nothing new
    said = cli("publish", "welcome", "--push")
    assert (said.code, "1.0.0 · pushed; it was tagged before" in said.out) == (0, True), said
    assert shared.git("for-each-ref", "--format=%(refname)", "refs/tags").endswith("welcome/1.0.0")
    assert states(cli) == ("welcome\tclean\t1.0.0\t\n", "welcome\t1.0.0\t\n")
    again = cli("publish", "welcome", "--push")
    assert (again.code, "has not changed since 1.0.0" in again.err) == (1, True)
    assert cli("publish", "--changed", "--push").code == 0


def test_what_could_not_be_reached_is_pushed_later(cli: Cli, clone: Clone, shared: Clone) -> None:
    elsewhere = shared.path.rename(shared.path.with_name("away.git"))
    said = cli("publish", "welcome", "--push")
    assert (said.code, "say the same once more" in said.err) == (1, True), said
    assert "not pushed: 1.0.0" in cli("status").out
    elsewhere.rename(shared.path)
    pushed = json.loads(cli("publish", "--changed", "--push", "--json").out)
    assert pushed == [{"name": "welcome", "version": "1.0.0", "commit": None, "pushed": True}]
    assert "not pushed" not in cli("status").out


def test_a_push_by_hand_is_noticed(cli: Cli, clone: Clone, shared: Clone) -> None:
    cli("publish", "welcome")
    clone.git("push", "-q", "origin", "main", "prompts/welcome/1.0.0")
    assert "not pushed" not in "".join(states(cli))


def test_a_fresh_clone_says_nothing_wrong(cli: Cli, clone: Clone, shared: Clone) -> None:
    cli("publish", "welcome", "--push")
    run("git", "clone", "-q", str(shared.path), "second", cwd=shared.path.parent)
    second = shared.path.parent / "second"
    for command in (("status",), ("hooks", "install"), ("status",)):
        assert "not pushed" not in cli(*command, cwd=second).out


def test_interrupted_it_says_what_is_done_and_what_is_left(
    cli: Cli, clone: Clone, shared: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("gitprompt.registry.remotes.push", interrupted)
        said = cli("publish", "welcome", "--push")
    assert said.code == 130
    assert "tagged here: welcome 1.0.0; whether origin has it is not known" in said.err
    assert ".\n  To go on: gitprompt publish welcome --push\n" in said.err
    assert "pushed; it was tagged before" in cli("publish", "welcome", "--push").out
    with monkeypatch.context() as patched:
        patched.setattr("gitprompt.registry.refwrites.publish", interrupted)
        clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
        said = cli("publish", "welcome", "--push")
    assert (said.code, "nothing was changed" in said.err) == (130, True)


def test_another_tag_at_the_remote_is_told(cli: Cli, clone: Clone, shared: Clone) -> None:
    cli("publish", "welcome", "--push")
    clone.git("tag", "-d", "prompts/welcome/1.0.0")
    clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    clone.tag("welcome", "1.0.0")
    said = cli("publish", "welcome", "--push")
    assert (said.code, "origin has another welcome 1.0.0" in said.err) == (1, True), said


def test_a_label_that_is_not_pushed_is_told(cli: Cli, clone: Clone, shared: Clone) -> None:
    cli("publish", "welcome", "--push")
    cli("label", "set", "welcome", "production", "1.0.0")
    assert "labels not pushed: production" in cli("status").out
    clone.git("push", "-q", "origin", "refs/labels/welcome@production")
    assert "not pushed" not in cli("status").out


# The bump is measured against the ancestor


def versioned(cli: Cli, clone: Clone, text: str, *args: str) -> str:
    """Commit a text and publish it; what the command says."""
    clone.commit(text, welcome=WELCOME.replace("Hello", text))
    outcome = cli("publish", "welcome", *args)
    return outcome.out + outcome.err


@pytest.fixture
def branched(cli: Cli, clone: Clone) -> Clone:
    """1.0.0, 1.0.1 and 2.0.0 on main; a branch `hotfix` from 1.0.1."""
    versioned(cli, clone, "One", "--version", "1.0.0")
    versioned(cli, clone, "Two", "--version", "1.0.1")
    versioned(cli, clone, "Three", "--version", "2.0.0")
    clone.git("switch", "-q", "-c", "hotfix", "prompts/welcome/1.0.1")
    return clone


def test_a_hotfix_follows_the_version_that_its_branch_comes_from(cli: Cli, branched: Clone) -> None:
    assert cli("status").out == "welcome\tclean since 1.0.1\t2.0.0\t\n"
    assert "Nothing has changed" in cli("publish", "--changed").err
    assert "welcome · 1.0.2" in versioned(cli, branched, "Hot", "--bump", "auto")
    assert "welcome · 1.0.3" in versioned(cli, branched, "Hotter", "--bump", "patch")
    assert cli("status").out == "welcome\tclean since 1.0.3\t2.0.0\t\n"


def test_a_version_of_another_branch_is_not_taken_back_by_a_higher_number(
    cli: Cli, branched: Clone
) -> None:
    said = versioned(cli, branched, "Hot", "--bump", "major")
    assert "the next version after 1.0.1 is welcome 2.0.0, and another branch has it" in said
    assert "welcome · 1.1.0" in versioned(cli, branched, "Hotter", "--bump", "minor")
    branched.git("tag", "-d", "prompts/welcome/2.0.0")
    branched.git("switch", "-q", "main")
    branched.git("reset", "-q", "--hard", "prompts/welcome/1.0.1")
    said = versioned(cli, branched, "Main", "--bump", "major")
    assert "welcome 1.1.0 is from another branch, and 2.0.0 would take its change back" in said
    assert "git merge prompts/welcome/1.1.0" in said
    branched.git("merge", "-q", "-s", "ours", "prompts/welcome/1.1.0")
    assert "welcome · 2.0.0" in versioned(cli, branched, "Merged", "--bump", "major")


def test_without_an_ancestor_the_newest_counts(cli: Cli, branched: Clone) -> None:
    branched.git("switch", "-q", "--orphan", "rewritten")
    assert "welcome · 2.0.1" in versioned(cli, branched, "Anew", "--bump", "patch")


# A checkout of CI


def test_a_shallow_checkout_without_tags_publishes_what_comes_next(
    cli: Cli, clone: Clone, shared: Clone, tmp_path: Path
) -> None:
    for text in ("One", "Two", "Three"):
        versioned(cli, clone, text, "--bump", "minor", "--push")
    clone.commit("Next", welcome=WELCOME.replace("Hello", "Next"))
    clone.git("push", "-q", "origin", "main")
    url = f"file://{shared.path}"
    run("git", "clone", "-q", "--depth=1", "--no-tags", "--branch=main", url, "ci", cwd=tmp_path)
    checkout = Clone(tmp_path / "ci")
    checkout.git("switch", "-q", "--detach")
    outcome = cli("publish", "welcome", "--bump", "auto", "--push", cwd=checkout.path)
    assert (outcome.code, "welcome · 1.2.1" in outcome.out) == (0, True), outcome
    assert "git fetch --unshallow" in outcome.err
    assert shared.git("tag", "--list").splitlines()[-1] == "prompts/welcome/1.2.1"
    assert [row["version"] for row in json.loads(cli("versions", "welcome", "--json", cwd=checkout.path).out)] == [
        "1.2.1", "1.2.0", "1.1.0", "1.0.0",
    ]  # fmt: skip
    said = cli("publish", "welcome", "--bump", "auto", "--push", cwd=checkout.path)
    assert "has not changed since 1.2.1" in said.err


def test_a_push_of_a_new_branch_makes_the_remote_its_upstream(
    cli: Cli, clone: Clone, shared: Clone
) -> None:
    assert cli("publish", "welcome", "--push").code == 0
    assert clone.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    clone.git("config", "branch.main.merge", "refs/heads/other")
    versioned(cli, clone, "Two", "--bump", "minor", "--push")
    assert clone.git("config", "branch.main.merge") == "refs/heads/other", "what is set stays"


def test_the_data_folder_of_a_server_in_a_work_tree_is_nothing_to_commit(clone: Clone) -> None:
    clone.gitprompt("keys", "create", "--data", "data")
    assert clone.git("status", "--porcelain") == ""
