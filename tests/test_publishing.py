# SPDX-License-Identifier: Apache-2.0
"""The use cases of writing, asked without HTTP, on a real repository."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import BadRequest, Conflict, Forbidden, GitpromptError, Invalid, NotFound
from gitprompt.publishing import Author, Publishing
from gitprompt.registry import refwrites
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.store.tables.audit import Actor
from tests.world import Clone

USER = [{"role": "user", "content": "Hello"}]
DOCUMENT = {"name": "a", "version": "1.0.0", "messages": USER}
WRITER = Author(Actor("default", "ci"), 7, frozenset(("read", "write")))
SUITE = {"name": "accuracy", "prompt_name": "a", "criteria": {"min_score": 0.5}}


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar(ServerSettings(data=str(tmp_path / "data"))) as running:
        yield running


@pytest.fixture
def publishing(application: Sidecar) -> Publishing:
    return application.context.publishing


@pytest.fixture
def hosted(application: Sidecar, tmp_path: Path) -> Clone:
    return Clone(tmp_path / "data" / "repos" / "default.git")


def refused(kind: type[GitpromptError], message: str, story: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(kind, match=message):
        asyncio.run(story)


def test_a_version_is_a_tag_and_a_commit_by_its_key(publishing: Publishing, hosted: Clone) -> None:
    made = asyncio.run(publishing.publish(WRITER, DOCUMENT))
    assert (made.name, made.version, made.on_branch) == ("a", "1.0.0", True)
    assert hosted.git("rev-parse", "prompts/a/1.0.0^{commit}") == made.commit
    assert (
        hosted.git("log", "-1", "--format=%an <%ae>", made.commit) == "ci <key-7@gitprompt.invalid>"
    )


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({}, Conflict, "Prompt already exists"),
        ({"version": "1"}, Conflict, "1 has the same precedence as 1.0.0"),
        ({"name": "A", "version": "2.0.0"}, Conflict, "'A' differs only in case from 'a'"),
        ({"version": None}, Invalid, "Validation failed"),
        ({"version": "v2"}, Invalid, "Validation failed"),
        ({"version": "2.0.0", "messages": 3}, Invalid, "Validation failed"),
        ({"version": "2.0.0", "messages": [{"role": "user", "content": "{{"}]}, Invalid, "Validation"),
    ],
)  # fmt: skip
def test_what_may_not_be_published_leaves_no_trace(
    publishing: Publishing, hosted: Clone, change: Any, kind: type[GitpromptError], message: str
) -> None:
    asyncio.run(publishing.publish(WRITER, DOCUMENT))
    before = hosted.git("for-each-ref")
    refused(kind, message, publishing.publish(WRITER, {**DOCUMENT, **change}))
    assert hosted.git("for-each-ref") == before


def test_a_label_is_created_once_and_then_moved(publishing: Publishing, hosted: Clone) -> None:
    async def story() -> None:
        await publishing.publish(WRITER, DOCUMENT)
        await publishing.publish(WRITER, {**DOCUMENT, "version": "1.1.0"})
        created = await publishing.create_label(WRITER, "a", "live", "1.0.0", reason="Launch")
        assert (created.version, created.previous) == ("1.0.0", None)
        with pytest.raises(Conflict, match="Label already exists"):
            await publishing.create_label(WRITER, "a", "live", None, reason="")
        with pytest.raises(Conflict, match=r"points at 1\.0\.0, not at nothing"):
            await publishing.move_label(WRITER, "a", "live", None, reason="", expected=None)
        moved = await publishing.move_label(WRITER, "a", "live", None, reason="", expected="1.0.0")
        assert (moved.version, moved.previous) == ("1.1.0", "1.0.0")
        with pytest.raises(Conflict, match="'Live' differs only in case from the label 'live'"):
            await publishing.move_label(WRITER, "a", "Live", None, reason="")
        await publishing.remove_label(WRITER, "a", "live", reason="")
        with pytest.raises(NotFound, match="Label not found"):
            await publishing.remove_label(WRITER, "a", "live", reason="")

    asyncio.run(story())
    subjects = hosted.git("log", "--format=%s", "refs/labels/a@live").splitlines()
    assert subjects == ["a: live → none", "a: live → 1.1.0", "a: live → 1.0.0"]


def test_who_expects_nothing_wins_over_a_move_that_a_sync_brings_meanwhile(
    publishing: Publishing, hosted: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_refs, others = refwrites.move_refs, [""]

    def overtaken(*args: Any, **named: Any) -> None:
        if others:
            hosted.git("update-ref", "refs/labels/a@live", others.pop())
        move_refs(*args, **named)

    async def story() -> None:
        await publishing.publish(WRITER, DOCUMENT)
        await publishing.publish(WRITER, {**DOCUMENT, "version": "1.1.0"})
        await publishing.create_label(WRITER, "a", "live", "1.0.0", reason="")
        elsewhere = hosted.git("rev-parse", "refs/labels/a@live")
        await publishing.move_label(WRITER, "a", "live", "1.1.0", reason="Another node")
        others[:] = [hosted.git("rev-parse", "refs/labels/a@live")]
        hosted.git("update-ref", "refs/labels/a@live", elsewhere)
        monkeypatch.setattr(refwrites, "move_refs", overtaken)
        moved = await publishing.move_label(WRITER, "a", "live", "1.0.0", reason="Mine")
        assert (moved.version, moved.previous, others) == ("1.0.0", "1.1.0", [])

    asyncio.run(story())
    subjects = hosted.git("log", "--format=%s", "refs/labels/a@live").splitlines()
    assert subjects == ["a: live → 1.0.0", "a: live → 1.1.0", "a: live → 1.0.0"]


def test_a_label_needs_a_version_that_is_published(publishing: Publishing) -> None:
    refused(
        NotFound, "Prompt not found", publishing.move_label(WRITER, "a", "live", None, reason="")
    )
    asyncio.run(publishing.publish(WRITER, DOCUMENT))
    refused(
        BadRequest, "Version 9.0.0 of a does not exist",
        publishing.move_label(WRITER, "a", "live", "9.0.0", reason=""),
    )  # fmt: skip
    refused(
        Invalid, "reads as a version", publishing.move_label(WRITER, "a", "1.0.0", None, reason="")
    )


def test_every_gate_is_asked(publishing: Publishing, hosted: Clone, tmp_path: Path) -> None:
    author = Clone.init(tmp_path / "author")
    author.write("gitprompt.yaml", "labels: {protected: {live: admin}}\n")
    author.commit("Protect")
    author.git("push", "-q", str(hosted.path), "main")
    asyncio.run(publishing.publish(WRITER, DOCUMENT))
    refused(
        Forbidden, "Missing required scope: admin",
        publishing.create_label(WRITER, "a", "live", None, reason=""),
    )  # fmt: skip
    admin = WRITER._replace(scopes=frozenset(("write", "admin")))
    assert (
        asyncio.run(publishing.create_label(admin, "a", "live", None, reason="")).version == "1.0.0"
    )


def test_a_suite_comes_and_goes_with_its_file(publishing: Publishing, hosted: Clone) -> None:
    async def story() -> None:
        await publishing.create_suite(WRITER, SUITE)
        for name, message in (("accuracy", "already exists"), ("Accuracy", "only in case")):
            with pytest.raises(Conflict, match=message):
                await publishing.create_suite(WRITER, {**SUITE, "name": name})
        assert "evals/accuracy.yaml" in hosted.git("ls-tree", "-r", "--name-only", "main")
        await publishing.delete_suite(WRITER, "accuracy")
        with pytest.raises(NotFound):
            await publishing.delete_suite(WRITER, "accuracy")

    asyncio.run(story())
    assert hosted.git("ls-tree", "-r", "--name-only", "main") == ""


def test_a_suite_that_is_deleted_takes_no_results_of_its_successor(
    application: Sidecar, publishing: Publishing
) -> None:
    """The number that goes is the one that was found, not whatever has its name later."""
    suites = application.context.suites

    async def story() -> None:
        await publishing.create_suite(WRITER, SUITE)
        first = await suites.find("default", "accuracy")
        await asyncio.gather(
            publishing.delete_suite(WRITER, str(first.id)), create_again_once_it_is_gone()
        )
        assert (await suites.find("default", "accuracy")).id != first.id
        assert [suite.name for suite in await suites.all("default")] == ["accuracy"]

    async def create_again_once_it_is_gone() -> None:
        while "accuracy" in application.context.index.suites("default"):
            await asyncio.sleep(0)
        await publishing.create_suite(WRITER, SUITE)
        await suites.find("default", "accuracy")

    asyncio.run(story())
