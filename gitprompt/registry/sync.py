# SPDX-License-Identifier: Apache-2.0
"""Git → index: list the refs, load only what changed, apply it in one transaction.

Level-triggered and single-flight: a poke and a poll call `reconcile`, and whoever comes second
finds nothing to do. What results depends on (Git, pins) alone and never on the order of arrival:
where two refs cannot both be served, the pinned one wins, then the older, then byte order.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from gitprompt.clock import Clock
from gitprompt.core.document import SETTINGS, SUITES
from gitprompt.core.labels import label_ref, split_label_ref
from gitprompt.core.names import fold
from gitprompt.core.publication import Label, Pin, Rejection, Suite, Tampering, Version
from gitprompt.core.twins import Spellings, Taken, case_twin
from gitprompt.core.versions import TAG_PREFIX, is_version, precedence, rank, split_tag_ref, tag_ref
from gitprompt.errors import Conflict, Invalid
from gitprompt.git.kept import Kept
from gitprompt.git.objects import ObjectReader, Signature
from gitprompt.git.refs import ZERO, Packed, Refs, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import loading
from gitprompt.registry.labels import is_bare, load_label
from gitprompt.registry.tip import load_settings, load_suites
from gitprompt.registry.versions import Loaded, load_chunks, load_pinned, rejection
from gitprompt.store.database import Telemetry
from gitprompt.store.index.writer import IndexWriter, PromptRow, WorkspaceRow

PIN_REF = "refs/gitprompt/pins"
_PIN_TRIES = 5
_CHUNK = 2_000  # versions that are loaded at once, and to one durable commit of pins

Progress = Callable[[int, int], None]


class Source(NamedTuple):
    """A workspace and its local repository. `owned`: we made it (hosted or a mirror), so a hidden
    ref may keep pinned documents alive in it."""

    workspace: str
    repository: Repository
    owned: bool

    @property
    def is_checked_out(self) -> bool:
        """Whether a person works in it: then its branch is theirs to move."""
        return self.repository.work_tree is not None and not self.owned


class Outcome(NamedTuple):
    """What a reconciliation changed. `moves`: of labels, by their names; not those that an index
    which was empty has seen for the first time."""

    changed: bool = False
    versions: int = 0
    labels: int = 0
    rejected: int = 0
    tampered: tuple[str, ...] = ()
    moves: Mapping[str, int] = {}


class Sync:
    def __init__(self, index: IndexWriter, telemetry: Telemetry, clock: Clock) -> None:
        self._index = index
        self._telemetry = telemetry
        self._clock = clock
        self._known: dict[str, Refs] = {}
        self._kept = Kept()
        self._lock = threading.Lock()

    def reconcile(self, source: Source, *, progress: Progress | None = None) -> Outcome:
        """Make the index agree with Git. Idempotent; blocks; raises GitError, Unavailable."""
        with self._lock:
            known = self._known.get(source.workspace)
            if known is not None and source.repository.is_unchanged(known):
                return Outcome()
            # git gets ready while we look at the refs
            with self._kept.reader(source.repository) as reader:
                refs = source.repository.refs(before=known)
                if known is None:
                    packed = Packed(self._index.known_refs(source.workspace))
                    known = Refs({}, packed, "")
                outcome = Outcome()
                row = self._index.workspace(source.workspace)
                changed = refs.changed_since(known)
                if changed or row is None or refs.head != (row.branch, row.head):
                    with self._index.transaction():
                        run = _Run(self, source, reader, refs, row, progress)
                        outcome = run.apply(changed)
            self._known[source.workspace] = refs
            return outcome

    def refs(self, workspace: str) -> Refs | None:
        """The refs of a workspace as the last reconciliation saw them."""
        return self._known.get(workspace)

    def checkpoint(self) -> None:
        """Bring the index's journal into its file; not part of a sync, which need not wait."""
        with self._lock:
            self._index.checkpoint()

    def close(self) -> None:
        """End the git processes that were kept."""
        with self._lock:
            self._kept.close()


class _Newest(NamedTuple):
    """The newest of a prompt's versions that this reconciliation brings."""

    version: Version
    updated_at: int
    tags: Sequence[str]


class _Run:
    """One reconciliation, inside the index's transaction."""

    def __init__(
        self,
        sync: Sync,
        source: Source,
        reader: ObjectReader,
        refs: Refs,
        row: WorkspaceRow | None,
        progress: Progress | None,
    ) -> None:
        self.kept = sync._kept
        self.index = sync._index
        self.telemetry = sync._telemetry
        self.now = sync._clock()
        self.source = source
        self.workspace = source.workspace
        self.reader = reader
        self.refs = refs
        self.row = row
        self.progress = progress
        self.prompts: dict[str, _Newest] = {}
        self.added = self.rejected = 0
        self.tampered: list[str] = []
        self.moves: Counter[str] = Counter()
        self.was_rejected = self.index.rejected_refs(self.workspace, "refs/")

    def apply(self, changed: AbstractSet[str]) -> Outcome:
        branch, head = self.refs.head
        self.settings, broken = load_settings(self.reader, head)
        before = self.row.settings if self.row else None
        if before is not None and before.namespace != self.settings.namespace:
            changed = changed | self._move_namespace(before.namespace)
        if before is not None and before.checks != self.settings.checks:
            changed = changed | self.was_rejected.keys()
        if self.row is None:
            self._restore_pins()
        self._tags(sorted(ref for ref in changed if ref.startswith(TAG_PREFIX)))
        labels = self._labels(changed)
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

    # version tags

    def _tags(self, changed: Sequence[str]) -> None:
        has_pins = self.telemetry.has_pins(self.workspace)
        fresh: list[tuple[str, str]] = []
        for ref in changed:
            oid = self.refs.get(ref)
            pin = None
            if has_pins:
                name, version = split_tag_ref(ref)
                pin = self.telemetry.pin(self.workspace, name, version)
            if pin is not None:
                self._compare(ref, pin, oid)
            elif oid is None:
                self.index.unreject(self.workspace, ref)
            else:
                fresh.append((ref, oid))
        with loading.undisturbed(len(fresh)):
            self._fresh_tags(fresh)
        self._put_prompts()

    def _fresh_tags(self, fresh: Sequence[tuple[str, str]]) -> None:
        contested = self._contested(fresh)
        groups: dict[str, list[Loaded]] = {}
        done = 0
        for valid in self._valid(fresh):
            done += len(valid)
            for item in valid if contested else ():
                if item.ref in contested:
                    groups.setdefault(fold(item.version.name), []).append(item)
            self._publish([item for item in valid if item.ref not in contested])
            if self.progress:
                self.progress(done, len(fresh))
        for group in groups.values():
            self._publish(list(self._winners(group)))
        if self.progress:
            self.progress(len(fresh), len(fresh))

    def _compare(self, ref: str, pin: Pin, oid: str | None) -> None:
        """A pinned tag: what is served stays; a tag that moved or vanished is reported."""
        if not self.index.version_like(self.workspace, pin.version.name, pin.version.version):
            self._restore([pin])
        if oid != pin.version.tag:
            seen = self.reader.names((ref,))
            actual = next(seen)
            oid = actual.oid if actual else None
        if oid == pin.version.tag:
            self.index.clear_tampering(self.workspace, ref)
        else:
            self.tampered.append(ref)
            self.index.report_tampering(self.workspace, Tampering(ref, pin.version.tag, oid))

    def _restore_pins(self) -> None:
        """After the index was deleted: everything pinned is served, tag or no tag."""
        for pins in self.telemetry.pins(self.workspace):
            self._restore(pins)
            for pin in pins:
                ref = tag_ref(pin.version.name, pin.version.version)
                if self.refs.get(ref) is None:
                    self._compare(ref, pin, None)
        self._put_prompts()

    def _restore(self, pins: Sequence[Pin]) -> None:
        versions = [pin.version for pin in pins]
        documents = list(load_pinned(self.reader, versions))
        self.index.put_versions(self.workspace, zip(versions, documents, strict=True))
        for version, document in zip(versions, documents, strict=True):
            tags = json.loads(document).get("tags", []) if document else []
            self._note(version, tags)

    def _note(self, version: Version, tags: Sequence[str]) -> None:
        """Remember the newest version of each prompt, and when its last one was made."""
        created_at = version.created_at
        known = self.prompts.get(version.name)
        if known is not None:
            created_at = max(created_at, known.updated_at)
        if known is None or rank(version.version) > rank(known.version.version):
            self.prompts[version.name] = _Newest(version, created_at, tags)
        elif created_at > known.updated_at:
            self.prompts[version.name] = known._replace(updated_at=created_at)

    def _put_prompts(self) -> None:
        """Derive the rows of the prompts that have new versions."""
        rows: dict[str, PromptRow] = {}
        for name, found in self.prompts.items():
            tags = json.dumps(found.tags, ensure_ascii=False)
            row = PromptRow(found.version.version, found.updated_at, tags)
            before = self.index.prompt(self.workspace, name) if self.row else None
            rows[name] = before.joined(row) if before else row
        self.index.put_prompts(self.workspace, rows)

    def _valid(self, fresh: Sequence[tuple[str, str]]) -> Iterator[list[Loaded]]:
        """The valid ones among new tags, many at once; the others are rejected."""
        chunks = load_chunks(
            self.reader, fresh, self.settings.checks, size=_CHUNK, read=loading.read
        )
        for items in chunks:
            valid = [item for item in items if isinstance(item, Loaded)]
            if len(valid) < len(items):
                for item in items:
                    if isinstance(item, Rejection):
                        self._reject(item)
            yield valid

    def _contested(self, fresh: Sequence[tuple[str, str]]) -> set[str]:
        """The new tags of which only some can be served: case twins, equal precedence."""
        by_name: dict[str, list[str]] = {}
        for ref, _ in fresh:
            by_name.setdefault(split_tag_ref(ref)[0], []).append(ref)
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

    def _is_contested(self, name: str, refs: Sequence[str]) -> bool:
        """Whether two of a prompt's tags, new or indexed, cannot both be served."""
        versions = [version for _, version in map(split_tag_ref, refs) if is_version(version)]
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
        taken = Taken()
        for item in group:
            name, version = item.version.name, item.version.version
            owner, served = self.index.name_like(self.workspace, name), self._served(name, version)
            if owner is not None:
                taken.add_name(owner)
            if served is not None:
                taken.add(name, served)
            objection = taken.objection(name, version)
            if objection is None:
                taken.add(name, version)
                yield item
            else:
                self._reject(Rejection(item.ref, item.version.tag, (objection,)))

    def _publish(self, chunk: Sequence[Loaded]) -> None:
        """Keep alive, then pin, then commit the index: what is served is remembered, and what is
        remembered has its bytes, whenever the process dies."""
        if not chunk:
            return
        if self.source.owned:
            self._keep_alive([item.version.blob for item in chunk])
        versions = [item.version for item in chunk]
        pinned = self.telemetry.add_pins(self.workspace, versions, self.now)
        self.index.put_versions(self.workspace, ((item.version, item.document) for item in chunk))
        for item in chunk:
            if item.ref in self.was_rejected:
                self.index.unreject(self.workspace, item.ref)
            self._note(item.version, item.tags)
        self.added += len(chunk)
        pinned.result()

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

    # labels

    def _move_namespace(self, old: str) -> set[str]:
        """Labels live elsewhere now: forget the old place, and look at every ref of the new."""
        self.index.remove_labels(self.workspace)
        self.index.unreject_below(self.workspace, old + "/")
        prefix = self.settings.namespace + "/"
        return {ref for ref, _ in self.refs.items() if ref.startswith(prefix)}

    def _labels(self, changed: AbstractSet[str]) -> int:
        namespace = self.settings.namespace
        touched: dict[str, set[str]] = {}
        for ref in sorted(ref for ref in changed if ref.startswith(namespace + "/")):
            try:
                name, _ = split_label_ref(ref, namespace=namespace)
                touched.setdefault(name, set()).add(ref)
            except Invalid as error:
                oid = self.refs.get(ref)
                if oid is None:
                    self.index.unreject(self.workspace, ref)
                else:
                    self._reject(rejection(ref, oid, error.message, error.hint, "name"))
        for name in self.prompts if self.row else ():
            if self.index.has_unsettled_labels(self.workspace, name, namespace):
                touched.setdefault(name, set())
        for name, refs in sorted(touched.items()):
            self._labels_of(name, refs)
        return sum(len(refs) for refs in touched.values())

    def _labels_of(self, name: str, changed: set[str]) -> None:
        """All labels of a prompt together: two that differ only in case cannot both exist."""
        refs = self.index.label_refs(self.workspace, name, self.settings.namespace)
        for ref in changed:
            oid = self.refs.get(ref)
            if oid is None:
                refs.pop(ref, None)
            else:
                refs[ref] = oid
            self.index.unreject(self.workspace, ref)
        found = [self._load_label(ref, tip) for ref, tip in sorted(refs.items())]
        if self.row is not None and self.row.settings.namespace == self.settings.namespace:
            self._count_moves(found)
        self.index.remove_labels(self.workspace, name)
        labels = [item for item in found if isinstance(item, Label)]
        labels.sort(key=lambda item: (item.moves[-1].created_at, item.label.encode()))
        taken = Spellings()
        for label in labels:
            ref = label_ref(name, label.label, namespace=self.settings.namespace)
            twin = taken.twin(label.label)
            if twin is not None:
                finding = case_twin(label.label, twin, kind="label")
                self._reject(Rejection(ref, label.tip, (finding,)))
                continue
            taken.add(label.label)
            self.index.unreject(self.workspace, ref)
            self.index.put_label(self.workspace, label, bare=is_bare(label))
        for item in found:
            if isinstance(item, Rejection):
                self._reject(item)

    def _count_moves(self, found: Sequence[Label | Rejection]) -> None:
        for item in found:
            if isinstance(item, Label):
                known = self.index.label(self.workspace, item.name, item.label)
                new = len(item.moves) - (len(known.moves) if known else 0)
                if new > 0:
                    self.moves[item.label] += new

    def _load_label(self, ref: str, tip: str) -> Label | Rejection:
        namespace = self.settings.namespace
        known = None
        try:
            name, label = split_label_ref(ref, namespace=namespace)
            known = self.index.label(self.workspace, name, label)
        except Invalid:
            pass  # load_label says so
        return load_label(
            self.reader,
            ref,
            tip,
            namespace=namespace,
            versions=lambda name: self.index.versions(self.workspace, name),
            known=None if known is None or is_bare(known) else known,
        )

    # suites

    def _suites(self, head: str | None) -> str | None:
        """Read the suites again where their tree changed; returns the tree they are from."""
        tree = next(self.reader.names((f"{head}:{SUITES}",))) if head else None
        oid = tree.oid if tree else None
        same_checks = self.row is not None and self.row.settings.checks == self.settings.checks
        if self.row is not None and oid == self.row.suites_tree and same_checks:
            return oid
        self.index.unreject_below(self.workspace, SUITES + "/")
        found = list(load_suites(self.reader, head, self.settings.checks)) if head else []
        self.index.put_suites(self.workspace, [item for item in found if isinstance(item, Suite)])
        for item in found:
            if isinstance(item, Rejection):
                self._reject(item)
        return oid
