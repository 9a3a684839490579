# SPDX-License-Identifier: Apache-2.0
"""Judges a push: what the server-side hook refuses, and why.

All refs are judged in one process, reading the objects that git holds in quarantine. The policy
is that of the default branch before the push: a push cannot relax the rules that judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gitprompt import checks, gates
from gitprompt.core import twins
from gitprompt.core.document import (
    PROMPTS,
    SETTINGS,
    SUITES,
    below,
    fragment_name,
    inside,
    place,
)
from gitprompt.core.labels import MoveRecord, split_label_ref
from gitprompt.core.model import Finding
from gitprompt.core.names import is_name
from gitprompt.core.printable import printable
from gitprompt.core.publication import Rejection, Version
from gitprompt.core.settings import NAMESPACES, Settings
from gitprompt.core.twins import Spellings, Taken
from gitprompt.core.versions import TAG_PREFIX, is_version, split_tag_ref, tag_ref
from gitprompt.errors import Invalid, PayloadTooLarge
from gitprompt.formats import fragments
from gitprompt.gates import Facts
from gitprompt.git.objects import EMPTY_TREE, ObjectReader
from gitprompt.git.refs import ZERO, Refs, RefUpdate, text_of_ref
from gitprompt.git.repository import Repository
from gitprompt.registry import moves
from gitprompt.registry.tip import files_below, load_settings
from gitprompt.registry.versions import (
    Loaded,
    TreeFile,
    base_of,
    fragments_at,
    load_chunks,
    load_versions,
    source_of,
)

MAX_REPORTED = 50
_CHUNK = 200  # versions that are loaded at once

# The tag object that a version was first seen with, or None: (name, version) → object.
Pinned = Callable[[str, str], str | None]


class Bounds(NamedTuple):
    """What a push may ask its judge to look at: refs, files below prompts/ and evals/ that it changes
    or that include what it changes, and their bytes."""

    refs: int = 50_000
    files: int = 100_000
    size: int = 256_000_000


USUAL = Bounds()


class Refusal(NamedTuple):
    """A ref that may not be pushed, and why."""

    ref: str
    findings: tuple[Finding, ...]


def judge(
    repository: Repository,
    updates: Sequence[RefUpdate],
    *,
    scopes: frozenset[str] | None = None,
    pinned: Pinned = lambda _name, _version: None,
    bounds: Bounds = USUAL,
) -> list[Refusal]:
    """The refusals of a push; empty if all of it may go in. Raises PayloadTooLarge.

    `scopes` are those of the pusher's API key; None means a push that did not come over HTTP,
    whose transport has decided already who may write.
    """
    updates = [update._replace(ref=text_of_ref(update.ref)) for update in updates]
    if len(updates) > bounds.refs:
        raise PayloadTooLarge(f"this push has more than {bounds.refs:,} refs")
    refs = repository.refs()
    with repository.reader() as reader:
        settings, _ = load_settings(reader, refs.head[1])
        push = _Push(repository, reader, refs, settings, updates, scopes, pinned, bounds)
        return list(push.refusals())


def report(refusals: Sequence[Refusal]) -> list[str]:
    """The lines that the author of a push reads."""
    lines: list[str] = []
    for refusal in refusals[:MAX_REPORTED]:
        lines.append(f"gitprompt: {refusal.ref} is refused")
        for finding in refusal.findings[:MAX_REPORTED]:
            place = f"{finding.path}:{finding.line}:{finding.column}: " if finding.path else ""
            lines.append(f"  {place}{finding.message} [{finding.code}]")
            if finding.hint:
                lines.append(f"    {finding.hint}")
    if len(refusals) > MAX_REPORTED:
        lines.append(f"gitprompt: and {len(refusals) - MAX_REPORTED} more refs")
    return [printable(line) for line in lines]


def parse_updates(text: str) -> list[RefUpdate]:
    """What git gives a pre-receive hook on standard input: old, new and ref, a line each."""
    fields = (line.split(" ", 2) for line in text.split("\n") if line)
    return [RefUpdate(ref, old, new) for old, new, ref in fields]


def _one(message: str, hint: str = "", code: str = "ref") -> tuple[Finding, ...]:
    return (Finding(code, "error", message, hint),)


class _Tags:
    """The version tags that exist, those that this push has brought so far included."""

    def __init__(self, refs: Refs) -> None:
        self.taken = Taken()
        self._tags: dict[str, list[tuple[str, str]]] = {}
        for ref, oid in refs.items():
            if ref.startswith(TAG_PREFIX):
                name, version = split_tag_ref(ref)
                if is_version(version):
                    self.add(name, version, oid)

    def add(self, name: str, version: str, oid: str) -> None:
        self.taken.add(name, version)
        self._tags.setdefault(name, []).append((tag_ref(name, version), oid))

    def of(self, name: str) -> list[tuple[str, str]]:
        """(ref, object) of each tag of a prompt."""
        return self._tags.get(name, [])


class _Push:
    def __init__(
        self,
        repository: Repository,
        reader: ObjectReader,
        refs: Refs,
        settings: Settings,
        updates: Sequence[RefUpdate],
        scopes: frozenset[str] | None,
        pinned: Pinned,
        bounds: Bounds,
    ) -> None:
        self.bounds = bounds
        self.size = 0
        self.repository = repository
        self.reader = reader
        self.refs = refs
        self.settings = settings
        self.updates = updates
        self.scopes = scopes
        self.pinned = pinned
        self._tags_here: _Tags | None = None
        self.default = self._default_branch()
        self.successor = successor(repository, self.default, updates)
        self._published: dict[str, list[Version]] = {}
        self._labels: Spellings | None = None

    def _default_branch(self) -> str | None:
        branch, tip = self.refs.head
        if tip is not None:
            return branch
        pushed = [update.ref for update in self.updates if update.ref.startswith("refs/heads/")]
        return branch if branch in pushed or len(pushed) != 1 else pushed[0]

    def refusals(self) -> Iterator[Refusal]:
        tags = [update for update in self.updates if update.ref.startswith(TAG_PREFIX)]
        yield from self._tags(tags)
        prefix = self.settings.namespace + "/"
        for update in self.updates:
            findings: Iterable[Finding] = ()
            if update.ref.startswith(TAG_PREFIX):
                continue
            if trap := self._trap(update):
                findings = trap
            elif update.ref.startswith(prefix):
                findings = self._label(update)
            elif self.settings.is_fixed(update.ref) and self._is_rewritten(update):
                findings = _one(
                    f"the history of {update.ref.removeprefix('refs/heads/')} is never rewritten"
                    f" (branches in {SETTINGS})",
                    "Take a change back with one more commit: git revert",
                    "protected",
                )
            elif update.ref in (self.default, self.successor):
                findings = self._branch(update)
            reasons = tuple(findings)
            if reasons:
                yield Refusal(update.ref, reasons)

    @property
    def tags(self) -> _Tags:
        """Read once, and only for a push that asks: there may be a hundred thousand."""
        if self._tags_here is None:
            self._tags_here = _Tags(self.refs)
        return self._tags_here

    def _may(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes

    def _trap(self, update: RefUpdate) -> tuple[Finding, ...]:
        """Names that would block others, or that read like ours and are not."""
        ref, folded = update.ref, update.ref.lower()
        if update.new == ZERO:
            return ()
        if folded.startswith("refs/replace/"):
            return _one("refs/replace/… would put other bytes in place of a published object")
        if folded in ("refs/tags/prompts", self.settings.namespace):
            return _one(f"{ref} would block every ref below it", "Choose another name.", "name")
        for prefix in (TAG_PREFIX, self.settings.namespace + "/"):
            if folded.startswith(prefix) and not ref.startswith(prefix):
                return _one(f"{ref} differs only in case from {prefix}…", code="name")
        if ref.startswith(NAMESPACES[0] + "/") and self.settings.namespace != NAMESPACES[0]:
            return _one(
                f"labels of this repository are in {self.settings.namespace}",
                f"Push {self.settings.namespace}/{ref.removeprefix(NAMESPACES[0] + '/')} instead.",
                "name",
            )
        return ()

    # version tags

    def _tags(self, updates: Sequence[RefUpdate]) -> Iterator[Refusal]:
        fresh: list[tuple[str, str]] = []
        for update in updates:
            if update.old != ZERO:
                yield Refusal(update.ref, _immutable(update))
                continue
            name, version = split_tag_ref(update.ref)
            pin = self.pinned(name, version) if is_name(name) and is_version(version) else None
            if pin is not None and pin != update.new:
                yield Refusal(update.ref, _immutable(update))
                continue
            fresh.append((update.ref, update.new))
        loaded = list(self._loaded(fresh))
        astray = self._astray([item.version for item in loaded if isinstance(item, Loaded)])
        for item in loaded:
            if isinstance(item, Rejection):
                yield Refusal(item.ref, item.findings)
            elif item.version in astray:
                yield Refusal(item.ref, _elsewhere(self.settings))
            else:
                name, version = item.version.name, item.version.version
                objection = self.tags.taken.objection(name, version)
                if objection is None:
                    self.tags.add(name, version, item.version.tag)
                else:
                    yield Refusal(item.ref, (objection,))

    def _loaded(self, fresh: Sequence[tuple[str, str]]) -> Iterator[Loaded | Rejection]:
        """What the tags publish, without the documents: those of a push may be a gigabyte."""
        for items in load_chunks(self.reader, fresh, self.settings.checks, size=_CHUNK):
            for item in items:
                if isinstance(item, Loaded):
                    self._count(len(item.document))
                    item = item._replace(document=b"")
                yield item

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self.bounds.size:
            raise PayloadTooLarge(
                f"the documents of this push have more than {self.bounds.size:,} bytes"
            )

    def _astray(self, versions: Sequence[Version]) -> set[Version]:
        """Those that are part of no branch from which versions may be published, with the branches
        as they are after this push."""
        if not self.settings.publish_from or not versions:
            return set()
        branches = {
            ref: oid for ref, oid in self.refs.items() if self.settings.publishes_from(_here(ref))
        }
        for update in self.updates:
            if self.settings.publishes_from(update.ref):
                branches[update.ref] = update.new
        tips = {f"^{oid}" for oid in branches.values() if oid != ZERO}
        commits = {version.commit for version in versions if version.commit is not None}
        lines = "\n".join([*sorted(commits), *sorted(tips)]) + "\n"
        left = set(
            self.repository.git("rev-list", "--stdin", stdin=lines.encode()).decode().split()
        )
        return {v for v in versions if v.commit is None or v.commit in left}

    def versions(self, name: str) -> list[Version]:
        """What is published of a prompt, this push included."""
        if name not in self._published:
            loaded = load_versions(
                self.reader, self.tags.of(name), self.settings.checks, are_published=True
            )
            self._published[name] = [i.version for i in loaded if isinstance(i, Loaded)]
        return self._published[name]

    # labels

    def _label(self, update: RefUpdate) -> tuple[Finding, ...]:
        namespace = self.settings.namespace
        try:
            name, label = split_label_ref(update.ref, namespace=namespace)
        except Invalid as error:
            return _one(error.message, error.hint, "name")
        if update.new == ZERO:
            return _one(
                "a label's ref is never deleted: its history would go",
                f"Remove the label with: gitprompt label rm {name} {label} --push",
                "label",
            )
        version = moves.version_at(self.reader, update.new, name, label, self.versions(name))
        move = MoveRecord(name, label, version, None)
        refusal = gates.judge(move, Facts(self.settings, self.scopes))
        twin = self._label_twin(name, label)
        if refusal is None and twin is not None:
            refusal = twins.case_twin(label, twin, kind="label")
        if refusal is not None:
            return (refusal,)
        problem, hint = moves.push_problem(
            self.repository, self.reader, update, name, label, self.versions(name)
        )
        return _one(problem, hint, "label") if problem else ()

    def _label_twin(self, name: str, label: str) -> str | None:
        """A label of the prompt, here or in this push, that differs only in case."""
        if self._labels is None:
            prefix = self.settings.namespace + "/"
            pushed = (update.ref for update in self.updates if update.new != ZERO)
            refs = (*(ref for ref, _ in self.refs.items()), *pushed)
            self._labels = Spellings(
                ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix)
            )
        twin = self._labels.twin(f"{name}@{label}")
        return twin.partition("@")[2] if twin else None

    def _is_rewritten(self, update: RefUpdate) -> bool:
        if update.old == ZERO:
            return False
        if update.new == ZERO:
            return True
        return not self.repository.descends(update.new, update.old)

    # the default branch

    def _branch(self, update: RefUpdate) -> Iterator[Finding]:
        if update.new == ZERO:
            if self.successor is None:
                yield from _one(
                    "the default branch is never deleted",
                    "It holds the suites and the settings. To rename it, push its new name and delete"
                    f" the old one together: git push origin NEW :{_short(update.ref)}",
                )
            elif not self._may("admin"):
                yield from _one(
                    "the default branch is renamed only with the scope admin", code="protected"
                )
            return
        root = base_of(self.reader, update.new).root
        changed = {path: (mode, oid) for path, mode, oid in self._changed_files(update, root)}
        source = source_of(fragments_at(self.reader, update.new))
        for path, (mode, oid) in changed.items():
            if oid != ZERO:
                yield from self._file(TreeFile(path, mode, oid), root, source)
        if any(fragment_name(path) for path in changed):
            for file in self._including(update.new):
                if file.path not in changed:
                    yield from self._file(file, root, source)
        if update.old == ZERO:
            return  # whoever makes the repository makes its policy
        settings, _ = load_settings(self.reader, update.new)
        if settings.policy() != self.settings.policy() and not self._may("admin"):
            yield from _one(
                f"this changes the policy in {SETTINGS}, which needs the scope admin",
                "Push the rest without it, and ask somebody who has an admin key.",
                "protected",
            )

    def _including(self, commit: str) -> list[TreeFile]:
        """The documents of a commit that include fragments: a change of those is a change of them."""
        files = [
            file
            for file in files_below(self.reader, commit, PROMPTS, most=self.bounds.files)
            if place(file.path)[0] == "prompt"
        ]
        blobs = self.reader.contents(file.oid for file in files)
        including: list[TreeFile] = []
        for file, blob in zip(files, blobs, strict=True):
            if blob is not None:
                self._count(len(blob.data))
                if fragments.are_in_file(blob.data, file.path):
                    including.append(file)
        return including

    def _changed_files(self, update: RefUpdate, root: str) -> Iterator[tuple[str, str, str]]:
        """(path of ours, mode, blob) of what the push adds, changes, or takes off the branch (blob
        0…0); all there is if the root is another one."""
        old = update.old
        if old == ZERO or base_of(self.reader, old).root != root:
            old = EMPTY_TREE
        # Not `-M`: a renamed document is checked under its new name.
        fields = self.repository.fields(
            "diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AMTD", old, update.new,
            "--", *(below(root, path) for path in (PROMPTS, SUITES, SETTINGS)),
            most=2 * self.bounds.files, what="entries in the list of changed files",
        )  # fmt: skip
        for raw, path in zip(fields[::2], fields[1::2], strict=False):
            columns = raw.decode().split(" ")
            yield inside(root, path.decode("utf-8", "replace")) or "", columns[1], columns[3]

    def _file(self, file: TreeFile, root: str, source: fragments.Source) -> Iterable[Finding]:
        path, mode, oid = file
        kind, name, version = place(path)
        path = below(root, path)
        if kind is None:
            return ()
        if mode not in ("100644", "100755"):
            what = "a symbolic link" if mode == "120000" else "a submodule"
            return (Finding("ref", "error", f"it is {what}, not a file", path=path),)
        blob = self.reader.get(oid)
        if blob is None:
            return (Finding("ref", "error", "its content is missing", path=path),)
        self._count(len(blob.data))
        _, findings = checks.examine(
            blob.data, path=path, kind=kind, name=name, version=version,
            severities=self.settings.checks, source=source,
        )  # fmt: skip
        return checks.errors(findings)


def successor(
    repository: Repository, default: str | None, updates: Sequence[RefUpdate]
) -> str | None:
    """The branch that takes the place of the default branch: the one of the same push that has all of
    its history, where the push deletes it."""
    gone = next((u for u in updates if u.ref == default and u.new == ZERO), None)
    if gone is None or gone.old == ZERO:
        return None
    heirs = [
        update.ref
        for update in updates
        if update.ref.startswith("refs/heads/") and update.new != ZERO
        if repository.descends(update.new, gone.old)
    ]
    return heirs[0] if len(heirs) == 1 else None


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _here(ref: str) -> str:
    """A branch of a remote, in a clone that judges what it pushes, as the branch that it is there."""
    if ref.startswith("refs/remotes/"):
        return "refs/heads/" + ref.split("/", 3)[-1]
    return ref


def _elsewhere(settings: Settings) -> tuple[Finding, ...]:
    return _one(
        f"its commit is on none of the branches that versions are published from:"
        f" {', '.join(settings.publish_from)} (publish_from in {SETTINGS})",
        "Merge it there, and push the branch with the tag: gitprompt publish --push does both.",
        "protected",
    )


def _immutable(update: RefUpdate) -> tuple[Finding, ...]:
    name, version = split_tag_ref(update.ref)
    what = "deleted" if update.new == ZERO else "moved"
    return _one(
        f"{name} {version} is published: a version is never {what}",
        f"Publish the next version instead: gitprompt publish {name} --bump auto --push",
        "immutable",
    )
