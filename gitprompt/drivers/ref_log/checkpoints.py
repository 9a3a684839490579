# SPDX-License-Identifier: Apache-2.0
"""Writes checkpoints: a node that begins with one has not to read the log from its beginning."""

from __future__ import annotations

from gitprompt.drivers.ref_log.applied import Position
from gitprompt.drivers.ref_log.entry import Checkpoint
from gitprompt.drivers.ref_log.history import History
from gitprompt.git import packs
from gitprompt.git.origin import TAGS
from gitprompt.git.refs import ZERO
from gitprompt.git.repository import Repository

_PACKS = 20  # of a checkpoint; one more, and all become one
_NONE = Checkpoint("", "", 0, "", [], {})


def write_checkpoint(history: History, repository: Repository, number: int) -> None:
    """Write one of the refs after this entry, unless there is a later one. Who else writes it, writes the same refs and
    objects; the repository has applied the entry. Raises OriginUnreachable."""
    before = history.checkpoint() or _NONE
    if before.number >= number:
        return
    last = Position(before.number, before.digest, before.repository)
    refs, head = dict(before.refs), before.head
    tail: list[bytes] = []
    for position, entry in history.after(last):
        for ref, _, new in entry.updates:
            if ref.startswith(TAGS) and refs.get(ref, new) != new:
                return  # who follows the log refuses this entry, and says so
            refs[ref] = new
        head = entry.head or head
        if entry.pack:
            tail.append(entry.pack)
        last = position
        if last.number == number:
            break
    refs = {ref: oid for ref, oid in refs.items() if oid != ZERO}
    kept = list(before.packs)
    if tail:
        kept.append(history.keep(packs.joined(tail)))
    if len(kept) > _PACKS:
        kept = [history.keep(packs.pack(repository, refs.values(), []))]
    history.add(Checkpoint(last.repository, last.digest, last.number, head, kept, refs))
