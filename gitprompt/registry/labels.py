# SPDX-License-Identifier: Apache-2.0
"""Reads labels: the ref of each is a chain of commits, one for each move, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gitprompt.core.labels import split_label_ref
from gitprompt.core.publication import LabelHistory, LabelMove, Rejection, Version
from gitprompt.errors import Invalid
from gitprompt.git.objects import Object, ObjectReader, parse_commit
from gitprompt.registry import moves as rule
from gitprompt.registry.versions import rejection

MAX_MOVES = 100_000


def load_label(
    reader: ObjectReader,
    ref: str,
    tip: str,
    *,
    namespace: str,
    versions: Callable[[str], Sequence[Version]],
    known: LabelHistory | None = None,
) -> LabelHistory | Rejection:
    """A label with its history. `versions` gives what is published of a prompt; `known` is the
    label as it was read before, so that only new moves are read."""
    try:
        name, label = split_label_ref(ref, namespace=namespace)
    except Invalid as error:
        return rejection(ref, tip, error.message, error.hint, "name")
    commit = rule.commit_at(reader, tip)
    hint = f"Move it with: gitprompt label set {name} {label} VERSION"
    if commit is None:
        return rejection(ref, tip, rule.NO_COMMIT, hint)
    published = versions(name)
    problem = rule.tip_problem(reader, commit, name, label, published)
    if problem:
        return rejection(ref, tip, problem, hint, "label")
    return LabelHistory(
        name, label, tip, tuple(_moves(reader, commit, name, label, published, known))
    )


def _moves(
    reader: ObjectReader,
    tip: Object,
    name: str,
    label: str,
    published: Sequence[Version],
    known: LabelHistory | None,
) -> Iterator[LabelMove]:
    """The moves, newest first, along first parents while the trailers name this label."""
    at: Object | None = tip
    for _ in range(MAX_MOVES):
        if at is None:
            return
        if known is not None and at.oid == known.moves[0].commit:
            yield from known.moves
            return
        commit = parse_commit(at.data)
        move = rule.recorded(commit, name, label)
        author, created_at = str(commit.author), commit.committer.at
        if move is None:
            version = rule.bare_version(at.oid, published)
            yield LabelMove(at.oid, version, None, author, "", created_at)
            return
        yield LabelMove(at.oid, move.version, move.previous, author, move.reason, created_at)
        at = reader.get(commit.parents[0]) if commit.parents else None


def is_bare(label: LabelHistory) -> bool:
    """True if the oldest value may be a bare pointer, which depends on what is published."""
    oldest = label.moves[-1]
    return oldest.previous is None and not oldest.reason
