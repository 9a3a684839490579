# SPDX-License-Identifier: Apache-2.0
"""What a remote says is told as what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import WELCOME, Clone, Refused, Server, run


def test_a_key_without_the_scope_is_told_so(server: Server, published: Clone) -> None:
    published.git("remote", "add", "origin", server.remote("read", "scoped"))
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    server.request("/v1/prompts")
    with pytest.raises(Refused, match="This key lacks a scope"):
        published.gitprompt("publish", "welcome", "--push")


def test_a_branch_that_is_behind_is_named(server: Server, published: Clone, tmp_path: Path) -> None:
    remote = server.remote(workspace="behind")
    published.git("remote", "add", "origin", remote)
    published.push_all("origin")
    run("git", "clone", "-q", remote, "second", cwd=tmp_path)
    second = Clone(tmp_path / "second")
    second.commit("First", other=WELCOME)
    second.git("push", "-q", "origin", "main")
    published.commit("Late", welcome=WELCOME.replace("Hello", "Hi"))
    with pytest.raises(
        Refused,
        match=r"somebody was faster: the remote has another main(.|\n)*git pull --rebase origin main",
    ):
        published.gitprompt("publish", "welcome", "--push")
    assert published.git("tag", "-l") == "prompts/welcome/1.0.0"
