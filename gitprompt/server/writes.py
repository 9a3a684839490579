# SPDX-License-Identifier: Apache-2.0
"""Writes to Git over HTTP: one at a time for each workspace, through the driver first, then here,
then served, then answered.

Before refs move an audit row says so as pending, with what they shall be; after, it is settled. If
the process dies in between, the next start looks at the refs and settles it (`ledger.settle_pending`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from gitprompt import authoring
from gitprompt.authoring import Draft, SuiteChange
from gitprompt.clock import Clock
from gitprompt.core.labels import Move, label_ref
from gitprompt.core.publication import Version
from gitprompt.drivers import Driver
from gitprompt.errors import Conflict, NotFound
from gitprompt.git.kept import Kept
from gitprompt.git.objects import Signature
from gitprompt.git.refs import ZERO, RefUpdate, update_refs
from gitprompt.git.writer import ObjectWriter
from gitprompt.release import label_commit
from gitprompt.server.workspaces import Workspaces
from gitprompt.store import audit
from gitprompt.store.audit import Actor, AuditRow, Expected
from gitprompt.store.index_reader import IndexReader, StoredVersion
from gitprompt.store.telemetry import Telemetry
from gitprompt.sync import Source

_TRIES = 5  # a branch may move under us; a version or a label that did is somebody else's
Made = TypeVar("Made")


class Published(NamedTuple):
    commit: str
    created_at: int
    on_branch: bool


class LabelMoved(NamedTuple):
    commit: str
    previous: str | None


class Writes:
    def __init__(
        self,
        *,
        workspaces: Workspaces,
        index: IndexReader,
        telemetry: Telemetry,
        driver: Driver,
        clock: Clock,
    ) -> None:
        self._workspaces = workspaces
        self._index = index
        self._telemetry = telemetry
        self._driver = driver
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._kept = Kept()

    async def publish(
        self, actor: Actor, key_id: int, name: str, version: str, document: Mapping[str, Any]
    ) -> Published:
        """Publish a valid document as a version. Raises Conflict where it exists in any spelling."""
        source = await self._workspaces.create(actor.workspace)
        async with self._lock(source):
            self._refuse_twins(source.workspace, name, version)
            newest = self._newest(source.workspace, name)
            now = self._clock()
            author = signature(actor, key_id, now)
            message = f"{name} {version}\n\nPublished over HTTP with the key '{author.name}' ({key_id}).\n"

            def build(writer: ObjectWriter) -> tuple[authoring.Publication, Sequence[RefUpdate]]:
                branch = _movable_branch(source, writer)
                draft = Draft(name, version, document, newest, branch)
                made = authoring.publication(writer, draft, author, message)
                return made, made.updates

            entry = actor.did(
                "create_prompt", now, prompt_name=name, version_tag=version, target_id=name
            )
            made = await self._write(source, build, entry)
        return Published(made.commit, now, made.on_branch)

    def _refuse_twins(self, workspace: str, name: str, version: str) -> None:
        owner = self._index.name_like(workspace, name)
        if owner is not None and owner != name:
            raise Conflict(
                f"'{name}' differs only in case from '{owner}'", hint="Use one spelling."
            )
        twin = self._index.version_like(workspace, name, version)
        if twin is not None and twin != version:
            raise Conflict(f"{version} has the same precedence as {twin}, which is published")
        if twin is not None or self._telemetry.pin(workspace, name, version) is not None:
            raise Conflict(
                "Prompt already exists", hint="Versions are immutable: choose the next one."
            )

    def _newest(self, workspace: str, name: str) -> tuple[Version, Mapping[str, Any]] | None:
        latest = self._index.latest(workspace, name)
        found = self._index.version(workspace, name, latest) if latest else None
        return (found.version, found.value) if found else None

    async def move_label(
        self,
        actor: Actor,
        key_id: int,
        name: str,
        label: str,
        found: StoredVersion | None,
        *,
        reason: str,
        check: Callable[[str | None], None],
    ) -> LabelMoved:
        """Point a label at a version, or remove it (`found` None): one commit on its ref. `check`
        raises where the version it points at now does not allow that."""
        source = self._workspaces.source(actor.workspace)
        if source is None:
            raise NotFound("Label not found" if found is None else "Prompt not found")
        version = found.version if found else None
        async with self._lock(source):
            settings = self._index.settings(source.workspace)
            row = self._index.label_tip(source.workspace, name, label)
            tip, previous = row or (None, None)
            check(previous)
            twin = self._index.label_like(source.workspace, name, label)
            if twin not in (None, label):
                raise Conflict(f"'{label}' differs only in case from the label '{twin}'")
            now = self._clock()
            author = signature(actor, key_id, now)
            move = Move(name, label, version.version if version else None, previous, reason)
            ref = label_ref(name, label, namespace=settings.namespace)

            def build(writer: ObjectWriter) -> tuple[str, Sequence[RefUpdate]]:
                standing = writer.ref(ref)
                if standing != tip:
                    raise Conflict("The label was moved meanwhile", hint="Look, and try again.")
                parent = writer.commit_of(standing) if standing else None
                commit = label_commit(writer, move, version, parent=parent, author=author)
                return commit, [RefUpdate(ref, standing or ZERO, commit)]

            kind = "delete" if version is None else "create" if previous is None else "move"
            entry = actor.did(
                f"label:{kind}", now, prompt_name=name, version_tag=move.version, target_id=label
            )
            commit = await self._write(source, build, entry)
        return LabelMoved(commit, previous)

    async def change_suite(self, actor: Actor, key_id: int, change: SuiteChange) -> None:
        """Commit a suite's file to the default branch, or its removal."""
        if change.document is None:
            source = self._workspaces.source(actor.workspace)
            if source is None:
                raise NotFound("Evaluation not found")
        else:
            source = await self._workspaces.create(actor.workspace)
        async with self._lock(source):
            now = self._clock()
            author = signature(actor, key_id, now)
            verb = "Remove" if change.document is None else "Add"
            message = f"{verb} the suite {change.name}\n\nOver HTTP with the key '{author.name}'.\n"

            def build(writer: ObjectWriter) -> tuple[str, Sequence[RefUpdate]]:
                branch = _movable_branch(source, writer)
                if branch is None:
                    raise Conflict(
                        "The default branch is checked out in a work tree",
                        hint="Commit the suite there; it appears by itself.",
                    )
                commit, update = authoring.suite_commit(writer, change, branch, author, message)
                return commit, [update]

            action = "evaluation:delete" if change.document is None else "evaluation:create"
            given = change.document or {}
            entry = actor.did(
                action, now, prompt_name=given.get("prompt_name"),
                version_tag=given.get("version_tag"), target_id=change.name,
            )  # fmt: skip
            await self._write(source, build, entry)

    # the one way

    async def _write(
        self,
        source: Source,
        build: Callable[[ObjectWriter], tuple[Made, Sequence[RefUpdate]]],
        entry: AuditRow,
    ) -> Made:
        """Build, say what shall be, move the refs, serve; again where only a branch moved."""
        for attempt in range(_TRIES):
            made, updates = await asyncio.to_thread(
                lambda: build(self._kept.writer(source.repository))
            )
            wanted = updates[-1]
            pending = await self._telemetry.write(
                audit.begin, Expected(entry, wanted.ref, wanted.new)
            )
            try:
                await asyncio.to_thread(self._move, source, updates)
            except Exception as error:
                await self._telemetry.write(audit.finish, [(pending, "failed")])
                branch_only = isinstance(error, Conflict) and attempt + 1 < _TRIES
                if not branch_only or await asyncio.to_thread(self._is_taken, source, updates):
                    raise
                continue
            try:
                await self._workspaces.reconcile(source.workspace)
            finally:  # it is done even where serving it has to wait for the next sync
                await self._telemetry.write(audit.finish, [(pending, "done")])
            return made
        raise AssertionError("the last try returns or raises")

    def _move(self, source: Source, updates: Sequence[RefUpdate]) -> None:
        if self._driver.is_mirror:  # else this repository is the origin
            self._driver.push(source.workspace, source.repository, updates)
        update_refs(source.repository, updates, message="gitprompt: over HTTP")

    def _is_taken(self, source: Source, updates: Sequence[RefUpdate]) -> bool:
        """Whether a ref other than a branch moved: then somebody else was faster."""
        writer = self._kept.writer(source.repository)
        return any(
            (writer.ref(update.ref) or ZERO) != update.old
            for update in updates
            if not update.ref.startswith("refs/heads/")
        )

    def _lock(self, source: Source) -> asyncio.Lock:
        return self._locks.setdefault(source.workspace, asyncio.Lock())


def signature(actor: Actor, key_id: int, now: int) -> Signature:
    """The author of a commit is the key that wrote it."""
    name = re.sub(r"[<>\n\0]", "", actor.key_name).strip(" .,:;'\"") or "key"
    return Signature(name, f"key-{key_id}@gitprompt.invalid", now)


def _movable_branch(source: Source, writer: ObjectWriter) -> str | None:
    """The default branch, unless a work tree has it checked out."""
    if source.repository.work_tree is not None and not source.owned:
        return None
    return writer.default_branch()
