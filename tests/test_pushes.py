# SPDX-License-Identifier: Apache-2.0
"""A push through a server that mirrors an origin: the origin has it before the server's refs move,
and what the origin does not take goes in nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import WELCOME, Clone, Server, run


@pytest.fixture
def origin(tmp_path: Path) -> Clone:
    run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin.git"), cwd=tmp_path)
    return Clone(tmp_path / "origin.git")


@pytest.fixture
def mirror(tmp_path: Path, origin: Clone) -> Iterator[Server]:
    env = {"GITPROMPT_ORIGIN": str(origin.path)}
    # A poll between a change of the origin and a push would tell the client what only the origin should know.
    server = Server(tmp_path / "mirror", "--poll-seconds", "3600", env=env).start()
    yield server
    server.stop()


@pytest.fixture
def author(tmp_path: Path, mirror: Server) -> Clone:
    clone = Clone.init(tmp_path / "author")
    clone.git("remote", "add", "origin", mirror.remote())
    clone.commit("Start", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    return clone


def refs(repository: Clone) -> dict[str, str]:
    lines = repository.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    ours = ("refs/heads/", "refs/tags/")
    return dict(line.split() for line in lines if line.startswith(ours))


def test_a_push_is_at_the_origin_when_it_is_served(
    mirror: Server, author: Clone, origin: Clone
) -> None:
    author.push_all("origin")
    assert refs(origin) == refs(author)
    origin.git("fsck", "--strict")
    assert mirror.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"


def test_a_push_that_the_origin_refuses_moves_no_ref(
    mirror: Server, author: Clone, origin: Clone, tmp_path: Path
) -> None:
    author.push_all("origin")
    other = Clone.init(tmp_path / "other")
    other.commit("Unrelated", else_=WELCOME)
    other.git("push", "-q", "--force", str(origin.path), "main")
    author.commit("Next", welcome=WELCOME.replace("Hello", "Hi"))
    author.tag("welcome", "1.1.0")
    said = author.refusal("push", "origin", "main", "prompts/welcome/1.1.0")
    assert f"{origin.path} refused it" in said
    assert "refs/tags/prompts/welcome/1.1.0" not in refs(origin)
    hosted = Clone(mirror.data / "repos" / "default.git")
    assert "refs/tags/prompts/welcome/1.1.0" not in refs(hosted)
    assert mirror.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"


def test_what_the_judge_refuses_never_reaches_the_origin(author: Clone, origin: Clone) -> None:
    author.commit("Broken", broken="messages: 3\n")
    author.tag("broken", "1.0.0")
    assert "broken" in author.refusal("push", "origin", "prompts/broken/1.0.0")
    assert refs(origin) == {}


def test_a_write_over_http_is_at_the_origin_too(mirror: Server, origin: Clone) -> None:
    document = b'{"name": "a", "version": "1.0.0", "messages": [{"role": "user", "content": "x"}]}'
    answer = mirror.request(
        "/v1/prompts", method="POST", content=document,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    assert "refs/tags/prompts/a/1.0.0" in refs(origin)
