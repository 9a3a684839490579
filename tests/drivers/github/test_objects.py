# SPDX-License-Identifier: Apache-2.0
"""Writes by the API: the same objects and refs as by a push, all of them or none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers import Driver
from gitprompt.drivers.claims import Stale
from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.drivers.three_nodes import document, send, survive
from tests.github import FakeGithub
from tests.world import Clone, Server, empty_repository, run

LABEL = "refs/labels/welcome@staging"
TAG = "refs/tags/prompts/welcome/1.0.0"


def environment(github: FakeGithub, writes: str = "api") -> dict[str, str]:
    return {
        "DRIVER": "github", "GITHUB_REPO": "acme/forge", "GITHUB_API_URL": github.api_url,
        "GITHUB_TOKEN": github.token, "GITHUB_WRITES": writes, "GITHUB_SYNC_INTERVAL_MS": "1000",
    }  # fmt: skip


@pytest.fixture
def driver(github: FakeGithub) -> Driver:
    github.may_push = False
    return drivers.make(server_settings({}, environment(github)))


@pytest.fixture
def local(driver: Driver, tmp_path: Path) -> Repository:
    found = empty_repository(tmp_path / "local.git")
    driver.claim("default", found)
    driver.fetch("default", found)
    return found


def tree_of(local: Repository, listing: str) -> str:
    return local.git("mktree", stdin=listing.encode()).decode().strip()


def made(local: Repository, path: str, *, parent: bool = True, binary: bool = False) -> str:
    """An annotated tag of a commit with a file in a folder."""
    data = bytes(range(256)) if binary else "Grüße\n".encode()
    blob = local.git("hash-object", "-w", "--stdin", stdin=data).decode().strip()
    listing = f"100644 blob {blob}\t{path}"
    for folder in ("prompts", "top"):
        listing = f"040000 tree {tree_of(local, listing)}\t{folder}"
    top = tree_of(local, listing)
    tip = local.refs().get("refs/heads/main")
    parents = ["-p", tip] if parent and tip else []
    env = {"GIT_AUTHOR_DATE": "1700000000 +0530", "GIT_COMMITTER_DATE": "1700000100 +0000"}
    commit = run("git", "commit-tree", "-m", "Ä message\n\nwith a body", *parents, top,
                 cwd=local.git_dir, env=env).strip()  # fmt: skip
    run("git", "tag", "-f", "-m", "x", "scratch", commit, cwd=local.git_dir)
    return run("git", "rev-parse", "refs/tags/scratch", cwd=local.git_dir).strip()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("parent", [False, True])
def test_objects_and_refs_are_there_as_here(
    driver: Driver, local: Repository, forge: Clone, parent: bool, binary: bool
) -> None:
    tag = made(local, "a.yaml", parent=parent, binary=binary)
    ref = "refs/tags/prompts/a/1.0.0"
    driver.push("default", local, [RefUpdate(ref, ZERO, tag), RefUpdate(LABEL, ZERO, tag)])
    assert (forge.git("rev-parse", ref), forge.git("rev-parse", LABEL)) == (tag, tag)
    run("git", "fsck", "--strict", cwd=forge.path)


def test_a_large_blob_and_a_tree_in_two_places(
    driver: Driver, local: Repository, forge: Clone
) -> None:
    large = local.git("hash-object", "-w", "--stdin", stdin=b"x" * 1_200_000).decode().strip()
    shared = tree_of(local, f"100644 blob {large}\tlarge.txt")
    commits: list[str] = []
    for path in ("d/s", "a"):
        tree = shared
        for name in reversed(path.split("/")):
            tree = tree_of(local, f"040000 tree {tree}\t{name}")
        parents = ["-p", commits[-1]] if commits else []
        made = run("git", "commit-tree", "-m", "x", *parents, tree, cwd=local.git_dir).strip()
        commits.append(made)
    driver.push("default", local, [RefUpdate(LABEL, ZERO, commits[-1])])
    assert forge.git("rev-parse", LABEL) == commits[-1]
    run("git", "fsck", "--strict", cwd=forge.path)


@pytest.mark.parametrize(
    "data",
    [
        b"tree %b\nauthor \xe4 <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n",
        b"tree %b\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n\xe4\n",
        b"tree %b\nauthor A <a@b> 1 +0099\ncommitter A <a@b> 1 +0000\n\nx\n",
        b"tree %b\nauthor A <a@b> 999999999999 +0000\ncommitter A <a@b> 1 +0000\n\nx\n",
    ],
)
def test_what_the_api_cannot_make_is_told(
    driver: Driver, local: Repository, forge: Clone, data: bytes
) -> None:
    before = forge.git("show-ref")
    made = local.git(
        "hash-object", "--literally", "-t", "commit", "-w", "--stdin",
        stdin=data % tree_of(local, "").encode(),
    ).decode().strip()  # fmt: skip
    with pytest.raises(OriginUnreachable) as caught:
        driver.push("default", local, [RefUpdate(LABEL, ZERO, made)])
    assert "GITHUB_WRITES=push" in caught.value.hint
    assert forge.git("show-ref") == before


def test_a_label_moves_and_goes(driver: Driver, local: Repository, forge: Clone) -> None:
    first, second = made(local, "a"), made(local, "b")
    for update in (
        RefUpdate(LABEL, ZERO, first), RefUpdate(LABEL, first, second), RefUpdate(LABEL, second, ZERO)
    ):  # fmt: skip
        driver.push("default", local, [update])
        update_refs(local, [update], message="test")
    assert LABEL not in forge.git("show-ref")


def test_a_race_that_is_lost_is_stale_and_nothing_is_moved(
    driver: Driver, local: Repository, forge: Clone
) -> None:
    tag = made(local, "a")
    forge.git("update-ref", LABEL, forge.git("rev-parse", TAG))
    before = forge.git("show-ref")
    with pytest.raises(Stale):
        driver.push(
            "default", local, [RefUpdate("refs/labels/a@x", ZERO, tag), RefUpdate(LABEL, ZERO, tag)]
        )
    assert forge.git("show-ref") == before


def test_what_a_rule_forbids_is_told_in_its_words(
    driver: Driver, local: Repository, github: FakeGithub, forge: Clone
) -> None:
    github.rulesets.append({})
    old = forge.git("rev-parse", TAG)
    with pytest.raises(Conflict, match="Repository rule violations found") as caught:
        driver.push("default", local, [RefUpdate(TAG, old, made(local, "a"))])
    assert not isinstance(caught.value, Stale)
    assert forge.git("rev-parse", TAG) == old


def test_an_answer_that_is_lost_is_found_out(
    driver: Driver, local: Repository, github: FakeGithub, forge: Clone
) -> None:
    github.fate = "lose"
    tag = made(local, "a")
    driver.push("default", local, [RefUpdate(LABEL, ZERO, tag)])
    assert forge.git("rev-parse", LABEL) == tag


def test_an_object_that_is_another_one_there_moves_nothing(
    driver: Driver, local: Repository, github: FakeGithub, forge: Clone
) -> None:
    github.another_tag = True
    before = forge.git("show-ref")
    with pytest.raises(OriginUnreachable, match="GitHub made another tag than ours") as caught:
        driver.push("default", local, [RefUpdate(LABEL, ZERO, made(local, "a"))])
    assert "GITHUB_WRITES=push" in caught.value.hint
    assert forge.git("show-ref") == before


def test_a_token_that_may_not_push_uses_the_api_by_itself(
    github: FakeGithub, tmp_path: Path, forge: Clone
) -> None:
    github.may_push = False
    driver = drivers.make(server_settings({}, environment(github, "auto")))
    local = empty_repository(tmp_path / "local.git")
    driver.fetch("default", local)
    tag = made(local, "a")
    driver.push("default", local, [RefUpdate(LABEL, ZERO, tag)])
    assert forge.git("rev-parse", LABEL) == tag
    only = drivers.make(server_settings({}, environment(github, "push")))
    with pytest.raises(OriginUnreachable, match="403"):
        only.push("default", local, [RefUpdate("refs/labels/b@x", ZERO, tag)])


def test_a_node_without_the_library_is_told_what_it_lacks(
    driver: Driver, local: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "github", None)
    with pytest.raises(OriginUnreachable, match="needs PyGithub") as caught:
        driver.push("default", local, [RefUpdate(LABEL, ZERO, made(local, "a"))])
    assert "gitprompt-registry[github]" in caught.value.hint


def test_a_token_that_may_not_write_at_all_is_told(
    driver: Driver, local: Repository, github: FakeGithub
) -> None:
    github.may_write = False
    with pytest.raises(OriginUnreachable, match="403 Resource not accessible") as caught:
        driver.push("default", local, [RefUpdate(LABEL, ZERO, made(local, "a"))])
    assert "Contents" in caught.value.hint


@pytest.mark.stores
def test_three_nodes_publish_race_die_and_are_replaced(github: FakeGithub, tmp_path: Path) -> None:
    github.may_push = False
    env = environment(github)
    survive([Server(tmp_path / f"node{at}", env=env) for at in range(3)])


def test_a_server_publishes_by_the_api_what_others_can_fetch(
    github: FakeGithub, tmp_path: Path, forge: Clone
) -> None:
    github.may_push = False
    server = Server(tmp_path / "data", env=environment(github)).start()
    try:
        assert send(server, "POST", "/v1/prompts", document("fresh"), "default").status_code == 201
        assert github.token not in server.logged()
    finally:
        server.stop()
    assert "prompts/fresh/1.0.0" in forge.git("tag")
    run("git", "fsck", "--strict", cwd=forge.path)
