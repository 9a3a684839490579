# SPDX-License-Identifier: Apache-2.0
"""A `git push` through the server: judged, written down, made at the origin, and then served.

Git moves the refs itself, once `judge` has nothing to say against it; what comes before and after is
what every write gets (`transaction`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gitprompt import hosting, log
from gitprompt.clock import Clock
from gitprompt.core.names import is_name
from gitprompt.core.versions import TAG_PREFIX, is_version, split_tag_ref
from gitprompt.drivers import Driver
from gitprompt.git.refs import ZERO, RefUpdate, ref_of_text
from gitprompt.git.repository import Repository
from gitprompt.ledger import PushLedger
from gitprompt.registry import push_rules, refwrites
from gitprompt.registry.sync import Source
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.tables.audit import Actor
from gitprompt.workspaces import Workspaces


class HeardPush(Protocol):
    """A push that is judged where it can be killed; see `server.git.judges`."""

    def judge(
        self,
        repository: Repository,
        updates: Sequence[RefUpdate],
        *,
        scopes: frozenset[str],
        pins: Mapping[str, str],
    ) -> list[str]: ...

    def give_up(self) -> None: ...


class PushJudge(Protocol):
    """Who judges pushes."""

    def case(self, workspace: str) -> HeardPush: ...

    def warm(self) -> None:
        """Have a judge ready: somebody is about to push."""


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
        judges: PushJudge,
    ) -> None:
        self.judges = judges
        self.workspaces = workspaces
        self.index = index
        self.database = database
        self.driver = driver
        self.clock = clock
        self.with_head: set[str] = set()

    def begin(
        self, source: Source, actor: Actor, scopes: frozenset[str], *, may_still: Callable[[], bool]
    ) -> Push:
        """`may_still` says whether the key that pushes is still one that may."""
        return Push(self, source, actor, scopes, may_still)


class Push:
    """One push, from the question of its pre-receive hook to its answer."""

    def __init__(
        self,
        pushes: Pushes,
        source: Source,
        actor: Actor,
        scopes: frozenset[str],
        may_still: Callable[[], bool],
    ) -> None:
        self._case = pushes.judges.case(source.workspace)
        self._may_still = may_still
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
            default = ref_of_text(default) if default is not None else None
            self._successor = push_rules.successor(quarantined, default, updates)
        refusal = self._case.judge(
            quarantined, updates, scopes=self._scopes, pins=self._pins(updates)
        )
        if refusal:
            return refusal
        if not self._may_still():
            return ["gitprompt: the key of this push was revoked meanwhile"]
        self._ledger.begin(updates, self._namespace)
        refwrites.at_origin(self._all.driver, workspace, quarantined, updates)
        return []

    def give_up(self) -> None:
        """Judge it no more: its author is gone, or the server stops."""
        self._case.give_up()

    def _pins(self, updates: Sequence[RefUpdate]) -> dict[str, str]:
        """The tag object that each version of the push was first seen with, by ref."""
        pins: dict[str, str] = {}
        for update in updates:
            name, version = split_tag_ref(update.ref)
            if update.ref.startswith(TAG_PREFIX) and is_name(name) and is_version(version):
                pin = self._all.database.pin(self._source.workspace, name, version)
                if pin is not None:
                    pins[update.ref] = pin.version.tag
        return pins

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
