# SPDX-License-Identifier: Apache-2.0
"""The audit of what moves refs: written down before they move, and settled after.

No transaction covers both Git and the database, so a row says first what shall stand where; whether
it does is asked of Git, at once or at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gitprompt import log, suites
from gitprompt.clock import Clock
from gitprompt.core.labels import split_label_ref
from gitprompt.core.versions import TAG_PREFIX, split_tag_ref
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.git.refs import ROOTS, ZERO, Refs, RefUpdate, text_of_ref
from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Source
from gitprompt.store.database import Database
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import (
    Actor,
    AuditRow,
    Expected,
    ExpectedTogether,
    NotedOnce,
    Pending,
    Settled,
)

_MAX_ROWS = 10_000  # of one push; more refs than that share the last row


class PushLedger:
    """The rows of one push."""

    def __init__(self, database: Database, actor: Actor, clock: Clock) -> None:
        self._database = database
        self._actor = actor
        self._clock = clock
        self._begun: list[tuple[int, RefUpdate]] = []

    def begin(self, updates: Sequence[RefUpdate], namespace: str) -> None:
        """Write down what git is about to do. Blocks until it is on disk."""
        now = self._clock()
        head = list(updates)[:_MAX_ROWS]
        items = [
            Expected(_entry(self._actor, update, namespace, now), update.ref, update.new)
            for update in head
        ]
        rows = self._database.write_now(ExpectedTogether(items))
        self._begun = list(zip(rows, head, strict=True))

    async def settle(self, refs: Refs | None, repository: Repository) -> None:
        """Say of each row whether git has done it, by the refs as they are known now."""
        if not self._begun:
            return
        outcomes = [
            (row, "done" if self._is_done(update, refs, repository) else "failed")
            for row, update in self._begun
        ]
        await self._database.write(Settled(self._actor.workspace, outcomes))

    @staticmethod
    def _is_done(update: RefUpdate, refs: Refs | None, repository: Repository) -> bool:
        if refs is not None and (refs.get(update.ref) or ZERO) == update.new:
            return update.new != ZERO or update.ref.startswith(LISTED)
        return _stands(repository, update.ref, update.new)


LISTED = tuple(f"{root}/" for root in ROOTS)


def _entry(actor: Actor, update: RefUpdate, namespace: str, now: int) -> AuditRow:
    if update.ref.startswith(TAG_PREFIX):
        name, version = split_tag_ref(update.ref)
        return actor.did(
            "create_prompt", now, prompt_name=name, version_tag=version, target_id=name
        )
    if update.ref.startswith(namespace + "/"):
        try:
            name, label = split_label_ref(update.ref, namespace=namespace)
        except Invalid:
            return actor.did("push", now, target_id=text_of_ref(update.ref))
        kind = "create" if update.old == ZERO else "move"
        return actor.did(f"label:{kind}", now, prompt_name=name, target_id=label)
    return actor.did("push", now, target_id=text_of_ref(update.ref))


def settle_pending(database: Database, sources: Callable[[str], Source | None]) -> None:
    """After a crash: what was begun is done if its ref has what it should have."""
    for row, expected in database.read_now(Pending()):
        workspace = expected.entry.workspace
        source = sources(workspace)
        done = source is not None and _stands(source.repository, expected.ref, expected.oid)
        outcome = "done" if done else "failed"
        if done and expected.entry.action == "evaluation:delete":
            # the second half of a deletion that was cut short
            suites.forget_now(database, workspace, expected.entry.target_id or "")
        database.write_now(Settled(workspace, [(row, outcome)]))
        log.warning("settled what was begun", action=expected.entry.action, outcome=outcome)


def note_tampering(database: Database, clock: Clock, workspace: str, ref: str) -> None:
    """Write down, once, that a published tag was moved or deleted; nobody knows by whom."""
    name, version = split_tag_ref(ref)
    row = Actor(workspace, audit.GIT).did(
        "tag:tampered", clock(), prompt_name=name, version_tag=version, target_id=ref
    )
    database.write_now(NotedOnce(row))


def _stands(repository: Repository, ref: str, oid: str) -> bool:
    """Whether a ref is at, or has since moved on from, what was to be there."""
    try:
        tip = repository.line("rev-parse", "--verify", "--quiet", ref)
        if tip == oid or oid == ZERO:
            return tip == oid or not tip
        return bool(tip) and repository.descends(tip, oid)
    except GitpromptError:
        return False
