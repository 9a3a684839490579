# SPDX-License-Identifier: Apache-2.0
"""What a label's ref may hold: the rule itself, on real commits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitprompt.core.labels import MoveRecord, move_message
from gitprompt.core.publication import Version
from gitprompt.git.objects import EMPTY_TREE
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import moves
from gitprompt.registry.versions import Loaded, load_versions
from tests.world import WELCOME, Clone

LABEL = "refs/labels/welcome@production"


class Labels:
    """A repository with welcome 1.0.0 and 1.1.0, and commits of moves made by hand."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.repository = Repository.open(str(clone.path))
        self.reader = self.repository.reader()
        refs = [(ref, oid) for ref, oid in self.repository.refs().items() if "/tags/" in ref]
        self.versions: list[Version] = [
            item.version
            for item in load_versions(self.reader, refs, {})
            if isinstance(item, Loaded)
        ]

    def commit(
        self, version: str | None, previous: str | None, *, tree: str = "", on: str = ""
    ) -> str:
        tree = tree or (f"prompts/welcome/{version}^{{tree}}" if version else EMPTY_TREE)
        message = move_message(MoveRecord("welcome", "production", version, previous))
        parent = ("-p", on) if on else ()
        return self.clone.git(
            "commit-tree", self.clone.git("rev-parse", tree), *parent, "-m", message
        )

    def pushed(self, new: str, old: str = ZERO) -> str:
        update = RefUpdate(LABEL, old, new)
        return moves.push_problem(
            self.repository, self.reader, update, "welcome", "production", self.versions
        )[0]

    def tip(self, oid: str) -> str:
        commit = moves.commit_at(self.reader, oid)
        assert commit is not None
        return moves.tip_problem(self.reader, commit, "welcome", "production", self.versions)

    def version_at(self, oid: str) -> str | None:
        return moves.version_at(self.reader, oid, "welcome", "production", self.versions)


@pytest.fixture
def labels(published: Clone) -> Iterator[Labels]:
    published.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    made = Labels(published)
    yield made
    made.reader.close()


def test_a_chain_of_moves_is_good_at_its_tip_and_as_a_push(labels: Labels) -> None:
    first = labels.commit("1.0.0", None)
    second = labels.commit("1.1.0", "1.0.0", on=first)
    removed = labels.commit(None, "1.1.0", on=second)
    for oid, version in ((first, "1.0.0"), (second, "1.1.0"), (removed, None)):
        assert labels.tip(oid) == labels.pushed(oid) == ""
        assert labels.version_at(oid) == version
    assert labels.pushed(removed, old=first) == ""


def test_what_a_move_says_must_be_in_its_tree(labels: Labels) -> None:
    wrong = labels.commit("1.0.0", None, tree="prompts/welcome/1.1.0^{tree}")
    full = labels.commit(None, "1.0.0", tree="prompts/welcome/1.1.0^{tree}")
    unpublished = labels.commit("9.0.0", None, tree="prompts/welcome/1.1.0^{tree}")
    for oid, problem in (
        (wrong, "does not have the document of welcome 1.0.0"),
        (unpublished, "welcome 9.0.0 is not published"),
    ):
        assert problem in labels.tip(oid)
        assert problem in labels.pushed(oid)
    assert labels.pushed(full) == "a removal must have an empty tree"
    assert labels.tip(full) == ""  # one that came another way is a removal all the same


def test_a_push_continues_what_is_there(labels: Labels) -> None:
    first = labels.commit("1.0.0", None)
    beside = labels.commit("1.1.0", None)
    assert "does not descend from the old one" in labels.pushed(beside, old=first)
    lying = labels.commit("1.1.0", "0.9.0", on=first)
    assert labels.pushed(lying) == "the move says that it comes from 0.9.0, not 1.0.0"
    assert labels.tip(lying) == ""  # what is served is what its tip says


def test_a_bare_pointer_goes_forward_until_the_first_move(labels: Labels) -> None:
    old = labels.clone.git("rev-parse", "prompts/welcome/1.0.0^{}")
    new = labels.clone.git("rev-parse", "prompts/welcome/1.1.0^{}")
    assert labels.pushed(old) == labels.pushed(new, old=old) == ""
    assert labels.version_at(new) == "1.1.0"
    assert "a label never goes back" in labels.pushed(old, old=new)
    assert "has a history" in labels.pushed(new, old=labels.commit("1.0.0", None))
    untagged = labels.clone.commit("Untagged")
    assert labels.tip(untagged).startswith("no version of welcome is published at commit")
    assert labels.version_at(untagged) is None


def test_a_label_points_at_a_commit(labels: Labels) -> None:
    blob = labels.clone.git("rev-parse", "HEAD:prompts/welcome.yaml")
    assert labels.pushed(blob) == moves.NO_COMMIT
    assert labels.version_at(blob) is None


def test_a_push_of_too_many_moves_is_sent_in_parts(
    labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "MAX_MOVES", 2)
    tip = labels.commit("1.0.0", None)
    for previous, version in (("1.0.0", "1.1.0"), ("1.1.0", "1.0.0")):
        tip = labels.commit(version, previous, on=tip)
    assert labels.pushed(tip) == "more than 2 moves in one push"
