# SPDX-License-Identifier: Apache-2.0
"""Thousands of refs to a really listening server; what it refuses is told in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git.ref_updates import push_many
from gitprompt.git.repository import Repository
from tests.server.client import fresh
from tests.world import WELCOME, Clone, Server, run


def push(
    clone: Clone, server: Server, workspace: str, *refs: str, password: str = "", url: str = ""
) -> None:
    push_many(
        Repository.open(str(clone.path)), url or f"{server.url}/git/{workspace}.git", refs, user="x",
        password=password or server.key(workspace=workspace), is_here=True,
    )  # fmt: skip


def test_many_refs_are_there_after_one_push(server: Server, clone: Clone) -> None:
    workspace = fresh("many")
    clone.commit("Add", welcome=WELCOME)
    tags = [f"refs/tags/prompts/welcome/1.{at}.0" for at in range(120)]
    for tag in tags:
        clone.tag("welcome", tag.rpartition("/")[2])
    push(clone, server, workspace, "refs/heads/main", *tags)
    there = run("git", "ls-remote", server.remote(workspace=workspace), cwd=clone.path).splitlines()
    assert {line.split("\t")[1] for line in there} >= {"refs/heads/main", *tags}


def test_what_is_refused_is_told_and_none_of_it_is_there(server: Server, clone: Clone) -> None:
    workspace = fresh("refused")
    clone.commit("Add", welcome=WELCOME, bad="messages: 7")
    for name in ("welcome", "bad"):
        clone.tag(name, "1.0.0")
    with pytest.raises(Conflict) as caught:
        push(
            clone,
            server,
            workspace,
            "refs/heads/main",
            "refs/tags/prompts/welcome/1.0.0",
            "refs/tags/prompts/bad/1.0.0",
        )
    assert "prompts/bad" in caught.value.hint
    assert "Resolving" not in caught.value.hint
    assert "prompts/welcome" not in run(
        "git", "ls-remote", server.remote(workspace=workspace), cwd=clone.path
    )


def test_a_history_that_went_on_is_not_put_back(
    server: Server, clone: Clone, tmp_path: Path
) -> None:
    workspace = fresh("forward")
    clone.commit("Add", welcome=WELCOME)
    push(clone, server, workspace, "refs/heads/main")
    run("git", "clone", "-q", server.remote(workspace=workspace), "other", cwd=tmp_path)
    other = Clone(tmp_path / "other")
    other.commit("Theirs", other=WELCOME)
    other.git("push", "-q", "origin", "HEAD:main")
    clone.commit("Mine", mine=WELCOME)
    with pytest.raises((Conflict, OriginUnreachable)):
        push(clone, server, workspace, "refs/heads/main")


def test_a_wrong_password_or_nobody_there_is_told_without_it(server: Server, clone: Clone) -> None:
    clone.commit("Add", welcome=WELCOME)
    for url in ("", "http://127.0.0.1:1/git/default.git"):
        with pytest.raises(OriginUnreachable) as caught:
            push(clone, server, "default", "refs/heads/main", password="pm_wrong", url=url)
        assert "pm_wrong" not in caught.value.message
