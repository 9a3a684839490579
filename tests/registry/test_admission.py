# SPDX-License-Identifier: Apache-2.0
"""What was checked is what is published: a write over HTTP is answered with 201 only for what the
sync then serves, and what is refused has taken nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import Conflict, GitError, Unavailable
from gitprompt.git import ref_updates
from gitprompt.publishing import Author, Published
from gitprompt.registry import refwrites
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.store.tables.audit import Actor
from tests.world import WELCOME, Clone, Server

USER = [{"role": "user", "content": "mine"}]


def publish(server: Server, workspace: str, name: str, **more: Any) -> httpx.Response:
    document = {"name": name, "version": "2.0.0", "messages": USER, **more}
    return post(server, workspace, "/v1/prompts", document)


def post(server: Server, workspace: str, path: str, body: Any) -> httpx.Response:
    key = server.key(workspace=workspace)
    headers = {"X-Workspace-Id": workspace, "Content-Type": "application/json"}
    return server.request(
        path, method="POST", key=key, headers=headers, content=json.dumps(body).encode()
    )


def read(server: Server, workspace: str, path: str) -> httpx.Response:
    headers = {"X-Workspace-Id": workspace}
    return server.request(path, key=server.key(workspace=workspace), headers=headers)


def tags(server: Server, workspace: str) -> str:
    repository = server.data / "repos" / f"{workspace}.git"
    return Clone(repository).git("for-each-ref", "--format=%(refname)", "refs/tags")


@pytest.fixture
def branch(clone: Clone) -> Clone:
    clone.commit("Add welcome", welcome=WELCOME)
    return clone


def test_a_document_that_is_too_large_as_it_is_written_is_refused(server: Server) -> None:
    # 0.9 MB as it was sent; more than 1 MiB with a line for each value
    refused = publish(server, "large", "big", metadata={"a": [str(i) for i in range(90_000)]})
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_FAILED")
    assert "bytes" in refused.json()["details"]["fields"][0]
    assert tags(server, "large") == ""
    assert publish(server, "large", "big").status_code == 201  # the version was not taken


def test_the_repository_may_make_a_warning_an_error(server: Server, branch: Clone) -> None:
    branch.write("gitprompt.yaml", "checks:\n  unused-variable: error\n")
    branch.commit("Be strict")
    branch.git("push", server.remote(workspace="strict"), "main")
    refused = publish(server, "strict", "a", variables={"a": {"type": "string"}})
    assert refused.status_code == 422
    assert tags(server, "strict") == ""


def test_the_repository_may_make_an_error_a_warning(server: Server, branch: Clone) -> None:
    branch.write("gitprompt.yaml", "checks:\n  undeclared-variable: warning\n")
    branch.commit("Be lax")
    branch.git("push", server.remote(workspace="lax"), "main")
    messages = [{"role": "user", "content": "{{x}}"}]
    assert publish(server, "lax", "a", messages=messages, variables={}).status_code == 201
    assert read(server, "lax", "/v1/prompts/a?version=2.0.0&render=false").status_code == 200


def test_a_file_of_that_version_on_the_branch_is_not_published_in_its_place(
    server: Server, branch: Clone
) -> None:
    planted = {"messages": [{"role": "user", "content": "PLANTED"}]}
    branch.write("prompts/planted/2.0.0.json", json.dumps(planted))
    branch.commit("Plant")
    branch.git("push", server.remote(workspace="planted"), "main")
    refused = publish(server, "planted", "planted")
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert "prompts/planted/2.0.0.json" in refused.json()["error"]
    assert tags(server, "planted") == ""
    assert publish(server, "planted", "planted", **planted).status_code == 201  # the same text


def test_a_suite_that_a_file_on_the_branch_shuts_out_is_not_created(
    server: Server, branch: Clone
) -> None:
    branch.git("push", server.remote(workspace="suites"), "main")
    branch.write("evals/Tone.yaml", "name: Tone\n")  # not valid: it names no prompt
    branch.commit("Add a suite")
    branch.git("push", server.remote(workspace="suites"), "main:side")
    hosted = Clone(server.data / "repos" / "suites.git")
    hosted.git("update-ref", "refs/heads/main", "refs/heads/side")  # plain git, no hook
    suite = {"name": "tone", "prompt_name": "welcome"}
    refused = post(server, "suites", "/v1/evaluations", suite)
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_FAILED")
    assert hosted.git("rev-parse", "main") == hosted.git("rev-parse", "side")


@contextmanager
def in_place(tmp_path: Path, repository: Clone) -> Iterator[Server]:
    """A server that looks at the repository only when it is asked to."""
    server = Server(tmp_path / "data", "--repo", str(repository.path), "--poll-seconds", "3600")
    try:
        yield server.start()
    finally:
        server.stop()


def test_a_policy_holds_from_the_commit_on_that_makes_it(tmp_path: Path, published: Clone) -> None:
    with in_place(tmp_path, published) as server:
        published.write("gitprompt.yaml", "labels:\n  protected:\n    production: admin\n")
        published.commit("Protect production")
        key = server.key("read,write")
        body = json.dumps({"version_tag": "1.0.0"}).encode()
        path = "/v1/prompts/welcome/labels/production"
        headers = {"Content-Type": "application/json"}
        refused = server.request(path, method="PUT", key=key, headers=headers, content=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
        assert published.git("for-each-ref", "refs/labels") == ""


def test_the_only_branch_has_the_policy_whatever_head_says(tmp_path: Path) -> None:
    """A publish must not make a second branch, and with it a repository without a policy."""
    bare = Clone(tmp_path / "bare.git")
    bare.path.mkdir()
    bare.git("init", "-q", "--bare", "-b", "main")
    author = Clone.init(tmp_path / "author")
    author.write("gitprompt.yaml", "checks:\n  unused-variable: error\n")
    author.commit("Be strict")
    author.git("push", "-q", str(bare.path), "main:trunk")
    with in_place(tmp_path, bare) as server:
        strict = publish(server, "default", "a", variables={"a": {"type": "string"}})
        assert strict.status_code == 422
        assert publish(server, "default", "a").status_code == 201
        assert bare.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/trunk"


# What fails on the way, in this process


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar(ServerSettings(data=str(tmp_path / "data"))) as running:
        yield running


async def publish_here(application: Sidecar) -> Published:
    document = {"name": "a", "version": "1.0.0", "messages": USER}
    by = Author(Actor("default", "key", None), 1, frozenset(("write",)))
    return await application.context.publishing.publish(by, document)


def test_a_sync_that_loses_a_race_once_is_tried_again(
    application: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = application.context.workspaces
    reconcile = workspaces.reconcile
    calls: list[str] = []

    async def fails_once_after_the_refs_have_moved(workspace: str) -> Any:
        calls.append(workspace)
        if len(calls) == 2:
            raise Conflict("refs/gitprompt/pins was changed meanwhile")
        return await reconcile(workspace)

    monkeypatch.setattr(workspaces, "reconcile", fails_once_after_the_refs_have_moved)
    assert asyncio.run(publish_here(application)).on_branch
    assert application.context.index.version("default", "a", "1.0.0") is not None


def test_a_sync_that_goes_on_failing_is_not_told_as_a_version_that_exists(
    application: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = application.context.workspaces
    reconcile = workspaces.reconcile
    calls: list[str] = []

    async def fails_after_the_refs_have_moved(workspace: str) -> Any:
        calls.append(workspace)
        if len(calls) > 1:
            raise GitError("git died")
        return await reconcile(workspace)

    monkeypatch.setattr(workspaces, "reconcile", fails_after_the_refs_have_moved)
    with pytest.raises(Unavailable, match=r"prompts/a/1\.0\.0 is written, but it is not served"):
        asyncio.run(publish_here(application))
    monkeypatch.undo()
    asyncio.run(workspaces.reconcile("default"))
    assert application.context.index.version("default", "a", "1.0.0") is not None


def test_a_git_that_fails_after_it_has_moved_the_refs_has_published(
    application: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moves_and_fails(*args: Any, **options: Any) -> None:
        ref_updates.update_refs(*args, **options)
        raise GitError("git update-ref: killed")

    monkeypatch.setattr(refwrites, "update_refs", moves_and_fails)
    assert asyncio.run(publish_here(application)).on_branch


def test_a_branch_that_moves_between_check_and_publication_is_looked_at_again(
    application: Sidecar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings under which a document was checked hold when its tag appears."""
    hosted = Clone(tmp_path / "data" / "repos" / "default.git")
    author = Clone.init(tmp_path / "author")
    author.commit("Start", a=WELCOME)
    author.git("push", "-q", str(hosted.path), "main")
    moved: list[str] = []

    def somebody_is_faster(*args: Any, **options: Any) -> None:
        if not moved:
            author.write("gitprompt.yaml", "checks:\n  size: 'off'\n")
            moved.append(author.commit("Meanwhile"))
            author.git("push", "-q", str(hosted.path), "main")
        ref_updates.update_refs(*args, **options)

    monkeypatch.setattr(refwrites, "update_refs", somebody_is_faster)
    made = asyncio.run(publish_here(application))
    assert not made.on_branch  # its file says something else
    assert hosted.git("rev-parse", "main") == moved[0]
