# SPDX-License-Identifier: Apache-2.0
"""What a clone and its remote know of each other: fetched, pushed, taken back, remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.errors import Conflict, GitError, NotFound, SetupError
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import remotes
from gitprompt.registry.clone import Clone as Registry
from tests.world import WELCOME, Clone, run

TAG = "refs/tags/prompts/welcome/1.0.0"
LABEL = "refs/labels/welcome@production"
TAGS_REFSPEC = "refs/tags/prompts/*:refs/tags/prompts/*"


class Pair:
    """A clone with welcome 1.0.0, and the bare repository that is its origin."""

    def __init__(self, clone: Clone, bare: Clone) -> None:
        self.clone = clone
        self.bare = bare
        self.repository = Repository.open(str(clone.path))

    @property
    def unpushed(self) -> dict[str, list[str]]:
        return remotes.unpushed(self.repository, Registry(self.repository).tags)

    def update(self, ref: str, old: str = ZERO) -> RefUpdate:
        """A move to HEAD, made here and not yet at the remote."""
        update = RefUpdate(ref, old, self.clone.git("rev-parse", "HEAD"))
        update_refs(self.repository, [update], message="test")
        return update

    def push(self, *updates: RefUpdate) -> None:
        remotes.push(self.repository, "origin", updates, undo=updates)

    def ref(self, ref: str) -> str | None:
        return self.repository.refs().get(ref)


@pytest.fixture
def pair(published: Clone, tmp_path: Path) -> Pair:
    run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "bare.git"), cwd=tmp_path)
    published.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    return Pair(published, Clone(tmp_path / "bare.git"))


@pytest.fixture
def shared(pair: Pair) -> Pair:
    """The two, in sync and set up for each other."""
    pair.clone.push_all("origin")
    assert remotes.meet(pair.repository, "origin") == ""
    return pair


# Set up


def test_a_fetch_is_set_up_once(pair: Pair) -> None:
    added = remotes.configure_fetch(pair.repository, "origin")
    assert added == [
        "+refs/tags/prompts/*:refs/gitprompt/remotes/origin/tags/prompts/*",
        "+refs/labels/*:refs/remotes/origin/labels/*",
    ]
    assert remotes.configure_fetch(pair.repository, "origin") == []


def test_a_clone_that_was_set_up_before_tags_were_remembered_is_brought_into_order(
    pair: Pair,
) -> None:
    pair.clone.git("config", "--add", "remote.origin.fetch", TAGS_REFSPEC)
    remotes.configure_fetch(pair.repository, "origin")
    specs = pair.clone.git("config", "--get-all", "remote.origin.fetch").splitlines()
    assert TAGS_REFSPEC not in specs
    assert "+refs/tags/prompts/*:refs/gitprompt/remotes/origin/tags/prompts/*" in specs


def test_a_branch_from_a_version_does_not_take_its_tag_for_an_upstream(shared: Pair) -> None:
    shared.clone.git("switch", "-q", "-c", "fix", "prompts/welcome/1.0.0")
    assert shared.clone.git("for-each-ref", "--format=%(upstream)", "refs/heads/fix") == ""


@pytest.mark.parametrize("more", [(), ("--no-tags",)])
def test_a_fetch_brings_every_kind_of_version_tag(
    shared: Pair, tmp_path: Path, more: tuple[str, ...]
) -> None:
    blob = shared.clone.git("rev-parse", "HEAD:prompts/welcome.yaml")
    shared.clone.git("tag", "-a", "-m", "x", "prompts/welcome/2.0.0", blob)
    shared.clone.git("tag", "prompts/welcome/3.0.0")
    shared.clone.git("switch", "-q", "-c", "aside")
    shared.clone.commit("Aside")
    shared.clone.tag("welcome", "4.0.0")
    run("git", "clone", "-q", *more, str(shared.bare.path), str(tmp_path / "other"), cwd=tmp_path)
    other = Clone(tmp_path / "other")
    remotes.configure_fetch(Repository.open(str(other.path)), "origin")
    shared.clone.git("push", "-q", "origin", "refs/tags/*:refs/tags/*")
    other.git("fetch", "-q")
    assert other.git("tag", "--list").split() == [f"prompts/welcome/{n}.0.0" for n in range(1, 5)]


def test_a_clone_that_meets_its_remote_learns_its_labels(pair: Pair) -> None:
    pair.clone.push_all("origin", f"HEAD:{LABEL}")
    assert remotes.meet(pair.repository, "origin") == ""
    tracked = remotes.tracking_ref("origin", LABEL)
    assert tracked == "refs/remotes/origin/labels/welcome@production"
    assert pair.clone.git("rev-parse", tracked) == pair.bare.git("rev-parse", LABEL)


def test_a_remote_that_cannot_be_reached_is_reported_and_not_raised(pair: Pair) -> None:
    pair.bare.path.rename(pair.bare.path.with_name("away"))
    assert "git fetch" in remotes.meet(pair.repository, "origin")


# What the remote has


def test_what_is_tagged_here_alone_is_unpushed_and_nobody_is_asked(shared: Pair) -> None:
    assert shared.unpushed == {}
    shared.clone.tag("welcome", "1.1.0")
    shared.bare.path.rename(shared.bare.path.with_name("away"))
    assert shared.unpushed == {"welcome": ["1.1.0"]}


def test_a_clone_that_never_asked_calls_nothing_unpushed(pair: Pair) -> None:
    assert pair.unpushed == {}
    remotes.meet(pair.repository, "origin")
    assert pair.unpushed == {"welcome": ["1.0.0"]}


def test_a_tag_that_vanished_at_the_remote_is_unpushed_once_it_was_asked(shared: Pair) -> None:
    shared.bare.git("update-ref", "-d", TAG)
    assert shared.unpushed == {}
    assert remotes.tags_there(shared.repository, "origin", ["other"]) == {}
    assert shared.unpushed == {}  # only tags of another prompt were asked for
    assert remotes.tags_there(shared.repository, "origin", ["welcome"]) == {}
    assert shared.unpushed == {"welcome": ["1.0.0"]}


def test_a_label_that_moved_here_is_unpushed_until_the_remote_has_it(shared: Pair) -> None:
    update = shared.update(LABEL)
    assert remotes.unpushed_labels(shared.repository, "refs/labels") == {("welcome", "production")}
    shared.push(update)
    assert remotes.fetch_label(shared.repository, "origin", LABEL) == update.new
    assert remotes.unpushed_labels(shared.repository, "refs/labels") == set()


def test_a_label_that_the_remote_lacks_is_none(shared: Pair) -> None:
    assert remotes.fetch_label(shared.repository, "origin", LABEL) is None


# Pushes


def test_what_somebody_else_moved_meanwhile_takes_the_move_here_back(shared: Pair) -> None:
    shared.bare.git("update-ref", LABEL, "main")
    shared.clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    update = shared.update(LABEL)
    with pytest.raises(Conflict, match=f"somebody was faster: .*{LABEL}"):
        shared.push(update)
    assert shared.ref(LABEL) is None
    assert shared.bare.git("rev-parse", LABEL) == shared.bare.git("rev-parse", "main")


def test_of_a_push_that_is_refused_in_part_nothing_arrives(shared: Pair) -> None:
    shared.bare.git("update-ref", LABEL, "main")
    shared.clone.commit("Change")
    updates = shared.update(LABEL), shared.update("refs/labels/welcome@staging")
    with pytest.raises(Conflict):
        shared.push(*updates)
    assert shared.bare.git("for-each-ref", "--format=%(refname)", "refs/labels") == LABEL
    assert [shared.ref(update.ref) for update in updates] == [None, None]


def test_a_refusal_is_told_in_the_remotes_own_words(shared: Pair) -> None:
    hook = shared.bare.path / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    update = shared.update(LABEL)
    with pytest.raises(GitError, match="the remote refused the push:\nnot on a Friday") as error:
        shared.push(update)
    assert "nothing was changed, here or there" in error.value.hint
    assert shared.ref(LABEL) is None


def test_a_remote_that_did_not_answer_leaves_what_was_made_here(shared: Pair) -> None:
    update = shared.update(LABEL)
    away = shared.bare.path.rename(shared.bare.path.with_name("away"))
    with pytest.raises(GitError) as error:
        shared.push(update)
    assert error.value.hint.startswith("What was made here stays.")
    assert shared.ref(LABEL) == update.new
    away.rename(shared.bare.path)
    shared.push(update)
    assert shared.bare.git("rev-parse", LABEL) == update.new


# Which remote


def test_a_remote_is_the_one_that_is_named_else_origin_else_the_only_one(pair: Pair) -> None:
    for name in ("backup", "mirror"):
        pair.clone.git("remote", "add", name, "/nowhere")
    assert remotes.choose_remote(pair.repository, "mirror") == "mirror"
    assert remotes.choose_remote(pair.repository) == "origin"
    with pytest.raises(NotFound, match="no remote 'upstream'") as unknown:
        remotes.choose_remote(pair.repository, "upstream")
    assert unknown.value.hint == "Remotes: backup, mirror, origin"
    pair.clone.git("remote", "remove", "origin")
    with pytest.raises(SetupError, match="there are several remotes"):
        remotes.choose_remote(pair.repository)
    pair.clone.git("remote", "remove", "backup")
    assert remotes.choose_remote(pair.repository) == "mirror"
    pair.clone.git("remote", "remove", "mirror")
    with pytest.raises(SetupError, match="there is no remote to push to"):
        remotes.choose_remote(pair.repository)
