# SPDX-License-Identifier: Apache-2.0
"""Where a label is: in this clone, at the remote that is pushed to, and what counts of the two."""

from __future__ import annotations

from typing import NamedTuple

from gitprompt.cli.read import meet_remotes, registry
from gitprompt.core.labels import check_label, label_ref, parse_move, split_label_ref
from gitprompt.core.publication import LabelHistory, LabelMove, Rejection
from gitprompt.errors import Conflict, Invalid
from gitprompt.git.objects import parse_commit
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import remotes
from gitprompt.registry.clone import Clone


class LabelPlace(NamedTuple):
    """A label as it is now: here (`local`), at the remote, and what counts of the two."""

    registry: Clone
    name: str
    label: str
    ref: str
    current: LabelHistory | None
    is_valid: bool
    local: str | None
    remote: str | None
    remote_tip: str | None

    @property
    def now(self) -> str | None:
        return self.current.version if self.current else None

    @property
    def left(self) -> RefUpdate | None:
        """What an earlier move has left to push, if a remote is pushed to and lacks it."""
        update = RefUpdate(self.ref, self.remote_tip or ZERO, self.local or ZERO)
        return update if self.remote and update.new not in (ZERO, update.old) else None


def open_place(name: str, text: str, *, push: bool, remote: str | None) -> LabelPlace:
    check_label(text)
    clone = registry()
    name = clone.name(name)
    repository = clone.repository
    namespace = clone.settings.namespace
    ref = label_ref(name, text, namespace=namespace)
    target = remotes.choose_remote(repository, remote) if push else None
    tip = None
    if target is not None:
        remotes.configure_fetch(repository, target)
        tip = remotes.fetch_label(repository, target, ref)
    else:
        meet_remotes(repository)
    return place_of(clone, name, text, target, tip)


def place_of(clone: Clone, name: str, text: str, target: str | None, tip: str | None) -> LabelPlace:
    """`target` is the remote to push to, where the label is at `tip`."""
    namespace = clone.settings.namespace
    ref = label_ref(name, text, namespace=namespace)
    local = clone.repository.refs().get(ref)
    if target is not None:
        base = _base(clone.repository, ref, local, tip)
    else:
        base = clone.label_refs.get(ref)
    current, is_valid = _load(clone, ref, base, namespace) if base else (None, True)
    return LabelPlace(clone, name, text, ref, current, is_valid, local, target, tip)


def _base(repository: Repository, ref: str, local: str | None, remote: str | None) -> str | None:
    """The value to build on; two histories that have parted cannot be built on."""
    if local is None or remote is None or local == remote:
        return remote or local
    common = repository.line("merge-base", local, remote)
    if common == local:
        return remote
    if common == remote:
        return local
    raise Conflict(
        f"{ref} was moved here and at the remote, and the two histories have parted",
        hint=f"Look at both with git log; to give up the local move: git update-ref -d {ref}",
    )


def _load(found: Clone, ref: str, tip: str, namespace: str) -> tuple[LabelHistory, bool]:
    """The label at a commit, and whether what it says is valid.

    An invalid one is repaired by a new move on top, and its history stays.
    """
    with found.repository.reader() as reader:
        label = found.read_label(reader, ref, tip)
        if not isinstance(label, Rejection):
            return label, True
        commit = reader.get(f"{tip}^{{commit}}")
    if commit is None or commit.kind != "commit":
        first = label.findings[0]
        raise Invalid(f"{ref}: {first.message}", hint="Give the ref up: git update-ref -d " + ref)
    name, text = split_label_ref(ref, namespace=namespace)
    move = parse_move(parse_commit(commit.data).message)
    version = move.version if move and (move.name, move.label) == (name, text) else None
    return LabelHistory(name, text, tip, (LabelMove(commit.oid, version, None, "", "", 0),)), False
