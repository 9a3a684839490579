# SPDX-License-Identifier: Apache-2.0
"""A `git push` through the server: judged, written down, made at the origin, and then served.

Git moves the refs itself, once `judge` has nothing to say against it; what comes before and after is
what every write gets (`transaction`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gitprompt import hosting, log
from gitprompt.clock import Clock
from gitprompt.drivers import Driver
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.ledger import PushLedger
from gitprompt.registry import push_rules, refwrites
from gitprompt.registry.sync import Source
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.tables.audit import Actor
from gitprompt.workspaces import Workspaces


class Pushes:
    """The pushes to all workspaces."""

    def __init__(
        self,
        *,
        workspaces: Workspaces,
        index: IndexReader,
        database: Database,
        driver: Driver,
        clock: Clock,
    ) -> None:
        self.workspaces = workspaces
        self.index = index
        self.database = database
        self.driver = driver
        self.clock = clock
        self.with_head: set[str] = set()

    def begin(self, source: Source, actor: Actor, scopes: frozenset[str]) -> Push:
        return Push(self, source, actor, scopes)


class Push:
    """One push, from the question of its pre-receive hook to its answer."""

    def __init__(
        self, pushes: Pushes, source: Source, actor: Actor, scopes: frozenset[str]
    ) -> None:
        self._all = pushes
        self._source = source
        self._scopes = scopes
        self._successor: str | None = None  # of the default branch, which this push renames
        self._ledger = PushLedger(pushes.database, actor, pushes.clock)
        # Read here, on the event loop: the index has one reader, and `judge` runs in a thread.
        self._namespace = pushes.index.settings(source.workspace).namespace

    def judge(self, quarantined: Repository, updates: Sequence[RefUpdate]) -> list[str]:
        """What the author reads of a push that is refused; nothing if it may go in, which is then
        written down, and done at the origin. `quarantined` sees the objects of the push. Blocks;
        raises GitpromptError if the origin does not take it."""
        workspace = self._source.workspace
        if any(update.new == ZERO and update.ref.startswith("refs/heads/") for update in updates):
            default = self._source.repository.refs().head[0]
            self._successor = push_rules.successor(quarantined, default, updates)
        refusals = push_rules.judge(
            quarantined, updates, scopes=self._scopes, pinned=self._pinned_tag
        )
        if refusals:
            return push_rules.report(refusals)
        self._ledger.begin(updates, self._namespace)
        refwrites.at_origin(self._all.driver, workspace, quarantined, updates)
        return []

    def _pinned_tag(self, name: str, version: str) -> str | None:
        pin = self._all.database.pin(self._source.workspace, name, version)
        return pin.version.tag if pin else None

    async def serve(self) -> None:
        """Sync what git has moved, and settle what was written down. A failure here is not the
        pusher's, and must not cut the answer short: the next sync repairs it."""
        workspaces, source = self._all.workspaces, self._source
        try:
            if source.owned and self._successor is not None:
                await asyncio.to_thread(
                    source.repository.git, "symbolic-ref", "HEAD", self._successor
                )
            elif source.owned and source.workspace not in self._all.with_head:
                await asyncio.to_thread(hosting.follow_first_branch, source.repository)
                if source.repository.refs().head[1]:
                    self._all.with_head.add(source.workspace)
            await workspaces.reconcile(source.workspace)
        except Exception as error:
            log.error("sync after push failed", workspace=source.workspace, error=str(error))
        await self._ledger.settle(workspaces.refs(source.workspace), source.repository)
