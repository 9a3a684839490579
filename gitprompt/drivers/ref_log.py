# SPDX-License-Identifier: Apache-2.0
"""Git as a log of transactions in any store that can create a key if it is absent.

An entry has the updates of refs and their objects, and the digest of the entry before: whoever creates the next
one has won. So a publication is one write, atomic over all its refs, and nobody can change what was. A repository here
is a copy that has applied the log up to an entry, which a file beside its objects says.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from gitprompt import log
from gitprompt.core.names import DEFAULT_WORKSPACE, WORKSPACE
from gitprompt.drivers.claims import NotClaimed, Stale, claim
from gitprompt.drivers.following import Following
from gitprompt.drivers.log_entry import Entry, decoded, digest
from gitprompt.drivers.objects import ObjectStore, StoreRefused, check_store
from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git import origin, packs
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ROOTS, ZERO, RefUpdate
from gitprompt.git.repository import Repository

_SECONDS = 1.0  # between two looks at the next entry
_LISTED = 60.0  # between two looks at which workspaces there are, and whether the log has a gap
_AHEAD = 32  # entries that are asked for at once
_APPLIED = 500  # entries to one transaction here
_LOOKED_AT = tuple(f"{root}/" for root in ROOTS)
_STATE = "gitprompt-log.json"


class _State(NamedTuple):
    """The last entry that is applied: its number, 0 if none is, its digest, and the repository's id."""

    number: int = 0
    digest: str = ""
    repository: str = ""


class RefLog(Following):
    """`name` is the driver's; `place` says where the store is, without secrets; keys begin with `prefix`."""

    def __init__(self, store: ObjectStore, *, name: str, place: str, prefix: str) -> None:
        super().__init__(_SECONDS)
        self.name = name
        self._store = store
        self._place = place
        self._folder = f"{prefix}git/"
        self._node = secrets.token_hex(8)
        self._looked: dict[str, float] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._known: Sequence[str] = ()
        self._listed_at: float | None = None
        self._is_checked = False
        self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="log")

    def workspaces(self) -> Sequence[str]:
        now = time.monotonic()
        if self._listed_at is None or now - self._listed_at > _LISTED:
            self._listed_at = now
            with suppress(OriginUnreachable):  # each says so when it is fetched
                self._known = [
                    name for name in self._store.folders(self._folder) if WORKSPACE.match(name)
                ]
        return sorted({DEFAULT_WORKSPACE, *self._known})

    def admit(self, workspace: str) -> None:
        """Any is made on its first write."""

    def claim(self, workspace: str, repository: Repository) -> None:
        if not self._is_checked:
            try:
                check_store(self._store, self._folder)
                self._is_checked = True
            except StoreRefused as error:
                raise NotClaimed(error.message, hint="Look at its keys and their rights.") from None
            except OriginUnreachable as error:  # what is here is served all the same
                log.warning("the store could not be checked", error=error.message)
        claim(repository, f"{self._place}#{workspace}")

    def _bring(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """Raises OriginUnreachable also for a log with a gap, of another repository, or of a later format."""
        with self._lock(workspace):
            self._follow(workspace, repository)
        return {}  # a version tag never moves in a log

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Raises Stale if others were faster with anything: what was decided was decided by older refs."""
        with self._lock(workspace):
            state = _read(repository)
            here = _values(repository, [update.ref for update in updates])
            for ref, old, new in updates:
                current = here[ref]
                if current not in (old, new):
                    raise Conflict(f"{ref} was changed by somebody else meanwhile")
                if _moves_tag(RefUpdate(ref, current, new)):
                    raise Conflict(f"{ref} is published, and never moves")
            moved = [update for update in updates if here[update.ref] != update.new]
            if not moved:
                return
            branch, tip = repository.refs().head
            made = [update.new for update in moved if update.new != ZERO]
            entry = Entry(
                repository=state.repository or secrets.token_hex(16),
                before=state.digest,
                transaction=secrets.token_hex(16),
                node=self._node,
                at=int(time.time()),
                head=branch or "",
                updates=moved,
                pack=packs.pack(repository, made, [*(update.old for update in moved), tip or ZERO])
                if made
                else b"",
            )
            self.expect(workspace)
            if not self._is_created(workspace, state.number + 1, entry):
                raise Stale("somebody else has published meanwhile", hint="Try again.")

    def _lock(self, workspace: str) -> threading.Lock:
        return self._locks.setdefault(workspace, threading.Lock())

    def _key(self, workspace: str, number: int) -> str:
        return f"{self._folder}{workspace}/log/{number:012}"

    def _is_created(self, workspace: str, number: int, entry: Entry) -> bool:
        """Whether the entry is in the log. Of an answer that was lost the log itself tells."""
        key, data = self._key(workspace, number), entry.encoded()
        try:
            if self._store.create(key, data):
                return True
        except OriginUnreachable:
            with suppress(OriginUnreachable):
                if self._store.get(key) == data:
                    return True
            raise
        return self._store.get(key) == data

    def _follow(self, workspace: str, repository: Repository) -> None:
        state = _read(repository)
        chunk: list[tuple[_State, Entry]] = []
        for data in self._after(workspace, state.number):
            state, entry = self._next_after(workspace, state, data)
            chunk.append((state, entry))
            if len(chunk) == _APPLIED:
                _apply(repository, chunk)
                chunk.clear()
        if chunk:
            _apply(repository, chunk)
        now = time.monotonic()
        if now - self._looked.get(workspace, -_LISTED) >= _LISTED:
            self._refuse_gap(workspace, state)
            self._looked[workspace] = now

    def _after(self, workspace: str, number: int) -> Iterator[bytes]:
        """The entries after a number. Where there is one, more are asked for at once."""
        first = self._store.get(self._key(workspace, number + 1))
        while first is not None:
            yield first
            number += 1
            keys = [self._key(workspace, number + at) for at in range(1, _AHEAD + 1)]
            for data in self._pool.map(self._store.get, keys):
                if data is None:
                    return
                yield data
                number += 1
            first = self._store.get(self._key(workspace, number + 1))

    def _next_after(self, workspace: str, state: _State, data: bytes) -> tuple[_State, Entry]:
        entry = decoded(data, self._where(workspace, state.number + 1))
        if entry.before != state.digest or (state.number and entry.repository != state.repository):
            raise OriginUnreachable(
                f"{self._where(workspace, state.number + 1)} follows another history than the one that is here",
                hint="Nothing was applied. Look at who writes there; a copy of another bucket has its own prefix.",
            )
        if any(_moves_tag(update) for update in entry.updates):
            raise OriginUnreachable(
                f"{self._where(workspace, state.number + 1)} moves a version tag, which no gitprompt does",
                hint="Nothing was applied. Look at who writes there.",
            )
        return _State(state.number + 1, digest(data), entry.repository), entry

    def _refuse_gap(self, workspace: str, state: _State) -> None:
        """An absent entry must mean that there is none yet, and not that somebody has deleted it."""
        if state.number:
            last = self._store.get(self._key(workspace, state.number))
            if last is None or digest(last) != state.digest:
                raise OriginUnreachable(
                    f"{self._where(workspace, state.number)} was deleted or changed: the log here is longer than"
                    " the one there",
                    hint="Restore the objects of the store; no lifecycle rule may delete them.",
                )
        key = self._key(workspace, state.number)
        later = self._store.first_after(f"{self._folder}{workspace}/log/", key)
        if later is not None and self._store.get(self._key(workspace, state.number + 1)) is None:
            raise OriginUnreachable(
                f"{self._where(workspace, state.number + 1)} is missing, and later ones are there",
                hint="Restore the objects of the store; no lifecycle rule may delete them.",
            )

    def _where(self, workspace: str, number: int) -> str:
        return f"entry {number} of {workspace} in {self._place}"


def _moves_tag(update: RefUpdate) -> bool:
    return update.ref.startswith(origin.TAGS) and update.old not in (ZERO, update.new)


def _apply(repository: Repository, entries: Sequence[tuple[_State, Entry]]) -> None:
    """Objects, then refs, then what is applied: cut anywhere, the next time does it again."""
    packs.take(repository, [entry.pack for _, entry in entries])
    wanted = {update.ref: update.new for _, entry in entries for update in entry.updates}
    here = _values(repository, list(wanted))
    updates = [RefUpdate(ref, here[ref], new) for ref, new in wanted.items() if here[ref] != new]
    if updates:
        update_refs(repository, updates, message="gitprompt: from the log")
    state, last = entries[-1]
    if last.head and repository.line("symbolic-ref", "HEAD") != last.head:
        repository.git("symbolic-ref", "HEAD", last.head)
    path = os.path.join(repository.git_dir, _STATE)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def _values(repository: Repository, names: Sequence[str]) -> dict[str, str]:
    """What refs are here, ZERO for those that are not; also of such as gitprompt does not look at."""
    refs = repository.refs()
    values = {ref: refs.get(ref) or ZERO for ref in names}
    others = [ref for ref in names if not ref.startswith(_LOOKED_AT)]
    for start in range(0, len(others), _APPLIED):
        part = others[start : start + _APPLIED]
        said = repository.git("for-each-ref", "--format=%(refname)%00%(objectname)", *part)
        for line in os.fsdecode(said).splitlines():
            ref, _, oid = line.partition("\0")
            if ref in values:
                values[ref] = oid
    return values


def _read(repository: Repository) -> _State:
    try:
        with open(os.path.join(repository.git_dir, _STATE), encoding="utf-8") as file:
            return _State(**json.load(file))
    except FileNotFoundError:
        return _State()
