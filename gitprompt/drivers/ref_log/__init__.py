# SPDX-License-Identifier: Apache-2.0
"""Git as a log of transactions in any store that can create a key if it is absent.

An entry has the updates of refs and their objects, and the digest of the entry before: whoever creates the next
one has won. So a publication is one write, atomic over all its refs, and nobody can change what was. A repository here
is a copy that has applied the log up to an entry. Now and then there is a checkpoint, with which a copy begins.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from gitprompt import log
from gitprompt.core.names import DEFAULT_WORKSPACE, WORKSPACE
from gitprompt.drivers.claims import NotClaimed, Stale, claim
from gitprompt.drivers.following import Following
from gitprompt.drivers.objects import ObjectStore, StoreRefused, check_store
from gitprompt.drivers.ref_log.applied import Position, apply, begin, position_of, values
from gitprompt.drivers.ref_log.checkpoints import write_checkpoint
from gitprompt.drivers.ref_log.entry import Entry
from gitprompt.drivers.ref_log.history import AHEAD, History, moves_tag
from gitprompt.drivers.shelf import Served, Shelf
from gitprompt.errors import Conflict, GitError, GitpromptError, OriginUnreachable
from gitprompt.git import packs
from gitprompt.git.refs import ZERO, Refs, RefUpdate
from gitprompt.git.repository import Repository

_SECONDS = 1.0  # between two looks at the next entry
_LISTED = 60.0  # between two looks at which workspaces there are, and whether the log has a gap
_APPLIED, _BYTES = 500, 64 * 1024 * 1024  # entries, and bytes of packs, to one transaction here
_TAIL = 1_000  # entries after a checkpoint, from which on there is another one


class RefLog(Following):
    """`name` is the driver's; `place` says where the store is, without secrets; keys begin with `prefix`."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        name: str,
        place: str,
        prefix: str,
        shelf: Shelf | None = None,
    ) -> None:
        super().__init__(_SECONDS)
        self.name = name
        self._store = store
        self._place = place
        self.shelf = shelf
        self._folder = f"{prefix}git/"
        self._node = secrets.token_hex(8)
        self._looked: dict[str, float] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._known: Sequence[str] = ()
        self._listed_at: float | None = None
        self._is_checked = False
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="log")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    def position(self, repository: Repository) -> int:
        return position_of(repository).number

    def show(self, workspace: str, position: int, served: Callable[[], Served]) -> bool:
        if self.shelf is None:
            return True
        what = served()
        try:
            return self.shelf.show(workspace, position, what)
        finally:
            what.close()

    def stop_showing(self) -> None:
        if self.shelf is not None:
            self.shelf.stop()

    def close(self) -> None:
        self._writer.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

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
        """A store that is away is tried when it is back."""
        try:
            self._try_store()
        except OriginUnreachable as error:  # what is here is served all the same
            log.warning("the store could not be checked", error=error.message)
        claim(repository, f"{self._place}#{workspace}")

    def only_read(self) -> None:
        """Nothing will be written: the store need not let us, and is not tried."""
        self._is_checked = True

    def _try_store(self) -> None:
        if self._is_checked:
            return
        try:
            check_store(self._store, self._folder)
        except StoreRefused as error:
            raise NotClaimed(error.message, hint="Look at its keys and their rights.") from None
        self._is_checked = True

    def _bring(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        """Raises OriginUnreachable also for a log with a gap, of another repository, or of a later format."""
        with self._lock(workspace):
            self._follow(workspace, repository)
        return {}  # a version tag never moves in a log

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Raises Stale if others were faster with anything: what was decided was decided by older refs."""
        try:
            self._try_store()
        except NotClaimed as error:  # it was away at the start, where this would have been the end
            raise OriginUnreachable(error.message, hint=error.hint) from error
        with self._lock(workspace):
            position = position_of(repository)
            here = values(repository, [update.ref for update in updates])
            for ref, old, new in updates:
                current = here[ref]
                if current not in (old, new):
                    raise Conflict(f"{ref} was changed by somebody else meanwhile")
                if moves_tag(RefUpdate(ref, current, new)):
                    raise Conflict(f"{ref} is published, and never moves")
            moved = [update for update in updates if here[update.ref] != update.new]
            if not moved:
                return
            branch, tip = repository.refs().head
            made = [update.new for update in moved if update.new != ZERO]
            entry = Entry(
                repository=position.repository or secrets.token_hex(16),
                before=position.digest,
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
            if not self._history(workspace).create(position.number + 1, entry):
                raise Stale("somebody else has published meanwhile", hint="Try again.")

    def _lock(self, workspace: str) -> threading.Lock:
        return self._locks.setdefault(workspace, threading.Lock())

    def _history(self, workspace: str) -> History:
        place = f"{workspace} in {self._place}"
        return History(self._store, f"{self._folder}{workspace}/", place, self._pool)

    def _follow(self, workspace: str, repository: Repository) -> None:
        history = self._history(workspace)
        position = position_of(repository)
        if not position.number and not any(repository.refs().items()):
            position = _begun(history, repository)
        chunk: list[tuple[Position, Entry]] = []
        size = 0
        here: Refs | None = None  # listed for an entry alone: most polls find none
        made: dict[str, str] = {}
        try:
            for following, entry in history.after(position):
                here = here or repository.refs()
                history.refuse_moves(following, entry, here, made)
                position = following
                chunk.append((position, entry))
                size += len(entry.pack)
                is_ours = entry.node == self._node and position.number % _TAIL == 0
                if len(chunk) == _APPLIED or size > _BYTES or is_ours:
                    ready, chunk, size = chunk, [], 0
                    _applied(history, repository, ready)
                    here, made = None, {}
                if is_ours:
                    self._writer.submit(self._keep_short, history, repository, position.number)
        finally:  # what is sound before an entry that is not is served
            if chunk:
                _applied(history, repository, chunk)
        now = time.monotonic()
        if now - self._looked.get(workspace, -_LISTED) >= _LISTED:
            newest = history.refuse_gap(position)
            self._looked[workspace] = now
            if position.number - newest >= 2 * _TAIL:  # whoever should have written one has died
                self._writer.submit(self._keep_short, history, repository, position.number)

    def _keep_short(self, history: History, repository: Repository, number: int) -> None:
        """Write a checkpoint. It fails for nobody: the log is whole without it."""
        try:
            write_checkpoint(history, repository, number)
        except GitpromptError as error:
            log.warning("a checkpoint could not be written", of=history.place, error=error.message)


def _begun(history: History, repository: Repository) -> Position:
    """A repository that has nothing of the log, begun with its newest checkpoint, if there is one."""
    checkpoint = history.checkpoint()
    if checkpoint is not None:
        with _told(f"checkpoint {checkpoint.number} of {history.place}"):
            begin(repository, checkpoint, map(history.pack, checkpoint.packs))
    return position_of(repository)


def _applied(
    history: History, repository: Repository, chunk: Sequence[tuple[Position, Entry]]
) -> None:
    first, last = chunk[0][0].number, chunk[-1][0].number
    which = f"entry {first}" if first == last else f"one of the entries {first} to {last}"
    with _told(f"{which} of {history.place}"):
        apply(repository, chunk)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What git does not take is told with where it is."""
    try:
        yield
    except OriginUnreachable:
        raise
    except (GitError, Conflict, OSError) as error:
        raise OriginUnreachable(
            f"{what} cannot be applied: {getattr(error, 'message', error)}",
            hint="Nothing of it was served. Look at who writes there, and at the disk here.",
        ) from error
