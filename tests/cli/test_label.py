# SPDX-License-Identifier: Apache-2.0
"""`gitprompt label`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Cli
from tests.world import WELCOME, Clone, Server, run


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


def test_a_move_that_was_not_pushed_is_pushed_by_saying_it_again(
    cli: Cli, server: Server, story: Clone
) -> None:
    remote = server.remote(workspace="again")
    story.git("remote", "add", "origin", remote)
    story.push_all("origin")
    assert cli("label", "set", "welcome", "beta", "1.0.0").code == 0
    assert "refs/labels/welcome@beta" not in story.git("ls-remote", remote)
    said = cli("label", "set", "welcome", "beta", "1.0.0", "--push")
    assert said.out == "✓ welcome beta: 1.0.0 · pushed; it was moved before\n"
    assert story.git("rev-parse", "refs/labels/welcome@beta") in story.git("ls-remote", remote)
    assert "is at 1.0.0 already" in cli("label", "set", "welcome", "beta", "1.0.0", "--push").out


def test_the_remote_that_lacks_the_version_is_told_how_it_gets_it(
    cli: Cli, server: Server, story: Clone
) -> None:
    story.git("remote", "add", "origin", server.remote(workspace="lacking"))
    story.git("push", "-q", "origin", "main")
    said = cli("label", "set", "welcome", "beta", "1.1.0", "--push")
    assert "welcome 1.1.0 is not published" in said.err
    assert "gitprompt publish welcome --push; then: " in said.err


def test_who_is_behind_has_nothing_left_to_push(
    cli: Cli, server: Server, story: Clone, tmp_path: Path
) -> None:
    remote = server.remote(workspace="behind")
    story.git("remote", "add", "origin", remote)
    story.push_all("origin", "refs/labels/*:refs/labels/*")
    run("git", "clone", "-q", remote, "other", cwd=tmp_path)
    other = tmp_path / "other"
    assert cli("hooks", "install", cwd=other).code == 0
    run("git", "fetch", "-q", cwd=other)
    assert cli("label", "set", "welcome", "production", "1.0.0", "--push", cwd=other).code == 0
    story.git("fetch", "-q", "origin", "refs/labels/*:refs/remotes/origin/labels/*")
    assert "labels not pushed" not in cli("status").out


def test_an_identity_of_nothing_is_told_and_not_a_bug(
    cli: Cli, story: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "<>")
    said = cli("label", "set", "welcome", "beta", "1.0.0")
    assert (said.code, "a name and an address are needed" in said.err) == (1, True)


# Promotion


def many(cli: Cli, clone: Clone, count: int) -> list[str]:
    """Prompts with 1.0.0 in production, and 1.1.0 in staging."""
    names = [f"team/p{number}" for number in range(count)]
    for version in ("1.0.0", "1.1.0"):
        clone.commit(version, **{name: WELCOME.replace("Hello", version) for name in names})
        assert cli("publish", "--prefix", "team/", "--bump", "minor").code == 0
    for name in names:
        assert cli("label", "set", name, "production", "1.0.0").code == 0
        assert cli("label", "set", name, "staging", "1.1.0").code == 0
    return names


def versions_of(cli: Cli, label: str) -> dict[str, str]:
    rows = json.loads(cli("label", "list", "--json").out)
    return {row["prompt_name"]: row["version_tag"] for row in rows if row["name"] == label}


def test_a_label_is_set_to_where_another_is(cli: Cli, story: Clone) -> None:
    assert cli("label", "set", "welcome", "staging", "1.0.0").code == 0
    said = cli("label", "set", "welcome", "production", "staging")
    assert "welcome production: 1.1.0 → 1.0.0" in said.out
    missing = cli("label", "set", "welcome", "production", "canary")
    assert (missing.code, "welcome has no label canary" in missing.err) == (1, True)
    wrong = cli("label", "set", "welcome", "production", "v1.0.0")
    assert (wrong.code, "Leave out the leading 'v'" in wrong.err) == (1, True)
    assert "Leave out the leading 'v'" in cli("show", "welcome@v1.0.0").err
    assert cli("label", "list", "nope").code == 1


def test_twelve_labels_are_promoted_with_one_push(
    cli: Cli, server: Server, clone: Clone, tmp_path: Path
) -> None:
    names = many(cli, clone, 12)
    clone.git("remote", "add", "origin", server.remote(workspace="twelve"))
    clone.push_all("origin", "refs/labels/*:refs/labels/*")
    said = cli("label", "set", "--all", "--from", "staging", "production", "-m", "Friday", "--push")
    assert (said.code, said.out.count("production: 1.0.0 → 1.1.0")) == (0, 12), said
    assert versions_of(cli, "production") == dict.fromkeys(names, "1.1.0")
    path = "/v1/prompts/team/p3?label=production&render=false"
    key = server.key(workspace="twelve")
    assert server.request(path, key=key).json()["version"]["version_tag"] == "1.1.0"
    again = cli("label", "set", "--all", "--from", "staging", "production", "--push")
    assert "Nothing to move: 12 are there already." in again.out


def test_a_promotion_pushes_what_was_only_promoted_here(
    cli: Cli, server: Server, clone: Clone
) -> None:
    names = many(cli, clone, 3)
    clone.git("remote", "add", "origin", server.remote(workspace="promoted"))
    clone.push_all("origin", "refs/labels/*:refs/labels/*")
    assert cli("label", "set", "--all", "--from", "staging", "production").code == 0
    said = cli("label", "set", "--all", "--from", "staging", "production", "--push")
    for name in names:
        assert f"{name} production: 1.1.0 · pushed; it was moved before" in said.out
    there = clone.git("ls-remote", "origin")
    for name in names:
        assert clone.git("rev-parse", f"refs/labels/{name}@production") in there


def test_a_promotion_of_which_one_is_refused_moves_nothing(
    cli: Cli, server: Server, clone: Clone
) -> None:
    names = many(cli, clone, 3)
    clone.write("gitprompt.yaml", "labels: {protected: {production: admin}}\n")
    clone.commit("Protect")
    clone.git("remote", "add", "origin", server.remote(workspace="refused"))
    clone.push_all("origin", "refs/labels/*:refs/labels/*")
    clone.git("remote", "set-url", "origin", server.remote("read,write", workspace="refused"))
    said = cli("label", "set", "--prefix", "team/", "--from", "staging", "production", "--push")
    assert (said.code, "protected" in said.err) == (1, True), said
    assert versions_of(cli, "production") == dict.fromkeys(names, "1.0.0"), "nor here"


def test_many_labels_need_to_be_told_from_where(cli: Cli, story: Clone) -> None:
    for words in (("--all", "production"), ("--from", "staging", "production"),
                  ("--all", "--from", "staging", "welcome", "production"), ("welcome", "production")):  # fmt: skip
        outcome = cli("label", "set", *words)
        assert outcome.code == 2, words
        assert "gitprompt label set" in outcome.err
    assert "No prompt has canary." in cli("label", "set", "--all", "--from", "canary", "x").out


def test_a_hint_says_the_server_that_was_said(cli: Cli, server: Server, story: Clone) -> None:
    story.git("remote", "add", "origin", server.remote(workspace="hints"))
    story.push_all("origin", "refs/labels/*:refs/labels/*")
    at = ("--server", server.url, "--api-key", server.key(workspace="hints"))
    said = cli("label", "log", "welcome", "nope", *at)
    assert f"gitprompt label list welcome --server {server.url}\n" in said.err
    assert cli("label", "rollback", "welcome", "production", *at).code == 0
    said = cli("label", "rollback", "welcome", "production", *at)
    assert f"gitprompt label rollback welcome production --to V --server {server.url}\n" in said.err
    assert "pm_" not in said.err
