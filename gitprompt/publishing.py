# SPDX-License-Identifier: Apache-2.0
"""Writes to Git over HTTP: one at a time for each workspace; built, admitted by the sync's own code,
moved at the driver first and then here, served, and only then answered.

Before refs move an audit row says so as pending, with what they shall be; after, it is settled. If
the process dies in between, the next start looks at the refs and settles it (`ledger.settle_pending`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeVar

from gitprompt.clock import Clock
from gitprompt.core.labels import Move, label_ref
from gitprompt.core.model import Finding
from gitprompt.core.publication import Version
from gitprompt.core.settings import Settings
from gitprompt.core.twins import Taken, case_twin
from gitprompt.drivers import Driver
from gitprompt.errors import Conflict, GitpromptError, NotFound, Unavailable
from gitprompt.git.kept import Kept
from gitprompt.git.objects import ObjectReader, Signature
from gitprompt.git.refs import ZERO, RefUpdate, update_refs
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry import admission, commits
from gitprompt.registry.commits import Draft, SuiteChange
from gitprompt.registry.refwrites import label_commit
from gitprompt.registry.sync import Source
from gitprompt.store.database import Telemetry
from gitprompt.store.index.reader import IndexReader, StoredVersion
from gitprompt.store.tables import audit, results
from gitprompt.store.tables.audit import Actor, AuditRow, Expected
from gitprompt.workspaces import Workspaces

_TRIES = 5  # a branch may move under us; a version or a label that did is somebody else's
_SYNC_WAITS = (0.05, 0.5)  # seconds before a sync that failed is tried again
Made = TypeVar("Made")


class Published(NamedTuple):
    commit: str
    created_at: int
    on_branch: bool


class LabelMoved(NamedTuple):
    commit: str
    previous: str | None


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

    def unmoved(self, updates: Sequence[RefUpdate]) -> Sequence[RefUpdate]:
        """The condition under which the settings hold: the default branch stays where it is, unless
        it is moved by the same transaction."""
        if self.branch is None or any(update.ref == self.branch for update in updates):
            return ()
        tip = self.tip or ZERO
        return (RefUpdate(self.branch, tip, tip),)


class Built(NamedTuple, Generic[Made]):
    """What a write has made, and the updates that publish it; the last is what it is about."""

    made: Made
    updates: Sequence[RefUpdate]


class Writes:
    def __init__(
        self,
        *,
        workspaces: Workspaces,
        index: IndexReader,
        telemetry: Telemetry,
        driver: Driver,
        clock: Clock,
        kept: Kept,
    ) -> None:
        self._workspaces = workspaces
        self._index = index
        self._telemetry = telemetry
        self._driver = driver
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._kept = kept

    async def publish(
        self, actor: Actor, key_id: int, name: str, version: str, document: Mapping[str, Any]
    ) -> Published:
        """Publish a document as a version. Raises Conflict if it exists in any spelling, and
        Invalid if the sync would not take what is published."""
        source = await self._workspaces.create(actor.workspace)
        async with self._writing(source):
            self._refuse_twins(source.workspace, name, version)
            newest = self._newest(source.workspace, name)
            now = self._clock()
            author = signature(actor, key_id, now)
            message = f"{name} {version}\n\nPublished over HTTP with the key '{author.name}' ({key_id}).\n"

            def build(ground: Ground) -> Built[commits.Publication]:
                draft = Draft(name, version, document, newest, ground.movable, ground.tip)
                made = commits.publication(ground.writer, draft, author, message)
                tag = made.updates[-1]
                # On the branch, its new tip has the settings of the old: only the document differs.
                settings = ground.settings()
                admission.admit_version(ground.reader, tag.ref, tag.new, document, settings)
                return Built(made, (*ground.unmoved(made.updates), *made.updates))

            entry = actor.did(
                "create_prompt", now, prompt_name=name, version_tag=version, target_id=name
            )
            made = await self._write(source, build, entry)
            if self._index.version(source.workspace, name, version) is None:
                raise _overtaken(f"{name} {version}")
        return Published(made.commit, now, made.on_branch)

    def _refuse_twins(self, workspace: str, name: str, version: str) -> None:
        owner = self._index.name_like(workspace, name)
        twin = self._index.version_like(workspace, name, version)
        taken = Taken()
        if owner is not None:
            taken.add_name(owner)
        if twin is not None:
            taken.add(name, twin)
        _refuse(taken.objection(name, version))
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
        check: Callable[[Settings, str | None], None],
    ) -> LabelMoved:
        """Point a label at a version, or remove it (`found` None): one commit on its ref. `check`
        raises if the settings, or the version that the label points at now, do not allow that."""
        source = self._workspaces.source(actor.workspace)
        if source is None:
            raise NotFound("Label not found" if found is None else "Prompt not found")
        version = found.version if found else None
        async with self._writing(source):
            row = self._index.label_tip(source.workspace, name, label)
            tip, previous = row or (None, None)
            check(self._index.settings(source.workspace), previous)
            twin = self._index.label_like(source.workspace, name, label)
            if twin is not None and twin != label:
                _refuse(case_twin(label, twin, kind="label"))
            now = self._clock()
            author = signature(actor, key_id, now)
            move = Move(name, label, version.version if version else None, previous, reason)

            def build(ground: Ground) -> Built[str]:
                settings = ground.settings()
                check(settings, previous)  # nobody can have relaxed it since, nor tightened it
                ref = label_ref(name, label, namespace=settings.namespace)
                standing = ground.writer.ref(ref)
                if standing != tip:
                    raise Conflict("The label was moved meanwhile", hint="Look, and try again.")
                parent = ground.writer.commit_of(standing) if standing else None
                commit = label_commit(ground.writer, move, version, parent=parent, author=author)
                admission.admit_label(
                    ground.reader, ref, commit, version=move.version, parent=parent,
                    settings=settings, versions=lambda _name: [version] if version else [],
                )  # fmt: skip
                update = RefUpdate(ref, standing or ZERO, commit)
                return Built(commit, (*ground.unmoved((update,)), update))

            kind = "delete" if version is None else "create" if previous is None else "move"
            entry = actor.did(
                f"label:{kind}", now, prompt_name=name, version_tag=move.version, target_id=label
            )
            commit = await self._write(source, build, entry)
            served = self._index.label_tip(source.workspace, name, label)
            if (served[1] if served else None) != move.version:
                raise _overtaken(f"the label {label} of {name}")
        return LabelMoved(commit, previous)

    async def change_suite(self, actor: Actor, key_id: int, change: SuiteChange) -> None:
        """Commit a suite's file to the default branch, or its removal.

        A suite whose file went with a push keeps its number and results, for when the file comes
        back; one that is created again under its name starts without them.
        """
        if change.document is None:
            source = self._workspaces.source(actor.workspace)
            if source is None:
                raise NotFound("Evaluation not found")
        else:
            source = await self._workspaces.create(actor.workspace)
        async with self._writing(source):
            now = self._clock()
            author = signature(actor, key_id, now)
            verb = "Remove" if change.document is None else "Add"
            message = f"{verb} the suite {change.name}\n\nOver HTTP with the key '{author.name}'.\n"

            def build(ground: Ground) -> Built[str]:
                if source.repository.work_tree is not None and not source.owned:
                    raise Conflict(
                        "The default branch is checked out in a work tree",
                        hint="Commit the suite there; it appears by itself.",
                    )
                commit, update = commits.suite_commit(
                    ground.writer, change, ground.movable, author, message
                )
                if change.document is not None:
                    settings = ground.settings()
                    admission.admit_suite(ground.reader, commit, change.name, settings)
                return Built(commit, (update,))

            action = "evaluation:delete" if change.document is None else "evaluation:create"
            given = change.document or {}
            entry = actor.did(
                action, now, prompt_name=given.get("prompt_name"),
                version_tag=given.get("version_tag"), target_id=change.name,
            )  # fmt: skip

            async def forget_predecessor() -> None:
                number = self._telemetry.read_now(results.numbered, source.workspace)
                if change.document is not None and change.name in number:
                    suite = source.workspace, number[change.name].id
                    await self._telemetry.write(results.forget, suite)

            await self._write(source, build, entry, moved=forget_predecessor)
            is_served = change.name in self._index.suites(source.workspace)
            if is_served != (change.document is not None):
                raise _overtaken(f"the suite {change.name}")

    # the one way

    @asynccontextmanager
    async def _writing(self, source: Source) -> AsyncIterator[None]:
        """Alone in a workspace, with the index as Git is: whoever writes decides by both."""
        async with self._locks.setdefault(source.workspace, asyncio.Lock()):
            await self._workspaces.reconcile(source.workspace)
            yield

    async def _write(
        self,
        source: Source,
        build: Callable[[Ground], Built[Made]],
        entry: AuditRow,
        *,
        moved: Callable[[], Awaitable[None]] | None = None,
    ) -> Made:
        """Build, say what shall be, move the refs, serve; again where only a branch moved. `moved`
        is called between the last two: what was written exists, and nobody sees it yet."""
        for attempt in range(_TRIES):
            made, updates = await asyncio.to_thread(self._build, source, build)
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
                if moved is not None:
                    await moved()
                await self._serve(source, wanted.ref)
            finally:  # it is done even where serving it has to wait for the next sync
                await self._telemetry.write(audit.finish, [(pending, "done")])
            return made
        raise AssertionError("the last try returns or raises")

    def _build(self, source: Source, build: Callable[[Ground], Built[Made]]) -> Built[Made]:
        with self._kept.reader(source.repository) as reader:
            branch, tip = source.repository.refs(
                before=self._workspaces.refs(source.workspace)
            ).head
            is_checked_out = source.repository.work_tree is not None and not source.owned
            movable = None if is_checked_out else branch
            writer = self._kept.writer(source.repository)
            return build(Ground(writer, reader, branch, tip, movable))

    def _move(self, source: Source, updates: Sequence[RefUpdate]) -> None:
        """Move the refs, at the origin first. What git says of it counts for less than where the
        refs are: a process may fail after it has moved them."""
        if self._driver.is_mirror:  # else this repository is the origin
            self._driver.push(source.workspace, source.repository, updates)
        try:
            update_refs(source.repository, updates, message="gitprompt: over HTTP")
        except GitpromptError:
            writer = self._kept.writer(source.repository)
            if any((writer.ref(update.ref) or ZERO) != update.new for update in updates):
                raise

    async def _serve(self, source: Source, ref: str) -> None:
        """Sync what was written. It cannot be taken back any more, so that a sync that fails is
        tried again, and never told as if nothing had been written."""
        for wait in (*_SYNC_WAITS, None):
            try:
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


def signature(actor: Actor, key_id: int, now: int) -> Signature:
    """The author of a commit is the key that wrote it."""
    name = re.sub(r"[<>\n\0]", "", actor.key_name).strip(" .,:;'\"") or "key"
    return Signature(name, f"key-{key_id}@gitprompt.invalid", now)


def _refuse(objection: Finding | None) -> None:
    """What stands in the way of a write is a Conflict."""
    if objection is not None:
        raise Conflict(objection.message, hint=objection.hint)


def _overtaken(what: str) -> Conflict:
    """Between our move and the sync somebody else's push changed what is valid here."""
    return Conflict(
        f"{what} was written, and a change that came at the same moment keeps it from being served",
        hint="GET /v1/sync says why.",
    )
