# SPDX-License-Identifier: Apache-2.0
"""Where a label is: here, at the remote, and what counts of the two."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.cli.label_places import open_place
from gitprompt.errors import Conflict
from tests.cli.commands import Cli
from tests.world import Clone, run

REF = "refs/labels/welcome@production"


@pytest.fixture
def shared(story: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """The story, and a bare repository that has all of it."""
    run("git", "init", "-q", "--bare", "hub.git", cwd=tmp_path)
    story.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    story.push_all("origin", "refs/labels/*:refs/labels/*")
    monkeypatch.chdir(story.path)
    return story


def test_without_a_push_the_local_value_counts(shared: Clone) -> None:
    place = open_place("welcome", "production", push=False, remote=None)
    assert (place.now, place.remote, place.left) == ("1.1.0", None, None)


def test_a_new_label_has_no_value(shared: Clone) -> None:
    place = open_place("welcome", "canary", push=True, remote=None)
    assert (place.now, place.local, place.remote_tip, place.left) == (None, None, None, None)


def test_what_was_only_moved_here_is_left_to_push(shared: Clone, cli: Cli) -> None:
    assert open_place("welcome", "production", push=True, remote=None).left is None
    assert cli("label", "set", "welcome", "production", "1.0.0").code == 0
    place = open_place("welcome", "production", push=True, remote=None)
    assert place.now == "1.0.0"
    assert place.left == (REF, place.remote_tip, place.local)


def test_the_remotes_value_counts_where_it_has_gone_on(shared: Clone, cli: Cli) -> None:
    before = shared.git("rev-parse", REF)
    assert cli("label", "set", "welcome", "production", "1.0.0", "--push").code == 0
    shared.git("update-ref", REF, before)
    place = open_place("welcome", "production", push=True, remote=None)
    assert (place.now, place.local) == ("1.0.0", before)


def test_histories_that_have_parted_are_told(shared: Clone, cli: Cli) -> None:
    before = shared.git("rev-parse", REF)
    assert cli("label", "set", "welcome", "production", "1.0.0", "--push").code == 0
    shared.git("update-ref", REF, before)
    shared.git("update-ref", "-d", "refs/remotes/origin/labels/welcome@production")
    assert cli("label", "set", "welcome", "production", "1.0.0", "-m", "mine").code == 0
    with pytest.raises(Conflict, match="have parted") as raised:
        open_place("welcome", "production", push=True, remote=None)
    assert raised.value.hint.endswith(f"git update-ref -d {REF}")
