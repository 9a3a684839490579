# SPDX-License-Identifier: Apache-2.0
"""The workspaces of this server, and the one way in which any of them is synced.

A poke (push, webhook, API) and the poll both end in `reconcile`. Flights are shared: who asks
while one waits to start joins it; who asks while one runs waits for the next, which sees
everything that was there when they asked.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from gitprompt import hosting, log
from gitprompt.clock import Clock
from gitprompt.core.names import DEFAULT_WORKSPACE
from gitprompt.drivers import Driver
from gitprompt.drivers.claims import NotClaimed
from gitprompt.errors import GitpromptError, NotFound, OriginUnreachable
from gitprompt.git.refs import Refs
from gitprompt.git.repository import Repository
from gitprompt.hosting import Hosting
from gitprompt.metrics import SidecarMetrics
from gitprompt.registry.sync import Outcome, Progress, Source, Sync

if TYPE_CHECKING:
    from gitprompt.server.ops.tracing import Tracing

_TIDY_SECONDS = 60.0


class State:
    """How a workspace is doing. Times are Unix seconds; `revision` rises with every change, of
    which `position` is the driver's."""

    __slots__ = ("last_error", "last_success", "position", "revision", "seconds")

    def __init__(self) -> None:
        self.revision = 0
        self.position = 0
        self.last_success: int | None = None
        self.last_error: str | None = None
        self.seconds = 0.0


class Workspaces:
    def __init__(
        self,
        *,
        hosting: Hosting,
        sync: Sync,
        driver: Driver,
        clock: Clock,
        metrics: SidecarMetrics,
        tracing: Tracing | None,
        in_place: Repository | None = None,
        root: str = "",
        on_tampering: Callable[[str, str], None] = lambda _workspace, _ref: None,
    ) -> None:
        self._hosting = hosting
        self._sync = sync
        self._driver = driver
        self._clock = clock
        self._metrics = metrics
        self._tracing = tracing
        self._in_place = in_place
        self._root = root  # below it are the prompts of what comes from elsewhere
        self._has_loaded = False
        self._on_tampering = on_tampering
        self._sources: dict[str, Source] = {}
        self._unusable: set[str] = set()
        self._states: dict[str, State] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._tidying: dict[str, asyncio.Task[None]] = {}
        self._tidied: dict[str, float] = {}
        # Its own threads: syncs that wait for each other must not keep pushes from starting.
        self._executor = ThreadPoolExecutor(4, thread_name_prefix="sync")
        self.generation = 0  # rises when anything served may have changed

    # which there are

    def load(self) -> None:
        """Open every workspace on disk; those that come from elsewhere are made first. Blocks; called before
        serving, when it raises NotClaimed, and by the poll."""
        if self._in_place is not None:
            source = Source(DEFAULT_WORKSPACE, self._in_place, owned=False)
            self._sources.setdefault(DEFAULT_WORKSPACE, source)
        for name in self._driver.workspaces():
            if name not in self._sources:
                self._make(name)
        unusable: set[str] = set()
        for name in self._hosting.workspaces():
            if name in self._sources:
                continue
            try:
                self._sources[name] = self._claimed(name, self._hosting.open(name))
            except NotFound:
                continue
            except GitpromptError as error:  # it stops no other
                if isinstance(error, NotClaimed) and not self._has_loaded:
                    raise
                unusable.add(name)
                self._failed(name, error.message, None)
        self._has_loaded = True
        self._unusable = unusable

    def _make(self, workspace: str) -> None:
        """What is there and cannot be used stops only itself; `load` says why."""
        try:
            self._hosting.create(workspace)
        except GitpromptError:
            if not os.path.isdir(self._hosting.path(workspace)):
                raise

    def _claimed(self, workspace: str, repository: Repository) -> Source:
        """Before its first fetch: the driver takes a repository that is ours, or raises NotClaimed."""
        self._driver.claim(workspace, repository)
        if self._driver.is_mirror and workspace in self._driver.workspaces():
            repository.root = self._root
        return Source(workspace, repository, owned=True)

    @property
    def names(self) -> list[str]:
        """Those that cannot be opened too: `source` is None for them."""
        return sorted({*self._sources, *self._unusable})

    def source(self, workspace: str) -> Source | None:
        return self._sources.get(workspace)

    def state(self, workspace: str) -> State:
        return self._states.setdefault(workspace, State())

    def refs(self, workspace: str) -> Refs | None:
        """The refs as the last sync saw them."""
        return self._sync.refs(workspace)

    async def create(self, workspace: str) -> Source:
        """The workspace, made on its first write. Idempotent. Raises NotFound if the driver has no place for it."""
        source = self._sources.get(workspace)
        if source is None:
            self._driver.admit(workspace)
            source = await asyncio.to_thread(self._made, workspace)
            self._sources[workspace] = source
        return source

    def _made(self, workspace: str) -> Source:
        return self._claimed(workspace, self._hosting.create(workspace))

    async def nothing(self, workspace: str) -> Source:
        """A workspace that is not there yet, as it will be at first."""
        self._driver.admit(workspace)
        repository = await asyncio.to_thread(self._hosting.nothing)
        return Source(workspace, repository, owned=False)

    # keeping up

    async def reconcile(self, workspace: str) -> Outcome:
        """Sync a workspace and return when everything that was in Git at the call is served."""
        waiting = self._waiting.get(workspace)
        if waiting is None:
            waiting = asyncio.ensure_future(self._fly(workspace))
            self._waiting[workspace] = waiting
        return await asyncio.shield(waiting)

    async def _fly(self, workspace: str) -> Outcome:
        async with self._locks.setdefault(workspace, asyncio.Lock()):
            self._waiting.pop(workspace, None)
            source = self._sources.get(workspace)
            if source is None:
                raise NotFound(f"Workspace {workspace} not found")
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(self._executor, self.reconcile_now, source)
            if outcome.changed:
                self._checkpoint_later()
                if source.owned:
                    self._tidy_later(source)
            return outcome

    def reconcile_now(self, source: Source, progress: Progress | None = None) -> Outcome:
        """Sync in this thread, and remember how it went."""
        state = self.state(source.workspace)
        begin = time.perf_counter()
        unheard: OriginUnreachable | None = None
        try:
            disputed = None
            try:
                disputed = self._driver.fetch(source.workspace, source.repository)
            except OriginUnreachable as error:
                unheard = error  # what is here is served all the same
            position = self._driver.position(source.repository)
            outcome = self._sync.reconcile(source, disputed=disputed, progress=progress)
        except Exception as error:
            message = error.message if isinstance(error, GitpromptError) else repr(error)
            self._failed(source.workspace, message, time.perf_counter() - begin)
            raise
        state.seconds = time.perf_counter() - begin
        if unheard is None:
            self._metrics.record_sync(self._driver.name, "success", state.seconds)
            state.last_success, state.last_error = self._clock(), None
        else:
            self._failed(source.workspace, unheard.message, state.seconds)
        for label, number in outcome.moves.items():
            self._metrics.record_label_moves(source.workspace, label, number)
        for ref in outcome.tampered:
            log.warning("a version tag was moved or deleted", workspace=source.workspace, ref=ref)
            self._on_tampering(source.workspace, ref)
        if outcome.changed or not state.position:
            state.position = position
        if outcome.changed:
            state.revision += 1
            self.generation += 1
            if self._tracing is not None:
                self._tracing.sync(
                    source.workspace,
                    state.seconds,
                    versions=outcome.versions,
                    labels=outcome.labels,
                    rejected=outcome.rejected,
                )
            log.info(
                "synced",
                workspace=source.workspace,
                versions=outcome.versions,
                labels=outcome.labels,
                rejected=outcome.rejected,
                ms=round(state.seconds * 1000, 1),
            )
        if unheard is not None:
            raise unheard
        return outcome

    def _failed(self, workspace: str, said: str, seconds: float | None) -> None:
        """Count a failure, and report it if it is another than the last. `seconds` None: it
        could not even begin."""
        self._metrics.record_sync(self._driver.name, "error", seconds)
        state = self.state(workspace)
        if state.last_error == said:
            return
        state.last_error = said
        log.error("sync failed", workspace=workspace, error=said)
        if self._tracing is not None:
            self._tracing.failed_sync(workspace, seconds or 0.0, said)

    def sync_all(self, progress: Callable[[str], Progress]) -> None:
        """Before serving: bring every workspace up to date; a broken one stops no other."""
        for source in list(self._sources.values()):
            with suppress(Exception):  # reported already, and shown in its state
                self.reconcile_now(source, progress(f"indexing {source.workspace}"))
        self._executor.submit(self._sync.checkpoint)

    async def poke(self, *, news: bool = False) -> None:
        """Sync all workspaces; failures are logged and shown in their states. `news`: their origins
        are said to have some."""
        for workspace in sorted(self._sources):
            if news:
                self._driver.expect(workspace)
            with suppress(
                Exception
            ):  # reported already; the next workspace has nothing to do with it
                await self.reconcile(workspace)

    async def poll(self, seconds: float) -> None:
        """The floor under all pokes: look at every workspace, for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.load)
                await self.poke()
            except Exception:  # the poll must outlive whatever one look at the disk brings
                log.error("poll failed", exc_info=True)

    def _checkpoint_later(self) -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._executor, self._sync.checkpoint)

    def _tidy_later(self, source: Source) -> None:
        """Pack refs as soon as there are many, and look at the objects once a minute: looking alone
        starts two processes."""
        if source.workspace in self._tidying:
            return
        refs = self.refs(source.workspace)
        many = refs is not None and len(refs.loose) >= hosting.LOOSE_REFS_BEFORE_PACKING
        now = time.monotonic()
        due = now - self._tidied.get(source.workspace, now - _TIDY_SECONDS) >= _TIDY_SECONDS
        if due:
            self._tidied[source.workspace] = now
        if many or due:
            task = asyncio.create_task(self._tidy(source, refs=many, objects=due))
            self._tidying[source.workspace] = task
            task.add_done_callback(lambda _task: self._tidying.pop(source.workspace, None))

    async def _tidy(self, source: Source, *, refs: bool, objects: bool) -> None:
        try:
            if refs:
                await asyncio.to_thread(hosting.pack_refs, source.repository)
            if objects:
                await asyncio.to_thread(hosting.pack_objects, source.repository)
        except GitpromptError as error:
            log.warning("packing failed", workspace=source.workspace, error=error.message)
