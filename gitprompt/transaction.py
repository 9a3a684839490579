# SPDX-License-Identifier: Apache-2.0
"""One write to Git over HTTP: built, written down, moved, served, and only then answered.

Writes to one workspace come one after another, each with the index as Git is. Before refs move an
audit row says so as pending, with what they shall be; after, it is settled. If the process dies in
between, the next start looks at the refs and settles it (`ledger.settle_pending`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Generic, NamedTuple, TypeVar

from gitprompt.core.settings import Settings
from gitprompt.drivers import Driver
from gitprompt.drivers.claims import Stale
from gitprompt.errors import Conflict, GitpromptError, OriginUnreachable, Unavailable
from gitprompt.git.kept import Kept
from gitprompt.git.objects import ObjectReader
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry import admission, refwrites
from gitprompt.registry.sync import Source
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import AuditRow, Expected, ExpectedTogether, Settled
from gitprompt.workspaces import Workspaces

_TRIES = 5  # a branch may move under us; a version or a label that did is somebody else's
_SYNC_WAITS = (0.05, 0.5)  # seconds before a sync that failed is tried again
Made = TypeVar("Made")


class Ground(NamedTuple):
    """What a write builds on, read at one moment. `branch` and `tip` are the default branch's, None
    if HEAD is detached or nothing is committed; `movable` is the branch if it may be moved (a work
    tree must not have it checked out)."""

    writer: ObjectWriter
    reader: ObjectReader
    branch: str | None
    tip: str | None
    movable: str | None

    def settings(self) -> Settings:
        return admission.settings_at(self.reader, self.tip)

    def root(self, settings: Settings) -> str:
        """The folder of the prompts and suites at the tip, which has these settings."""
        return settings.root or self.reader.root

    def unmoved(self, updates: Sequence[RefUpdate]) -> Sequence[RefUpdate]:
        """The condition under which the settings hold: the default branch stays where it is, unless
        it is moved by the same transaction."""
        if self.branch is None or any(update.ref == self.branch for update in updates):
            return ()
        tip = self.tip or ZERO
        return (RefUpdate(self.branch, tip, tip),)


class Built(NamedTuple, Generic[Made]):
    """What a write has made, and the updates that publish it; the last is what it is about. A write of
    many things has an audit row for each in `records`, with the update that it is about; without
    updates nothing is written."""

    made: Made
    updates: Sequence[RefUpdate]
    records: Sequence[tuple[AuditRow, RefUpdate]] = ()


class Transactions:
    """The writes to all workspaces."""

    def __init__(
        self, *, workspaces: Workspaces, database: Database, driver: Driver, kept: Kept
    ) -> None:
        self._workspaces = workspaces
        self._database = database
        self._driver = driver
        self._kept = kept
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def alone(self, source: Source) -> AsyncIterator[None]:
        """Alone in a workspace, with the index as Git is: whoever writes decides by both."""
        async with self._locks.setdefault(source.workspace, asyncio.Lock()):
            with suppress(OriginUnreachable):  # the index is as Git is here
                await self._workspaces.reconcile(source.workspace)
            yield

    async def write(
        self,
        source: Source,
        build: Callable[[Ground], Built[Made]],
        entry: AuditRow | None = None,
        *,
        moved: Callable[[], Awaitable[None]] | None = None,
    ) -> Made:
        """Build, write down what is going to be, move the refs, serve; again if only a branch moved.
        `entry` is the audit row of the last update; `moved` is called between the last two, when what was written exists and this server does not serve it
        yet. Raises Stale if somebody else was faster, and Unavailable if what is written cannot
        be served yet."""
        for attempt in range(_TRIES):
            result, updates, records = await asyncio.to_thread(self._build, source, build)
            if not updates:
                return result
            last = updates[-1]
            expected = [Expected(row, update.ref, update.new) for row, update in records]
            if entry is not None:
                expected.append(Expected(entry, last.ref, last.new))
            pending = await self._database.write(ExpectedTogether(expected))
            try:
                await asyncio.to_thread(self._move, source, updates)
            except refwrites.OnlyAtOrigin:
                raise  # what was written down is settled when the next sync has brought it
            except Exception as error:
                await self._settle(source, pending, "failed")
                if isinstance(error, Stale) and attempt + 1 < _TRIES:
                    await self._workspaces.reconcile(source.workspace)
                    continue
                if not isinstance(error, Conflict):
                    raise
                if await asyncio.to_thread(self._is_taken, source, updates):
                    raise Stale(error.message, hint=error.hint) from error  # as a sync brought it
                if attempt + 1 == _TRIES:
                    raise
                continue
            try:
                await self._serve(source, last.ref, moved)
            finally:  # it is done even if serving it has to wait for the next sync
                await self._settle(source, pending, "done")
            return result
        raise AssertionError("the last try returns or raises")

    async def _settle(self, source: Source, rows: Sequence[int], outcome: str) -> None:
        await self._database.write(Settled(source.workspace, [(row, outcome) for row in rows]))

    def _build(self, source: Source, build: Callable[[Ground], Built[Made]]) -> Built[Made]:
        with self._kept.reader(source.repository) as reader:
            branch, tip = source.repository.refs(
                before=self._workspaces.refs(source.workspace)
            ).head
            movable = None if source.is_checked_out else branch
            writer = self._kept.writer(source.repository)
            return build(Ground(writer, reader, branch, tip, movable))

    def _move(self, source: Source, updates: Sequence[RefUpdate]) -> None:
        refwrites.move_refs(
            source.repository, updates, message="gitprompt: over HTTP",
            driver=self._driver, workspace=source.workspace,
        )  # fmt: skip

    async def _serve(
        self, source: Source, ref: str, moved: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Sync what was written. It cannot be taken back any more, so that a sync that fails is
        tried again, and never reported as if nothing had been written."""
        for wait in (*_SYNC_WAITS, None):
            try:
                if moved is not None:
                    await moved()
                    moved = None
                await self._workspaces.reconcile(source.workspace)
                return
            except GitpromptError as error:
                if wait is None:
                    raise Unavailable(
                        f"{ref} is written, but it is not served yet: {error.message}",
                        retry_after=10,
                        hint="Do not send it again: the next sync that succeeds serves it. GET"
                        " /v1/sync says how it goes.",
                    ) from error
                await asyncio.sleep(wait)

    def _is_taken(self, source: Source, updates: Sequence[RefUpdate]) -> bool:
        """Whether a ref other than a branch moved: then somebody else was faster."""
        writer = self._kept.writer(source.repository)
        return any(
            (writer.ref(update.ref) or ZERO) != update.old
            for update in updates
            if not update.ref.startswith("refs/heads/")
        )


async def again(decide: Callable[[], Awaitable[Made]]) -> Made:
    """What another node, whom nobody had asked yet, was faster with is decided again."""
    for _ in range(_TRIES):
        with suppress(Stale):
            return await decide()
    return await decide()
