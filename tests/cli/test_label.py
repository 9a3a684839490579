# SPDX-License-Identifier: Apache-2.0
"""`gitprompt label`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import Cli
from tests.world import Clone, Server, run


def test_a_second_rollback_is_refused_with_who_made_the_first(cli: Cli, story: Clone) -> None:
    assert "1.1.0 → 1.0.0" in cli("label", "rollback", "welcome", "production").out
    second = cli("label", "rollback", "welcome", "production")
    assert second.code == 1
    assert "went back to 1.0.0 already: Ada Test <ada@example.com>, 20" in second.err
    assert "--to V" in second.err
    assert "1.0.0 → 1.1.0" in cli("label", "rollback", "welcome", "production", "--to", "1.1.0").out
    log = json.loads(cli("label", "log", "welcome", "production", "--json").out)
    assert [move["version"] for move in log] == ["1.1.0", "1.0.0", "1.1.0", "1.0.0"]
    assert log[-1]["reason"] == "Launch"
    assert log[0]["actor"] == "Ada Test <ada@example.com>"


def test_a_move_back_counts_as_a_rollback_whoever_made_it_and_however(
    cli: Cli, story: Clone
) -> None:
    assert cli("label", "set", "welcome", "production", "1.0.0", "-m", "Refunds").code == 0
    refused = cli("label", "rollback", "welcome", "production")
    assert (refused.code, "'Refunds'" in refused.err) == (1, True)


def test_labels_are_removed_by_a_tombstone_and_come_back(cli: Cli, story: Clone) -> None:
    assert cli("label", "rm", "welcome", "production", "-m", "Gone").code == 0
    assert cli("label", "list").out == ""
    assert "no label" in cli("label", "rm", "welcome", "production").err
    assert cli("label", "set", "welcome", "production", "1.0.0", "--expect", "none").code == 0
    assert cli("label", "list", "welcome").out.startswith("welcome\tproduction\t1.0.0\t")
    assert len(json.loads(cli("label", "log", "welcome", "production", "--json").out)) == 4


def test_a_label_refuses_what_is_wrong(cli: Cli, story: Clone) -> None:
    expect = cli("label", "set", "welcome", "production", "1.0.0", "--expect", "1.0.0")
    assert (expect.code, "is at 1.1.0, not at 1.0.0" in expect.err) == (1, True)
    unknown = cli("label", "set", "welcome", "production", "3.0.0")
    assert (unknown.code, "is not published here" in unknown.err) == (1, True)
    assert "already" in cli("label", "set", "welcome", "production", "1.1.0").out
    assert cli("label", "set", "welcome", "latest", "1.0.0").code == 1
    assert cli("label", "rollback", "welcome", "nothing").code == 1
    assert cli("label", "log", "welcome", "nothing").code == 1


def test_a_fresh_clone_learns_the_labels_before_it_moves_one(
    cli: Cli, server: Server, story: Clone, tmp_path: Path
) -> None:
    remote = server.remote(workspace="fresh")
    story.git("remote", "add", "origin", remote)
    story.push_all("origin", "refs/labels/*:refs/labels/*")
    run("git", "clone", "-q", remote, "fresh", cwd=tmp_path)
    fresh = tmp_path / "fresh"
    assert "git fetch" in cli("label", "log", "welcome", "production", cwd=fresh).err
    said = cli("label", "set", "welcome", "production", "1.0.0", cwd=fresh)
    assert "1.1.0 → 1.0.0" in said.out, said
