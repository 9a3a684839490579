# SPDX-License-Identifier: Apache-2.0
"""What git is told of an origin, and what it has heard there."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gitprompt.errors import GitError, OriginUnreachable, SetupError
from gitprompt.git import origin
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.world import Clone

ONE, TWO = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com/a.git", "https://example.com/a.git"),
        ("git@example.com:team/a.git", "git@example.com:team/a.git"),
        ("ssh://git@example.com/a.git", "ssh://git@example.com/a.git"),
        ("/srv/a.git", "/srv/a.git"),
        ("file:///srv/a.git", "file:///srv/a.git"),
        ("https://[::1]:3000/a.git", "https://[::1]:3000/a.git"),
    ],
)
def test_what_has_no_password_is_taken_as_it_is(text: str, url: str) -> None:
    assert origin.parse_origin(text) == origin.Origin(url)


def test_a_path_is_one_wherever_it_is_looked_at_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert origin.parse_origin("a.git").url == str(tmp_path / "a.git")


def test_a_password_is_a_setting_of_git_and_not_of_the_url() -> None:
    found = origin.parse_origin("https://x:to%2Fken@example.com:8443/a.git")
    assert found.url == "https://example.com:8443/a.git"
    scheme, _, value = found.secret["GIT_CONFIG_VALUE_0"].rpartition(" ")
    assert scheme == "Authorization: Basic"
    assert base64.b64decode(value) == b"x:to/ken"
    assert found.secret["GIT_CONFIG_KEY_0"] == f"http.{found.url}.extraHeader"


@pytest.mark.parametrize("text", ["ext::sh -c x", "-u", "https://example.com/a\nb"])
def test_what_would_be_an_option_or_a_command_is_refused(text: str) -> None:
    with pytest.raises(SetupError, match="the origin is no URL or path"):
        origin.parse_origin(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://", "names no host"),
        ("ssh://", "names no host"),
        ("https://ann:secret@/a.git", "names no host"),
        ("https://example.com/", "names no repository"),
        ("file://", "names no repository"),
        ("https://[::1/a.git", "is no URL"),
    ],
)
def test_an_unfinished_url_is_told_and_never_shown(text: str, why: str) -> None:
    with pytest.raises(SetupError, match=f"the origin {why}") as raised:
        origin.parse_origin(text)
    assert "secret" not in raised.value.message


def test_a_push_is_told_old_and_new_values() -> None:
    updates = [RefUpdate("refs/a", ZERO, ONE), RefUpdate("refs/b", ONE, ZERO)]
    leases, specs = origin.push_arguments([*updates, RefUpdate("refs/c", ONE, TWO)])
    assert leases == [
        "--force-with-lease=refs/a:",
        f"--force-with-lease=refs/b:{ONE}",
        f"--force-with-lease=refs/c:{ONE}",
    ]
    assert specs == [f"{ONE}:refs/a", ":refs/b", f"{TWO}:refs/c"]


def test_what_a_remote_says_are_its_lines_alone() -> None:
    error = GitError("refused", stderr="To x\nremote: no:   \nremote:   line 3\n ! [rejected]\n")
    assert origin.words(error) == ["no:", "  line 3"]


def test_an_origin_that_is_not_there_is_unreachable(published: Clone, tmp_path: Path) -> None:
    repository = Repository.open(str(published.path))
    with pytest.raises(OriginUnreachable):
        origin.fetch(repository, str(tmp_path / "nowhere.git"), "refs/heads/*:refs/x/*")


def test_many_new_tags_go_at_once_or_not_at_all(published: Clone, forge: Clone) -> None:
    repository = Repository.open(str(published.path))
    tip = published.git("rev-parse", "HEAD")
    label, other = "refs/labels/a@x", f"refs/tags/prompts/p{origin._FEW}/1.0.0"
    tags = [RefUpdate(f"refs/tags/prompts/p{at}/1.0.0", ZERO, tip) for at in range(origin._FEW + 1)]
    forge.git("update-ref", other, forge.git("rev-parse", "HEAD^{tree}"))
    before = forge.git("show-ref")
    with pytest.raises(OriginUnreachable) as caught:
        origin.push(repository, str(forge.path), [*tags, RefUpdate(label, ZERO, tip)])
    assert "[rejected]" in caught.value.stderr
    assert forge.git("show-ref") == before
    forge.git("update-ref", "-d", other)
    origin.push(repository, str(forge.path), [*tags, RefUpdate(label, ZERO, tip)])
    assert all(forge.git("rev-parse", update.ref) == tip for update in tags)
    assert forge.git("rev-parse", label) == tip
    assert "refs/tags/prompts/p1/1.0.0" not in published.git("show-ref"), "nothing is left here"
