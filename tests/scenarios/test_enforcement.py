# SPDX-License-Identifier: Apache-2.0
"""Enforcement fails closed: no ref of a push moves unless the judge has agreed, whatever has become
of its hooks; and no hook learns a secret of the server's."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from gitprompt import hosting
from gitprompt.config import ServerSettings
from tests.world import Clone, Refused, Server, run


@pytest.fixture
def bare(tmp_path: Path) -> Clone:
    """A bare repository of somebody's own."""
    (tmp_path / "bare.git").mkdir()
    repository = Clone(tmp_path / "bare.git")
    repository.git("init", "-q", "--bare", "-b", "main")
    return repository


def refuse_everything(place: Path, name: str, how: str) -> None:
    """Break a hook of every composed folder in one of the ways in which hooks get lost."""
    for path in place.glob(f"*/{name}"):
        if how == "gone":
            path.unlink()
        elif how == "not executable":
            path.chmod(0o644)
        else:
            path.write_text("#!/no/such/interpreter\n")


@pytest.mark.parametrize("how", ["gone", "not executable", "broken"])
@pytest.mark.parametrize("hook", ["pre-receive", "proc-receive"])
def test_a_push_whose_hook_is_lost_moves_no_ref(
    tmp_path: Path, published: Clone, bare: Clone, hook: str, how: str
) -> None:
    """Git takes a missing pre-receive hook for consent; the server does not."""
    in_place = how == "gone"
    server = Server(tmp_path / "data", *(["--repo", str(bare.path)] if in_place else []))
    server.start()
    try:
        repository = bare if in_place else Clone(server.data / "repos" / "default.git")
        published.git("push", "-q", server.remote(), "main")  # makes the folder of hooks
        refuse_everything(server.data / "hooks", hook, how)
        before = repository.git("for-each-ref")
        said = published.refusal("push", server.remote(), "prompts/welcome/1.0.0", "HEAD:other")
        assert "rejected" in said
        assert repository.git("for-each-ref") == before
    finally:
        server.stop()


def test_the_hooks_of_pushes_are_made_once_and_not_touched_again(
    tmp_path: Path, published: Clone, bare: Clone
) -> None:
    server = Server(tmp_path / "data", "--repo", str(bare.path)).start()
    try:
        published.git("push", "-q", server.remote(), "main")
        (folder,) = (server.data / "hooks").iterdir()
        before = {path.name: path.lstat().st_ctime_ns for path in (folder, *folder.iterdir())}
        published.push_all(server.remote())
        assert list((server.data / "hooks").iterdir()) == [folder]
        after = {path.name: path.lstat().st_ctime_ns for path in (folder, *folder.iterdir())}
        assert after == before
        own = bare.path / "hooks" / "update"  # one that somebody adds runs from the next push on
        own.write_text("#!/bin/sh\necho own hook says no >&2\nexit 1\n")
        own.chmod(0o755)
        assert "own hook says no" in published.refusal("push", server.remote(), "HEAD:other")
    finally:
        server.stop()


def test_server_hooks_that_are_installed_already_judge_once(
    tmp_path: Path, published: Clone, bare: Clone
) -> None:
    bare.gitprompt("hooks", "install", "--server", "--data", str(tmp_path / "data"))
    server = Server(tmp_path / "data", "--repo", str(bare.path)).start()
    try:
        published.push_all(server.remote())
        assert server.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
        said = published.refusal("push", server.remote(), ":prompts/welcome/1.0.0")
        assert said.count("a version is never deleted") == 1
    finally:
        server.stop()


def test_no_hook_sees_a_secret(tmp_path: Path, published: Clone, bare: Clone) -> None:
    seen = tmp_path / "seen"
    own = bare.path / "hooks" / "pre-receive"
    own.write_text(f"#!/bin/sh\nenv >{seen}\n")
    own.chmod(0o755)
    names = {field.metadata["env"] for field in fields(ServerSettings) if field.metadata["secret"]}
    names |= {"GITPROMPT_API_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY"}
    names |= {"PGPASSWORD", "OTEL_EXPORTER_OTLP_HEADERS"}
    secret = "0123456789abcdef-that-nobody-else-should-see"
    env = {**dict.fromkeys(names, secret), "FAVOURITE_EDITOR": "ed"}
    env["DATABASE_URL"] = f"sqlite:{tmp_path}/{secret}.db"
    server = Server(tmp_path / "data", "--repo", str(bare.path), env=env).start()
    try:
        published.push_all(server.remote())
    finally:
        server.stop()
    assert "FAVOURITE_EDITOR=ed" in seen.read_text()
    assert secret not in seen.read_text()


def test_a_judge_that_is_gone_refuses(tmp_path: Path, published: Clone) -> None:
    """A hook that cannot reach the sidecar which started it refuses, and names what to do."""
    folder = hosting.composed_hooks(str(tmp_path / "hooks"), str(tmp_path / "none"))
    env = {"GITPROMPT_ASK": "254", "GITPROMPT_ANSWER": "255"}
    with pytest.raises(Refused, match="stopped before it had judged this push; push again"):
        run(f"{folder}/pre-receive", cwd=published.path, env=env)
    with pytest.raises(Refused, match="nobody has judged this push"):
        run(f"{folder}/proc-receive", cwd=published.path, env=env)
