# SPDX-License-Identifier: Apache-2.0
"""A repository here that has applied a log up to an entry, which a file in its folder says.

Objects come first, then refs, then the file: cut anywhere, the next time does it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitprompt import log
from gitprompt.drivers.ref_log.entry import Checkpoint, Entry
from gitprompt.git import packs
from gitprompt.git.ref_updates import update_refs, write_packed_refs
from gitprompt.git.refs import ROOTS, ZERO, RefUpdate
from gitprompt.git.repository import Repository

_ASKED = 500  # refs to one process
_LOOKED_AT = tuple(f"{root}/" for root in ROOTS)
_STATE = "gitprompt-log.json"


class Position(NamedTuple):
    """The last entry that is applied: its number, 0 if none is, its digest, and the repository's id."""

    number: int = 0
    digest: str = ""
    repository: str = ""


def position_of(repository: Repository) -> Position:
    """The beginning, if the file is not there, or cannot be read: then the log is applied once more."""
    try:
        with open(os.path.join(repository.git_dir, _STATE), encoding="utf-8") as file:
            position = Position(**json.load(file))
        if not isinstance(position.number, int):
            raise TypeError("it has no number")
        return position
    except FileNotFoundError:
        return Position()
    except (ValueError, TypeError, OSError) as error:
        log.warning("how much of a log is here is not known", file=_STATE, error=str(error))
        return Position()


def apply(repository: Repository, entries: Sequence[tuple[Position, Entry]]) -> None:
    packs.take(repository, [entry.pack for _, entry in entries])
    wanted = {update.ref: update.new for _, entry in entries for update in entry.updates}
    here = values(repository, list(wanted))
    updates = [RefUpdate(ref, here[ref], new) for ref, new in wanted.items() if here[ref] != new]
    if not any(repository.refs().items()):  # many at once, at the beginning
        write_packed_refs(repository, {ref: oid for ref, oid in wanted.items() if oid != ZERO})
    elif updates:
        update_refs(repository, updates, message="gitprompt: from the log")
    position, last = entries[-1]
    _finish(repository, last.head, position)


def begin(repository: Repository, checkpoint: Checkpoint, objects: Iterable[bytes]) -> None:
    """Make an empty repository what a checkpoint says; `objects` are its packs."""
    for pack in objects:
        packs.take(repository, [pack])
    write_packed_refs(repository, checkpoint.refs)
    position = Position(checkpoint.number, checkpoint.digest, checkpoint.repository)
    _finish(repository, checkpoint.head, position)


def _finish(repository: Repository, head: str, position: Position) -> None:
    if head and repository.line("symbolic-ref", "HEAD") != head:
        repository.git("symbolic-ref", "HEAD", head)
    path = os.path.join(repository.git_dir, _STATE)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(position._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def values(repository: Repository, names: Sequence[str]) -> dict[str, str]:
    """What refs are here, ZERO for those that are not; also of such as gitprompt does not look at."""
    refs = repository.refs()
    found = {ref: refs.get(ref) or ZERO for ref in names}
    others = [ref for ref in names if not ref.startswith(_LOOKED_AT)]
    for start in range(0, len(others), _ASKED):
        part = others[start : start + _ASKED]
        said = repository.git("for-each-ref", "--format=%(refname)%00%(objectname)", *part)
        for line in os.fsdecode(said).splitlines():
            ref, _, oid = line.partition("\0")
            if ref in found:
                found[ref] = oid
    return found
