# SPDX-License-Identifier: Apache-2.0
"""What GET and POST /v1/sync tell of a workspace: counts, what is rejected and why, moved tags."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import GitError, NotFound
from gitprompt.server.api import sync
from gitprompt.server.api.sync import SyncState, state_of
from gitprompt.server.app import sidecar
from gitprompt.server.context import Context
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.endpoints import Call, actor_of
from tests.server.client import fresh
from tests.world import WELCOME, Clone

SUITE = "prompt_name: welcome\ncriteria: {min_score: 0.5}\n"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """Shared: each test has a workspace of its own."""
    settings = ServerSettings(data=str(tmp_path_factory.mktemp("sync") / "data"))
    with sidecar(settings, clock=lambda: 1_700_000_000) as running:
        yield running.context


@pytest.fixture
def space() -> str:
    return fresh("space")


@pytest.fixture
def hosted(context: Context, space: str, published: Clone) -> Clone:
    """The repository of the workspace, with welcome 1.0.0 that no sync has seen yet."""
    source = asyncio.run(context.workspaces.create(space))
    repository = Clone(Path(source.repository.git_dir))
    fetch(repository, published)
    return repository


def fetch(hosted: Clone, author: Clone) -> None:
    """Bring what plain git would, behind the server's back."""
    refspecs = ("main", "refs/tags/*", "refs/labels/*")
    specs = (f"+{spec}:{spec if '/' in spec else f'refs/heads/{spec}'}" for spec in refspecs)
    hosted.git("fetch", "-q", str(author.path), *specs)


def call(workspace: str) -> Call:
    principal = Principal(workspace, frozenset(("read", "write")), 7, "ci", True)
    actor = actor_of(principal, {"type": "http", "client": ("10.0.0.9", 1)})
    return Call(principal, actor, {}, {}, None)


def synced(context: Context, space: str) -> dict[str, Any]:
    return asyncio.run(sync.write(context, call(space)))


def test_reading_the_state_brings_nothing_up_to_date(
    context: Context, space: str, hosted: Clone
) -> None:
    before = state_of(context, space)
    assert asyncio.run(sync.read(context, call(space))) == before
    assert before["counts"]["versions"] == 0


def test_a_sync_serves_what_is_in_git_when_it_answers(
    context: Context, space: str, hosted: Clone, published: Clone
) -> None:
    published.git("update-ref", "refs/labels/welcome@live", "prompts/welcome/1.0.0^{}")
    published.write("evals/accuracy.yaml", SUITE)
    published.commit("Add a suite")
    fetch(hosted, published)
    state = synced(context, space)
    assert state["counts"] == {"prompts": 1, "versions": 1, "labels": 1, "suites": 1}
    assert (state["workspace"], state["driver"]) == (space, "filesystem")
    assert (state["last_success"], state["last_error"]) == (1_700_000_000, None)


def test_the_revision_rises_with_a_change_and_with_nothing_else(
    context: Context, space: str, hosted: Clone, published: Clone
) -> None:
    first, again = synced(context, space)["revision"], synced(context, space)["revision"]
    published.tag("welcome", "1.0.1")
    fetch(hosted, published)
    assert (again - first, synced(context, space)["revision"] - first) == (0, 1)


def test_what_is_rejected_is_told_with_its_reasons(
    context: Context, space: str, hosted: Clone, published: Clone
) -> None:
    published.commit("Break", broken="messages: 3\n")
    oid = published.tag("broken", "1.0.0")
    fetch(hosted, published)
    (rejection,) = synced(context, space)["rejected"]
    assert (rejection["ref"], rejection["oid"]) == ("refs/tags/prompts/broken/1.0.0", oid)
    finding = rejection["findings"][0]
    assert finding.keys() == {"code", "severity", "message", "hint", "path", "line", "column"}
    assert finding["path"] == "prompts/broken.yaml"
    assert "messages" in finding["message"]


def test_a_tag_that_moved_is_told_with_both_objects(
    context: Context, space: str, hosted: Clone, published: Clone
) -> None:
    pinned = published.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    synced(context, space)
    published.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    published.git("tag", "-d", "prompts/welcome/1.0.0")
    seen = published.tag("welcome", "1.0.0")
    fetch(hosted, published)
    expected = {"pinned": pinned, "seen": seen, "condition": "moved"}
    ref = "refs/tags/prompts/welcome/1.0.0"
    assert synced(context, space)["tampered"] == [{"ref": ref, **expected}]


def test_a_tag_that_vanished_is_told_and_its_version_served_on(
    context: Context, space: str, hosted: Clone
) -> None:
    synced(context, space)
    hosted.git("tag", "-d", "prompts/welcome/1.0.0")
    state = synced(context, space)
    (tampering,) = state["tampered"]
    assert (tampering["condition"], tampering["seen"]) == ("deleted", None)
    assert state["counts"]["versions"] == 1


def test_a_sync_of_what_is_no_workspace_makes_none(context: Context, space: str) -> None:
    with pytest.raises(NotFound, match=f"Workspace {space} not found") as caught:
        synced(context, space)
    assert caught.value.hint == "Its first push makes it."
    assert context.workspaces.source(space) is None


def test_the_state_of_what_is_no_workspace_is_empty(context: Context, space: str) -> None:
    state = state_of(context, space)
    assert (state["revision"], state["last_success"]) == (0, None)
    assert set(state["counts"].values()) == {0}


def test_workspaces_have_counts_of_their_own(context: Context, space: str, hosted: Clone) -> None:
    assert synced(context, space)["counts"]["versions"] == 1
    assert synced(context, "default")["counts"]["versions"] == 0


def test_a_failed_sync_is_an_error_and_stays_in_the_state(
    context: Context, space: str, hosted: Clone, tmp_path: Path
) -> None:
    synced(context, space)
    hosted.path.rename(tmp_path / "away")
    with pytest.raises(GitError, match=r"cannot be started: No such file or directory: .*/repos/"):
        synced(context, space)
    state = asyncio.run(sync.read(context, call(space)))
    assert "No such file" in state["last_error"]
    assert (state["last_success"], state["counts"]["versions"]) == (1_700_000_000, 1)


def test_a_state_is_of_the_shape_that_is_documented(
    context: Context, space: str, hosted: Clone
) -> None:
    state = msgspec.convert(synced(context, space), SyncState, strict=True)
    assert state.counts["versions"] == 1
    assert synced(context, space).keys() == set(SyncState.__struct_fields__)
