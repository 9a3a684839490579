# SPDX-License-Identifier: Apache-2.0
"""A clone of a forge's repository, served in place: what plain git and a webhook bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import WELCOME, Clone, Refused, Server, eventually, run

SECRET = "a secret of the forge"


@pytest.fixture
def follower(forge: Clone, tmp_path: Path) -> Iterator[Server]:
    """A sidecar that serves a clone of the forge and follows it."""
    run("git", "clone", "-q", str(forge.path), "served", cwd=tmp_path)
    server = Server(
        tmp_path / "data", "--repo", str(tmp_path / "served"), "--fetch",
        env={"GITHUB_WEBHOOK_SECRET": SECRET},
    )  # fmt: skip
    server.start()
    yield server
    server.stop()


def text(server: Server, query: str = "") -> str:
    answer = server.request(f"/v1/prompts/welcome?render=false&{query}", key=server.key())
    if answer.status_code != 200:
        return str(answer.status_code)
    content: str = answer.json()["content"]["messages"][0]["content"]
    return content


def test_a_webhook_brings_a_tag_and_a_label_of_the_forge(
    published: Clone, follower: Server, tmp_path: Path
) -> None:
    assert text(follower, "label=production") == "Hello {{name}}!"
    served = Clone(tmp_path / "served")
    assert served.git("for-each-ref", "refs/labels") == "", "it is served from what was fetched"
    head = served.git("rev-parse", "HEAD")
    published.commit("Next", welcome=WELCOME.replace("Hello", "Next"))
    published.gitprompt("publish", "welcome", "--bump", "minor", "--push")
    published.gitprompt("label", "set", "welcome", "production", "1.1.0", "--push")
    assert text(follower, "label=production") == "Hello {{name}}!"
    assert follower.pushed(SECRET) == 200
    eventually(lambda: text(follower, "label=production") == "Next {{name}}!")
    assert text(follower) == "Next {{name}}!"
    assert served.git("rev-parse", "HEAD") == head, "the branch and the work tree are the person's"


def test_a_label_that_was_fetched_is_moved_on_top(
    published: Clone, follower: Server, tmp_path: Path
) -> None:
    published.tag("welcome", "1.0.1")
    published.git("push", "-q", "origin", "prompts/welcome/1.0.1")
    assert follower.request("/v1/sync", method="POST", key=follower.key()).status_code == 200
    answer = follower.request(
        "/v1/prompts/welcome/labels/production", method="PUT", key=follower.key(),
        headers={"Content-Type": "application/json"}, content=b'{"version_tag": "1.0.1"}',
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    served = Clone(tmp_path / "served")
    chain = served.git("rev-list", "refs/labels/welcome@production").splitlines()
    assert chain[1] == served.git("rev-parse", "refs/remotes/origin/labels/welcome@production")


def test_a_forge_that_does_not_answer_stops_nothing(forge: Clone, follower: Server) -> None:
    away = forge.path.rename(forge.path.with_name("away.git"))
    answer = follower.request("/v1/sync", method="POST", key=follower.key())
    assert (answer.status_code, answer.json()["code"]) == (503, "ORIGIN_UNREACHABLE")
    assert text(follower) == "Hello {{name}}!"
    state = follower.request("/v1/sync", key=follower.key()).json()
    assert "origin: git fetch: " in state["last_error"]
    away.rename(forge.path)
    follower.request("/v1/sync", method="POST", key=follower.key())
    assert follower.request("/v1/sync", key=follower.key()).json()["last_error"] is None


def test_a_tag_that_was_moved_at_the_forge_is_not_taken(
    published: Clone, forge: Clone, follower: Server, tmp_path: Path
) -> None:
    published.commit("Other", welcome=WELCOME.replace("Hello", "Other"))
    published.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    published.git("push", "-q", "--force", "origin", "prompts/welcome/1.0.0")
    follower.request("/v1/sync", method="POST", key=follower.key())
    assert text(follower) == "Hello {{name}}!"
    state = follower.request("/v1/sync", key=follower.key()).json()
    assert state["last_error"] is None
    assert [found["ref"] for found in state["tampered"]] == ["refs/tags/prompts/welcome/1.0.0"]


def test_following_needs_a_clone(tmp_path: Path, published: Clone) -> None:
    with pytest.raises(Refused, match="--fetch is for a clone that is served with --repo"):
        Server(tmp_path / "data", "--fetch").start()
    with pytest.raises(Refused, match="A mirror is fetched anyway"):
        Server(tmp_path / "data", "--fetch", "--origin", str(published.path)).start()
    with pytest.raises(Refused, match="there is no remote"):
        Server(tmp_path / "data", "--repo", str(published.path), "--fetch").start()
