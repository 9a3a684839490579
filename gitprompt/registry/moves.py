# SPDX-License-Identifier: Apache-2.0
"""What a label's ref may hold: commits that each record one move, or at first a bare pointer.

A move records a published version and has its document in its tree; of a removal that is pushed the
tree is empty. A bare pointer stands at the commit of a published version, and lasts until the first move.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.core.labels import MoveRecord, parse_move
from gitprompt.core.publication import Version
from gitprompt.core.versions import newest
from gitprompt.git.objects import EMPTY_TREE, Commit, Object, ObjectReader, parse_commit
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.versions import blob_of_move, blobs_of, fragments_of_move

MAX_MOVES = 10_000  # that one push may bring to one label
NO_COMMIT = "a label points at a commit, and this object is not one"


def commit_at(reader: ObjectReader, oid: str) -> Object | None:
    """The commit that `oid` is, or that a tag of that object peels to."""
    item = reader.get(f"{oid}^{{commit}}")
    return item if item is not None and item.kind == "commit" else None


def recorded(commit: Commit, name: str, label: str) -> MoveRecord | None:
    """The move of this label that a commit records; None for any other commit, which as the value
    of a label is a bare pointer."""
    move = parse_move(commit.message)
    return move if move is not None and (move.name, move.label) == (name, label) else None


def bare_version(oid: str, published: Sequence[Version]) -> str | None:
    """A bare pointer names the highest version whose tag peels to its commit."""
    return newest(version.version for version in published if version.commit == oid)


def version_at(
    reader: ObjectReader, oid: str, name: str, label: str, published: Sequence[Version]
) -> str | None:
    """The version that a label with this value names; None if it names none."""
    at = commit_at(reader, oid)
    if at is None:
        return None
    move = recorded(parse_commit(at.data), name, label)
    return bare_version(at.oid, published) if move is None else move.version


def tip_problem(
    reader: ObjectReader, tip: Object, name: str, label: str, published: Sequence[Version]
) -> str:
    """Why the value of a label is nothing that can be served, or ""."""
    commit = parse_commit(tip.data)
    move = recorded(commit, name, label)
    if move is None:
        return _bare_problem(tip, name, published)
    return _move_problem(reader, tip, move, published)


def _bare_problem(tip: Object, name: str, published: Sequence[Version]) -> str:
    if bare_version(tip.oid, published) is None:
        return f"no version of {name} is published at commit {tip.oid[:10]}"
    return ""


_UNPUBLISHED = " is not published"


def _move_problem(
    reader: ObjectReader, at: Object, move: MoveRecord, published: Sequence[Version]
) -> str:
    if move.version is None:
        return ""
    version = next(
        (candidate for candidate in published if candidate.version == move.version), None
    )
    if version is None:
        return f"{move.name} {move.version}{_UNPUBLISHED}"
    if blob_of_move(reader, at.oid, move.name) != version.blob or not _has_fragments(
        reader, at.oid, version
    ):
        return (
            f"the tree of the move does not have the document of {move.name} {move.version};"
            " gitprompt makes such commits, people do not"
        )
    return ""


def _has_fragments(reader: ObjectReader, commit: str, version: Version) -> bool:
    """Whether the tree of a move keeps what the version's document includes."""
    if not version.fragments:
        return True
    return blobs_of(fragments_of_move(reader, commit), version.fragment_blobs) == version.fragments


def push_problem(
    repository: Repository,
    reader: ObjectReader,
    update: RefUpdate,
    name: str,
    label: str,
    published: Sequence[Version],
) -> tuple[str, str]:
    """Why a push may not set a label's ref like this, and a hint; or two empty texts.

    Walks from the new value to the old one: every step must be a move of this label.
    """
    by_hand = f"Move it with: gitprompt label set {name} {label} VERSION --push"
    old = commit_at(reader, update.old) if update.old != ZERO else None
    at = commit_at(reader, update.new)
    if at is None:
        return NO_COMMIT, by_hand
    for _ in range(MAX_MOVES):
        if old is not None and at.oid == old.oid:
            return "", ""
        commit = parse_commit(at.data)
        move = recorded(commit, name, label)
        if move is None:
            return _pointer_problem(repository, at, old, name, label, published)
        below = commit_at(reader, commit.parents[0]) if commit.parents else None
        problem = _step_problem(commit, move, below) or _move_problem(reader, at, move, published)
        if problem.endswith(_UNPUBLISHED):
            first = f"Publish it there first: gitprompt publish {name} --push"
            return problem, f"{first}; then: {by_hand}"
        if problem:
            return problem, by_hand
        if below is None:
            break
        at = below
    else:
        return f"more than {MAX_MOVES} moves in one push", "Push them in parts."
    if old is not None and at.oid != old.oid:
        return (
            "the new value does not descend from the old one: somebody else moved the label",
            f"Fetch, then move it on top: gitprompt label set {name} {label} VERSION --push",
        )
    return "", ""


def _step_problem(commit: Commit, move: MoveRecord, below: Object | None) -> str:
    """What a push must keep to in addition: a move comes from where the label was, and a removal has
    nothing in its tree."""
    if move.version is None and commit.tree != EMPTY_TREE:
        return "a removal must have an empty tree"
    before = recorded(parse_commit(below.data), move.name, move.label) if below else None
    if before is not None and before.version != move.previous:
        return f"the move says that it comes from {move.previous}, not {before.version}"
    return ""


def _pointer_problem(
    repository: Repository,
    at: Object,
    old: Object | None,
    name: str,
    label: str,
    published: Sequence[Version],
) -> tuple[str, str]:
    """A bare pointer may create a label, or move one forward that has no move yet."""
    by_hand = f"Move it with: gitprompt label set {name} {label} VERSION --push"
    if old is not None:
        if recorded(parse_commit(old.data), name, label) is not None:
            return "the label has a history, and this value does not continue it", by_hand
        if not repository.descends(at.oid, old.oid):
            return (
                "the new value does not descend from the old one: a label never goes back",
                f"A rollback is one more move: gitprompt label rollback {name} {label} --push",
            )
    problem = _bare_problem(at, name, published)
    return (problem, by_hand) if problem else ("", "")
