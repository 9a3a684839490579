# SPDX-License-Identifier: Apache-2.0
"""What clients write over HTTP: a version is published, a label moves, a suite comes or goes.

Each is checked, held against what exists and against the policy of the repository, built as
objects, read once more by the sync's own code (`registry/admission`), and only then moved and
served (`transaction`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import EllipsisType
from typing import Any, NamedTuple, Protocol

from gitprompt import gates, suites
from gitprompt.clock import Clock
from gitprompt.core.labels import MoveRecord, check_label, label_ref, refuse_other
from gitprompt.core.model import Finding
from gitprompt.core.names import is_name
from gitprompt.core.publication import Version
from gitprompt.core.settings import Settings
from gitprompt.core.twins import Spellings, Taken, case_twin
from gitprompt.core.versions import is_version, rank
from gitprompt.drivers.claims import Stale
from gitprompt.errors import BadRequest, Conflict, Forbidden, GitpromptError, NotFound
from gitprompt.gates import Facts
from gitprompt.git.objects import Signature
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.registry import admission, commits
from gitprompt.registry.commits import Draft, SuiteChange, suite_file
from gitprompt.registry.refwrites import label_commit
from gitprompt.registry.sync import Source
from gitprompt.registry.versions import Severities
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader, StoredVersion
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pins import OnePin
from gitprompt.store.tables.suites import SuiteRemoval
from gitprompt.suites import Suites, check_suite
from gitprompt.transaction import Built, Ground, Transactions, again
from gitprompt.workspaces import Workspaces

_TRIES = 3
_MANY = 10  # documents whose objects are worth a pack


class Author(NamedTuple):
    """Who writes: the key, its scopes, and what the audit says of it."""

    actor: Actor
    key_id: int
    scopes: frozenset[str]

    def signature(self, now: int) -> Signature:
        """The author of a commit is the key that wrote it."""
        name = re.sub(r"[<>\n\0]", "", self.actor.key_name).strip(" .,:;'\"") or "key"
        return Signature(name, f"key-{self.key_id}@gitprompt.invalid", now)


class Published(NamedTuple):
    """A new version. `on_branch`: its commit is on the default branch, and not beside it."""

    name: str
    version: str
    commit: str
    created_at: int
    on_branch: bool


class LabelMoved(NamedTuple):
    """A label that points at `version` now, and pointed at `previous` before (None: nothing)."""

    version: str
    previous: str | None
    commit: str


class Checker(Protocol):
    """Checks large documents where that holds nobody; see `server.work.requests`."""

    async def check(
        self,
        workspace: str,
        documents: Sequence[Any],
        severities: Severities,
        *,
        has_fragments: bool,
    ) -> Mapping[int, GitpromptError]: ...


class Publishing:
    def __init__(
        self,
        *,
        transactions: Transactions,
        workspaces: Workspaces,
        index: IndexReader,
        database: Database,
        suites: Suites,
        clock: Clock,
        checker: Checker,
    ) -> None:
        self._checker = checker
        self._transactions = transactions
        self._workspaces = workspaces
        self._index = index
        self._database = database
        self._suites = suites
        self._clock = clock

    # versions

    async def publish(self, by: Author, document: Mapping[str, Any]) -> Published:
        """Publish a document as the version that it names. Raises Conflict if that exists in any
        spelling, and Invalid if a check finds an error or the sync would not take what is built:
        a document that includes fragments is checked with those of the default branch's tip."""
        (outcome,) = await self.publish_all(by, [document])
        if isinstance(outcome, GitpromptError):
            raise outcome
        return outcome

    async def publish_all(
        self, by: Author, documents: Sequence[Any]
    ) -> list[Published | GitpromptError]:
        """Publish documents, each as `publish` does it. What cannot go in is refused with its reason,
        and all the rest goes in together: one transaction of refs, one sync."""
        workspace = by.actor.workspace
        severities = self._index.settings(workspace).checks
        outcomes: dict[int, Published | GitpromptError] = {}
        is_new = self._workspaces.source(workspace) is None
        if admission.is_small(documents):
            outcomes.update(admission.check_all(documents, severities, has_fragments=not is_new))
        else:
            outcomes.update(
                await self._checker.check(
                    workspace, documents, severities, has_fragments=not is_new
                )
            )
        if len(outcomes) < len(documents):
            source = await self._workspaces.create(workspace)
            async with self._transactions.alone(source):
                for attempt in range(_TRIES):
                    try:
                        await self._publish_group(by, source, documents, outcomes)
                        break
                    except Conflict:  # a push was faster with one of them
                        if attempt + 1 == _TRIES:
                            raise
                        await self._workspaces.reconcile(workspace)
        return [outcomes[at] for at in range(len(documents))]

    async def _publish_group(
        self,
        by: Author,
        source: Source,
        documents: Sequence[Any],
        outcomes: dict[int, Published | GitpromptError],
    ) -> None:
        """Publish what has no outcome yet, which is checked already."""
        workspace, now = by.actor.workspace, self._clock()
        twins = Taken()
        planned: set[tuple[str, str]] = set()
        group: list[tuple[int, str, str]] = []
        for at, document in enumerate(documents):
            if at in outcomes:
                continue
            name, version = document["name"], document["version"]
            try:
                if (name, version) in planned:
                    raise _exists()
                await self._refuse_twins(workspace, name, version)
                _refuse(twins.objection(name, version))
            except GitpromptError as error:
                outcomes[at] = error
                continue
            twins.add(name, version)
            planned.add((name, version))
            group.append((at, name, version))

        def build(ground: Ground) -> Built[dict[int, Published | GitpromptError]]:
            return self._build_group(ground, by, documents, group, now)

        made = await self._transactions.write(source, build) if group else {}
        outcomes.update(made)
        for at, name, version in group:
            served = self._index.version(workspace, name, version)
            if served is None and isinstance(made[at], Published):
                outcomes[at] = _overtaken(f"{name} {version}")

    def _build_group(
        self,
        ground: Ground,
        by: Author,
        documents: Sequence[Any],
        group: Sequence[tuple[int, str, str]],
        now: int,
    ) -> Built[dict[int, Published | GitpromptError]]:
        """The objects of a group, read once more; without those that cannot go in, if there are any."""
        settings = ground.settings()
        root = ground.root(settings)
        author = by.signature(now)
        of_key = f"Published over HTTP with the key '{author.name}' ({by.key_id}).\n"
        made: dict[int, Published | GitpromptError] = {}
        while True:
            writer = ground.writer.in_memory() if len(group) >= _MANY else ground.writer
            tip = ground.tip
            newest = {name: self._newest(by.actor.workspace, name) for _, name, _ in group}
            built: dict[int, commits.PublicationCommit] = {}
            for at, name, version in group:
                draft = Draft(name, version, documents[at], newest[name], ground.movable, tip, root)
                try:
                    publication = commits.publication(
                        writer, draft, author, f"{name} {version}\n\n{of_key}"
                    )
                    admission.admit_branch(settings, ground.branch, is_on_it=publication.on_branch)
                except GitpromptError as error:
                    made[at] = error
                    continue
                built[at] = publication
                tip = publication.commit if publication.on_branch else tip
                newest[name] = _newer(newest[name], draft, publication)
            writer.store()
            refused = admission.refused_versions(
                ground.reader,
                {at: (p.updates[-1], p.document) for at, p in built.items()},
                settings,
            )
            made.update(refused)
            if not refused:
                break
            group = [item for item in group if item[0] not in made]
        records = []
        for at, publication in built.items():
            name, version = documents[at]["name"], documents[at]["version"]
            made[at] = Published(name, version, publication.commit, now, publication.on_branch)
            entry = by.actor.did(
                "create_prompt", now, prompt_name=name, version_tag=version, target_id=name
            )
            records.append((entry, publication.updates[-1]))
        updates = [tag for _, tag in records]
        if ground.branch is not None and tip is not None and tip != ground.tip:
            updates.insert(0, RefUpdate(ground.branch, ground.tip or ZERO, tip))
        unmoved = ground.unmoved(updates) if updates else ()
        return Built(made, (*unmoved, *updates), records)

    async def _refuse_twins(self, workspace: str, name: str, version: str) -> None:
        owner = self._index.name_like(workspace, name)
        twin = self._index.version_like(workspace, name, version)
        twins = Taken()
        if owner is not None:
            twins.add_name(owner)
        if twin is not None:
            twins.add(name, twin)
        _refuse(twins.objection(name, version))
        pin = await self._database.read(OnePin(workspace, name, version))
        if twin is not None or pin is not None:
            raise _exists()

    def _newest(self, workspace: str, name: str) -> tuple[Version, Mapping[str, Any]] | None:
        latest = self._index.latest(workspace, name)
        stored = self._index.version(workspace, name, latest) if latest else None
        return (stored.version, stored.value) if stored else None

    # labels

    async def create_label(
        self, by: Author, name: str, label: str, version: str | None, *, reason: str
    ) -> LabelMoved:
        """Point a new label at a version, the newest if None. Raises Conflict if it exists."""
        check_label(label)

        def is_new(current: str | None) -> None:
            if current is not None:
                raise Conflict("Label already exists", hint=f"Move it: PUT …/labels/{label}.")

        target = self._target(by.actor.workspace, name, version)
        previous, commit = await self._move(by, name, label, target, reason, then=is_new)
        return LabelMoved(target.version.version, previous, commit)

    async def move_label(
        self,
        by: Author,
        name: str,
        label: str,
        version: str | None,
        *,
        reason: str,
        expected: str | EllipsisType | None = ...,
    ) -> LabelMoved:
        """Point a label, new or not, at a version, the newest if None. With `expected`, only if it
        points at that version now, or at nothing if that is None; otherwise raises Conflict."""
        check_label(label)

        target = self._target(by.actor.workspace, name, version)
        is_expected = partial(refuse_other, expected=expected)
        move = partial(self._move, by, name, label, target, reason, then=is_expected)
        previous, commit = await again(move)
        return LabelMoved(target.version.version, previous, commit)

    async def remove_label(
        self, by: Author, name: str, label: str, *, reason: str, expected: str | EllipsisType = ...
    ) -> str:
        """Returns the commit. With `expected`, only if it points at that version now; otherwise raises
        Conflict. Raises NotFound if it points at nothing."""

        def exists(current: str | None) -> None:
            if current is None:
                raise NotFound("Label not found")
            refuse_other(current, expected)

        _, commit = await again(partial(self._move, by, name, label, None, reason, first=exists))
        return commit

    def _target(self, workspace: str, name: str, version: str | None) -> StoredVersion:
        """The version that a label must point at; the newest if none is named."""
        latest = self._index.latest(workspace, name) if is_name(name) else None
        if latest is None:
            raise NotFound("Prompt not found")
        number = latest if version is None else version
        stored = self._index.version(workspace, name, number) if is_version(number) else None
        if stored is None:
            raise BadRequest(f"Version {number[:80]} of {name} does not exist")
        return stored

    async def _move(
        self,
        by: Author,
        name: str,
        label: str,
        target: StoredVersion | None,
        reason: str,
        *,
        first: Callable[[str | None], None] = lambda _current: None,
        then: Callable[[str | None], None] = lambda _current: None,
    ) -> tuple[str | None, str]:
        """Point a label at a version, or remove it (`target` None): one commit on its ref. `first`
        and `then` raise if what it points at now does not allow that, around what the gates say.
        Returns the version that it pointed at, and the commit. Raises Stale if it moved meanwhile."""
        source = self._workspaces.source(by.actor.workspace)
        if source is None:
            raise NotFound("Label not found" if target is None else "Prompt not found")
        version = target.version if target else None
        async with self._transactions.alone(source):
            row = self._index.label_tip(source.workspace, name, label)
            tip, previous = row or (None, None)
            move = MoveRecord(name, label, version.version if version else None, previous, reason)

            def allow(settings: Settings) -> None:
                first(previous)
                refusal = gates.judge(move, Facts(settings, by.scopes))
                if refusal is not None:
                    raise Forbidden(refusal.message, hint=refusal.hint)
                then(previous)

            allow(self._index.settings(source.workspace))
            twin = self._index.label_like(source.workspace, name, label)
            if twin is not None and twin != label:
                _refuse(case_twin(label, twin, kind="label"))
            now = self._clock()
            author = by.signature(now)

            def build(ground: Ground) -> Built[str]:
                settings = ground.settings()
                allow(settings)  # nobody can have relaxed it since, nor tightened it
                ref = label_ref(name, label, namespace=settings.namespace)
                standing = ground.writer.ref(ref)
                # In a clone a label that was fetched stands in for one that is not there yet.
                stood_in = standing is None and source.is_checked_out
                if standing != tip and not stood_in:
                    raise Stale("The label was moved meanwhile", hint="Look, and try again.")
                parent = ground.writer.commit_of(tip) if tip else None
                commit = label_commit(ground.writer, move, version, parent=parent, author=author)
                admission.admit_label(
                    ground.reader, ref, commit, version=move.version, parent=parent,
                    settings=settings, versions=lambda _name: [version] if version else [],
                )  # fmt: skip
                update = RefUpdate(ref, standing or ZERO, commit)
                return Built(commit, (*ground.unmoved((update,)), update))

            kind = "delete" if version is None else "create" if previous is None else "move"
            entry = by.actor.did(
                f"label:{kind}", now, prompt_name=name, version_tag=move.version, target_id=label
            )
            commit = await self._transactions.write(source, build, entry)
            served = self._index.label_tip(source.workspace, name, label)
            if (served[1] if served else None) != move.version:
                raise _overtaken(f"the label {label} of {name}")
        return previous, commit

    # suites

    async def create_suite(self, by: Author, document: Mapping[str, Any]) -> None:
        """Commit the file of a suite to the default branch. Raises Conflict if it exists.

        A suite whose file went with a push keeps its number and results, for when the file comes
        back; one that is created again under its name starts without them.
        """
        name, file = document["name"], suite_file(document)
        workspace = by.actor.workspace
        check_suite(name, file, self._index.settings(workspace).checks)
        names = self._index.suites(workspace)
        if name in names:
            raise Conflict("Evaluation already exists")
        twin = Spellings(names).twin(name)
        if twin is not None:
            _refuse(case_twin(name, twin))
        source = await self._workspaces.create(workspace)

        async def forget_predecessor() -> None:
            await suites.forget(self._database, workspace, name)

        await self._commit_suite(
            by, source, SuiteChange(name, document, file), moved=forget_predecessor
        )

    async def delete_suite(self, by: Author, text: str) -> None:
        """Commit the removal of a suite's file, and forget its results. `text`: number or name."""
        suite = await self._suites.find(by.actor.workspace, text)
        source = self._workspaces.source(by.actor.workspace)
        if source is None:
            raise NotFound("Evaluation not found")
        await self._commit_suite(by, source, SuiteChange(suite.name, None))
        await self._database.write(SuiteRemoval(by.actor.workspace, suite.id))

    async def _commit_suite(
        self,
        by: Author,
        source: Source,
        change: SuiteChange,
        *,
        moved: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        async with self._transactions.alone(source):
            now = self._clock()
            author = by.signature(now)
            verb = "Remove" if change.document is None else "Add"
            message = f"{verb} the suite {change.name}\n\nOver HTTP with the key '{author.name}'.\n"

            def build(ground: Ground) -> Built[str]:
                if source.is_checked_out:
                    raise Conflict(
                        "The default branch is checked out in a work tree",
                        hint="Commit the suite there; it appears by itself.",
                    )
                settings = ground.settings()
                commit, update = commits.suite_commit(
                    ground.writer, change, ground.movable, author, message,
                    root=ground.root(settings),
                )  # fmt: skip
                if change.document is not None:
                    admission.admit_suite(ground.reader, commit, change.name, settings)
                return Built(commit, (update,))

            document = change.document or {}
            entry = by.actor.did(
                "evaluation:delete" if change.document is None else "evaluation:create", now,
                prompt_name=document.get("prompt_name"),
                version_tag=document.get("version_tag"), target_id=change.name,
            )  # fmt: skip
            await self._transactions.write(source, build, entry, moved=moved)
            is_served = change.name in self._index.suites(source.workspace)
            if is_served != (change.document is not None):
                raise _overtaken(f"the suite {change.name}")


def _exists() -> Conflict:
    return Conflict("Prompt already exists", hint="Versions are immutable: choose the next one.")


def _newer(
    newest: tuple[Version, Mapping[str, Any]] | None,
    draft: Draft,
    publication: commits.PublicationCommit,
) -> tuple[Version, Mapping[str, Any]]:
    """The newest version of a prompt after a publication that is not served yet."""
    if newest is not None and rank(draft.version) <= rank(newest[0].version):
        return newest
    version = Version(draft.name, draft.version, "", publication.commit, "", 0, "", "")
    return version, publication.document


def _refuse(objection: Finding | None) -> None:
    """What is in the way of a write is a Conflict."""
    if objection is not None:
        raise Conflict(objection.message, hint=objection.hint)


def _overtaken(what: str) -> Conflict:
    """Between our move and the sync somebody else's push changed what is valid here."""
    return Conflict(
        f"{what} was written, and a change that came at the same moment keeps it from being served",
        hint="GET /v1/sync says why.",
    )
