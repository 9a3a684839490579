# SPDX-License-Identifier: Apache-2.0
"""A plan is applied to the index, inside one transaction: ties, pins, tampering, labels, suites."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gitprompt.core.document import SETTINGS, SUITES
from gitprompt.core.labels import label_ref, split_label_ref
from gitprompt.core.names import fold
from gitprompt.core.publication import LabelHistory, Pin, Rejection, Suite, Tampering, Version
from gitprompt.core.settings import Settings
from gitprompt.core.twins import Spellings, Taken, case_twin
from gitprompt.core.versions import is_version, precedence, rank, split_tag_ref, tag_ref
from gitprompt.errors import Conflict, Invalid
from gitprompt.git.kept import Kept
from gitprompt.git.objects import ObjectReader, Signature
from gitprompt.git.refs import ZERO, Refs, RefUpdate
from gitprompt.registry.labels import is_bare, load_label
from gitprompt.registry.sync.pinned import documents_of
from gitprompt.registry.sync.plan import Plan
from gitprompt.registry.sync.source import Outcome, Source
from gitprompt.registry.tip import load_suites, suites_tree
from gitprompt.registry.versions import Loaded
from gitprompt.store.database import Database
from gitprompt.store.index.writer import IndexWriter, PromptRow, WorkspaceRow
from gitprompt.store.tables.pins import NewPins

PIN_REF = "refs/gitprompt/pins"
_PIN_TRIES = 5

Chunks = Iterator[list[Loaded | Rejection]]


class _Newest(NamedTuple):
    """The newest of a prompt's versions that this reconciliation brings."""

    version: Version
    updated_at: int
    tags: Sequence[str]


@dataclass(kw_only=True)
class Application:
    """One reconciliation of one workspace."""

    source: Source
    reader: ObjectReader
    refs: Refs
    row: WorkspaceRow | None
    settings: Settings
    was_rejected: AbstractSet[str]
    disputed: Mapping[str, str | None]
    index: IndexWriter
    database: Database
    kept: Kept
    now: int
    prompts: dict[str, _Newest] = field(default_factory=dict)
    added: int = 0
    rejected: int = 0
    tampered: list[str] = field(default_factory=list)
    moves: Counter[str] = field(default_factory=Counter)

    @property
    def workspace(self) -> str:
        return self.source.workspace

    def apply(self, steps: Plan, loaded: Chunks, broken: Rejection | None) -> Outcome:
        """`loaded` is what the fresh tags publish; `broken` what is wrong with the settings."""
        branch, head = self.refs.head
        if steps.left is not None:
            self.index.remove_labels(self.workspace)
            self.index.unreject_below(self.workspace, steps.left + "/")
        if steps.restores:
            self._restore_pins()
        for ref in steps.gone:
            self.index.unreject(self.workspace, ref)
        for tag in steps.pinned:
            self._compare(*tag)
        self._add(steps.fresh, loaded)
        self._put_prompts()
        labels = self._labels(steps)
        self.index.unreject_below(self.workspace, SETTINGS)
        if broken:
            self._reject(broken)
        suites_tree = self._suites(head)
        self.index.put_workspace(
            self.workspace, WorkspaceRow(branch, head, self.settings, suites_tree)
        )
        tampered = tuple(self.tampered)
        return Outcome(True, self.added, labels, self.rejected, tampered, self.moves)

    def _reject(self, rejection: Rejection) -> None:
        self.rejected += 1
        self.index.reject(self.workspace, rejection)

    def _add(self, fresh: Sequence[tuple[str, str]], loaded: Chunks) -> None:
        contested = self._contested(fresh)
        groups: dict[str, list[Loaded]] = {}
        for items in loaded:
            winners: list[Loaded] = []
            for item in items:
                if isinstance(item, Rejection):
                    self._reject(item)
                elif item.ref in contested:
                    groups.setdefault(fold(item.version.name), []).append(item)
                else:
                    winners.append(item)
            self._publish(winners)
        for group in groups.values():
            self._publish(list(self._winners(group)))

    def _compare(self, ref: str, pin: Pin, oid: str | None) -> None:
        """A pinned tag: what is served stays; a tag that moved or vanished, here or at the origin, is reported."""
        if not self.index.version_like(self.workspace, pin.version.name, pin.version.version):
            self._restore([pin])
        if ref in self.disputed:
            oid = self.disputed[ref]
        elif oid != pin.version.tag:
            actual = next(self.reader.names((ref,)))
            oid = actual.oid if actual else None
        if oid == pin.version.tag:
            self.index.clear_tampering(self.workspace, ref)
        else:
            self.tampered.append(ref)
            self.index.report_tampering(self.workspace, Tampering(ref, pin.version.tag, oid))

    def _restore_pins(self) -> None:
        """After the index was deleted: everything pinned is served, tag or no tag."""
        for pins in self.database.pins(self.workspace):
            self._restore(pins)
            for pin in pins:
                ref = tag_ref(pin.version.name, pin.version.version)
                if self.refs.get(ref) is None:
                    self._compare(ref, pin, None)
        self._put_prompts()

    def _restore(self, pins: Sequence[Pin]) -> None:
        versions = [pin.version for pin in pins]
        documents = documents_of(self.reader, self.database, self.workspace, versions)
        self.index.put_versions(self.workspace, zip(versions, documents, strict=True))
        for version, document in zip(versions, documents, strict=True):
            tags = json.loads(document).get("tags", []) if document else []
            self._note(version, tags)

    def _note(self, version: Version, tags: Sequence[str]) -> None:
        """Remember the newest version of each prompt, and when its last one was made."""
        created_at = version.created_at
        newest = self.prompts.get(version.name)
        if newest is not None:
            created_at = max(created_at, newest.updated_at)
        if newest is None or rank(version.version) > rank(newest.version.version):
            self.prompts[version.name] = _Newest(version, created_at, tags)
        elif created_at > newest.updated_at:
            self.prompts[version.name] = newest._replace(updated_at=created_at)

    def _put_prompts(self) -> None:
        """Derive the rows of the prompts that have new versions."""
        rows: dict[str, PromptRow] = {}
        for name, newest in self.prompts.items():
            tags = json.dumps(newest.tags, ensure_ascii=False)
            row = PromptRow(newest.version.version, newest.updated_at, tags)
            before = self.index.prompt(self.workspace, name) if self.row else None
            rows[name] = before.joined(row) if before else row
        self.index.put_prompts(self.workspace, rows)

    def _contested(self, fresh: Sequence[tuple[str, str]]) -> set[str]:
        """The new tags of which only some can be served: case twins, equal precedence."""
        by_name: dict[str, dict[str, str]] = {}
        for ref, _ in fresh:
            name, version = split_tag_ref(ref)
            by_name.setdefault(name, {})[ref] = version
        spellings: dict[str, list[str]] = {}
        for name in by_name:
            spellings.setdefault(fold(name), []).append(name)
        return {
            ref
            for names in spellings.values()
            for name in names
            if len(names) > 1 or self._is_contested(name, by_name[name])
            for ref in by_name[name]
        }

    def _is_contested(self, name: str, tags: Mapping[str, str]) -> bool:
        """Whether two of a prompt's tags (ref → version), new or indexed, cannot both be served."""
        versions = list(filter(is_version, tags.values()))
        if len({precedence(version) for version in versions}) < len(versions):
            return True
        if self.row is None and not self.prompts:
            return False  # there is no index yet
        owner = self.index.name_like(self.workspace, name)
        if owner is None:
            return False
        return owner != name or any(
            self._served(name, version) not in (None, version) for version in versions
        )

    def _served(self, name: str, version: str) -> str | None:
        """The indexed version of equal precedence, whatever its spelling."""
        return (
            self.index.version_like(self.workspace, name, version) if is_version(version) else None
        )

    def _winners(self, group: list[Loaded]) -> Iterator[Loaded]:
        """What is served already wins, then the older, then byte order."""
        group.sort(key=lambda item: (item.version.created_at, item.ref.encode()))
        twins = Taken()
        for item in group:
            name, version = item.version.name, item.version.version
            owner, served = self.index.name_like(self.workspace, name), self._served(name, version)
            if owner is not None:
                twins.add_name(owner)
            if served is not None:
                twins.add(name, served)
            objection = twins.objection(name, version)
            if objection is None:
                twins.add(name, version)
                yield item
            else:
                self._reject(Rejection(item.ref, item.version.tag, (objection,)))

    def _publish(self, chunk: Sequence[Loaded]) -> None:
        """Keep alive, then pin, then commit the index: what is served is remembered, and what is
        remembered has its bytes, whenever the process dies."""
        if not chunk:
            return
        if self.source.owned:
            self._keep_alive([blob for item in chunk for blob in item.version.blobs])
        versions = [item.version for item in chunk]
        documents = [item.document for item in chunk]
        pinned = self.database.start(NewPins(self.workspace, versions, documents, self.now))
        self.index.put_versions(self.workspace, ((item.version, item.document) for item in chunk))
        for item in chunk:
            if item.ref in self.was_rejected:
                self.index.unreject(self.workspace, item.ref)
            self._note(item.version, item.tags)
        self.added += len(chunk)
        for pin in pinned.result():  # another node was faster, and saw another tag
            self._restore([pin])
            self._compare(tag_ref(pin.version.name, pin.version.version), pin, None)

    def _keep_alive(self, blobs: Sequence[str]) -> None:
        """One commit on a hidden ref holds the new documents, so that no gc can take them."""
        writer = self.kept.writer(self.source.repository)
        tree = writer.tree([(blob, blob) for blob in dict.fromkeys(blobs)])
        author = Signature("gitprompt", "gitprompt@localhost", self.now)
        for attempt in range(_PIN_TRIES):
            before = next(self.reader.names((PIN_REF,)))
            parents = [before.oid] if before else []
            commit = writer.commit(tree, parents, f"Pin {len(blobs)} documents\n", author)
            try:
                writer.move_ref(RefUpdate(PIN_REF, before.oid if before else ZERO, commit))
                return
            except Conflict:  # another process, such as a restore, moved it just now
                if attempt + 1 == _PIN_TRIES:
                    raise

    def _labels(self, steps: Plan) -> int:
        for item in steps.misnamed:
            self._reject(item)
        touched = dict(steps.labels)
        for name in self.prompts if self.row else ():
            if self.index.has_unsettled_labels(self.workspace, name, self.settings.namespace):
                touched.setdefault(name, set())
        for name, refs in sorted(touched.items()):
            self._labels_of(name, refs)
        return sum(len(refs) for refs in touched.values())

    def _labels_of(self, name: str, changed: AbstractSet[str]) -> None:
        """All labels of a prompt together: two that differ only in case cannot both exist."""
        refs = self.index.label_refs(self.workspace, name, self.settings.namespace)
        for ref in changed:
            oid = self.refs.get(ref)
            if oid is None:
                refs.pop(ref, None)
            else:
                refs[ref] = oid
            self.index.unreject(self.workspace, ref)
        outcomes = [self._load_label(ref, tip) for ref, tip in sorted(refs.items())]
        if self.row is not None and self.row.settings.namespace == self.settings.namespace:
            self._count_moves(outcomes)
        self.index.remove_labels(self.workspace, name)
        labels = [item for item in outcomes if isinstance(item, LabelHistory)]
        labels.sort(key=lambda item: (item.moves[-1].created_at, item.label.encode()))
        twins = Spellings()
        for label in labels:
            ref = label_ref(name, label.label, namespace=self.settings.namespace)
            twin = twins.twin(label.label)
            if twin is not None:
                finding = case_twin(label.label, twin, kind="label")
                self._reject(Rejection(ref, label.tip, (finding,)))
                continue
            twins.add(label.label)
            self.index.unreject(self.workspace, ref)
            self.index.put_label(self.workspace, label, bare=is_bare(label))
        for item in outcomes:
            if isinstance(item, Rejection):
                self._reject(item)

    def _count_moves(self, found: Sequence[LabelHistory | Rejection]) -> None:
        for item in found:
            if isinstance(item, LabelHistory):
                before = self.index.label(self.workspace, item.name, item.label)
                new = len(item.moves) - (len(before.moves) if before else 0)
                if new > 0:
                    self.moves[item.label] += new

    def _load_label(self, ref: str, tip: str) -> LabelHistory | Rejection:
        namespace = self.settings.namespace
        before = None
        try:
            name, label = split_label_ref(ref, namespace=namespace)
            before = self.index.label(self.workspace, name, label)
        except Invalid:
            pass  # load_label says so
        known = None if before is None or is_bare(before) else before
        versions = partial(self.index.versions, self.workspace)
        return load_label(
            self.reader, ref, tip, namespace=namespace, versions=versions, known=known
        )

    def _suites(self, head: str | None) -> str | None:
        """Read the suites again where their tree changed; returns the tree they are from."""
        oid = suites_tree(self.reader, head) if head else None
        same_checks = self.row is not None and self.row.settings.checks == self.settings.checks
        if self.row is not None and oid == self.row.suites_tree and same_checks:
            return oid
        self.index.unreject_below(self.workspace, SUITES + "/")
        outcomes = list(load_suites(self.reader, head, self.settings.checks)) if head else []
        self.index.put_suites(
            self.workspace, [item for item in outcomes if isinstance(item, Suite)]
        )
        for item in outcomes:
            if isinstance(item, Rejection):
                self._reject(item)
        return oid
