# SPDX-License-Identifier: Apache-2.0
"""`gitprompt publish`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import Cli
from tests.world import WELCOME, Clone, Server, run


def test_publish_takes_the_version_that_the_change_deserves(cli: Cli, clone: Clone) -> None:
    clone.commit("1", welcome=WELCOME)
    assert "welcome · 1.0.0" in cli("publish", "welcome").out
    assert "has not changed" in cli("publish", "welcome").err
    clone.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    assert "welcome · 1.0.1" in cli("publish", "welcome").out
    clone.commit("3", welcome=WELCOME.replace("}}!", "}}{{more}}!") + "  more: {type: string}\n")
    assert "welcome · 1.1.0" in cli("publish", "--changed", "--bump", "auto").out
    clone.commit("4", welcome=WELCOME)
    said = json.loads(cli("publish", "welcome", "--json").out)
    assert [(item["name"], item["version"]) for item in said] == [("welcome", "2.0.0")]
    assert "Nothing has changed" in cli("publish", "--changed").err
    assert clone.git("cat-file", "-t", "prompts/welcome/2.0.0") == "tag"


def test_publish_rewrites_the_version_field_and_commits_it(cli: Cli, clone: Clone) -> None:
    clone.commit("1", welcome='# mine\nversion: "1.0.0" # keep\n' + WELCOME)
    assert cli("publish", "welcome").code == 0
    clone.commit("2", welcome='# mine\nversion: "1.0.0" # keep\n' + WELCOME.replace("Hello", "Hi"))
    refused = cli("publish", "welcome")
    assert (refused.code, "--bump auto" in refused.err) == (1, True)
    assert "welcome · 1.0.1" in cli("publish", "welcome", "--bump", "auto").out
    text = (clone.path / "prompts/welcome.yaml").read_text()
    assert text.startswith('# mine\nversion: "1.0.1" # keep\n')
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("show", "prompts/welcome/1.0.1:prompts/welcome.yaml") == text.strip()


def test_publish_refuses_what_is_wrong_before_it_writes_anything(
    cli: Cli, published: Clone
) -> None:
    published.write("prompts/welcome.yaml", WELCOME.replace("Hello", "Hi"))
    assert "not committed" in cli("publish", "welcome").err
    published.commit("x", bad="messages: {")
    assert "bad is not valid" in cli("publish", "bad").err
    assert "not in the work tree" in cli("publish", "nothing").err
    assert "published already" in cli("publish", "welcome", "--version", "1.0.0").err
    assert "same precedence" in cli("publish", "welcome", "--version", "1").err
    assert cli("publish").code == 2
    assert cli("publish", "a", "--changed").code == 2
    assert cli("publish", "welcome", "--version", "x").code == 1
    assert cli("publish", "welcome", "--push").code == 1
    assert published.git("tag", "-l") == "prompts/welcome/1.0.0"


def test_publish_signs(cli: Cli, published: Clone, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"), cwd=tmp_path)
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    for key, value in (("gpg.format", "ssh"), ("user.signingkey", str(tmp_path / "key.pub"))):
        published.git("config", key, value)
    assert cli("publish", "welcome", "--sign").code == 0
    assert "-----BEGIN SSH SIGNATURE-----" in published.git(
        "cat-file", "tag", "prompts/welcome/1.0.1"
    )
    assert cli("label", "set", "welcome", "production", "1.0.1", "--sign").code == 0
    assert "gpgsig" in published.git("cat-file", "commit", "refs/labels/welcome@production")


def test_a_publish_that_meets_another_tag_there_leaves_nothing_here(
    cli: Cli, clone: Clone, tmp_path: Path
) -> None:
    run("git", "init", "-q", "--bare", "hub.git", cwd=tmp_path)
    clone.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    clone.commit("1", welcome=WELCOME)
    assert cli("publish", "welcome", "--push").code == 0
    clone.git("tag", "-d", "prompts/welcome/1.0.0")
    clone.git("tag", "-a", "-m", "mine", "prompts/welcome/1.0.0")
    clone.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    said = cli("publish", "welcome", "--version", "1.1.0", "--push")
    assert (said.code, "origin has another welcome 1.0.0" in said.err) == (1, True)
    assert "prompts/welcome/1.1.0" not in clone.git("tag")


def test_who_is_asked_for_a_name_and_has_none_is_told_where_it_comes_from(
    cli: Cli, server: Server, published: Clone
) -> None:
    url = f"{server.url}/git/nameless.git"
    published.git("remote", "add", "origin", url)
    for words in (
        ("publish", "welcome", "--push"),
        ("label", "set", "welcome", "a", "1.0.0", "--push"),
    ):
        said = cli(*words)
        assert (said.code, "git could not sign in" in said.err) == (1, True), said
        assert "credential.helper" in said.err
        assert "Once the remote answers" not in said.err
