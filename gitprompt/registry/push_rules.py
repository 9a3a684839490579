# SPDX-License-Identifier: Apache-2.0
"""Judges a push: what the server-side hook refuses, and why.

All refs are judged in one process, reading the objects that git holds in quarantine. The policy
is that of the default branch before the push: a push cannot relax the rules that judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gitprompt import checks
from gitprompt.core.document import PROMPTS, SETTINGS, SUITES, place
from gitprompt.core.labels import Move, parse_move, split_label_ref
from gitprompt.core.model import Finding
from gitprompt.core.names import fold, is_name
from gitprompt.core.printable import printable
from gitprompt.core.publication import Rejection, Version
from gitprompt.core.settings import NAMESPACES, Settings
from gitprompt.core.versions import TAG_PREFIX, is_version, newest, precedence, split_tag_ref
from gitprompt.errors import Invalid
from gitprompt.git.objects import EMPTY_TREE, Object, ObjectReader, parse_commit
from gitprompt.git.refs import ZERO, Refs, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.versions import Loaded, load_settings, load_versions, tree_blob

MAX_REPORTED = 50
MAX_MOVES = 10_000

# The tag object that a version was first seen with, or None: (name, version) → object.
Pinned = Callable[[str, str], str | None]


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
) -> list[Refusal]:
    """The refusals of a push; empty where all of it may go in.

    `scopes` are those of the pusher's API key; None means a push that did not come over HTTP,
    whose transport has decided already who may write.
    """
    refs = repository.refs()
    with repository.reader() as reader:
        settings, _ = load_settings(reader, refs.head[1])
        push = _Push(repository, reader, refs, settings, updates, scopes, pinned)
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
    ) -> None:
        self.repository = repository
        self.reader = reader
        self.refs = refs
        self.settings = settings
        self.updates = updates
        self.scopes = scopes
        self.pinned = pinned
        self.default = self._default_branch()
        self._catalogue: dict[str, dict[str, str]] | None = None
        self._published: dict[str, list[Version]] = {}
        self._labels: dict[str, set[str]] | None = None

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
            elif update.ref == self.default:
                findings = self._branch(update)
            found = tuple(findings)
            if found:
                yield Refusal(update.ref, found)

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
        for item in load_versions(self.reader, fresh, self.settings.checks):
            if isinstance(item, Rejection):
                yield Refusal(item.ref, item.findings)
            elif twin := self._twin(item):
                yield Refusal(item.ref, twin)
            else:
                self._add(item)

    def _twin(self, item: Loaded) -> tuple[Finding, ...]:
        """A name or version that reads the same as one that is published."""
        name, version = item.version.name, item.version.version
        for other, versions in self._spellings(name).items():
            if other != name:
                return _one(
                    f"'{name}' differs only in case from '{other}'", "Use one spelling.", "name"
                )
            for known in versions:
                if known != version and precedence(known) == precedence(version):
                    return _one(
                        f"{version} has the same precedence as {known}, which is published",
                        "Choose the next version.",
                        "version",
                    )
        return ()

    def _spellings(self, name: str) -> dict[str, dict[str, str]]:
        """The published names that are `name` but for case, with version → tag object each."""
        if self._catalogue is None:
            self._catalogue = {}
            for ref, oid in self.refs.items():
                if ref.startswith(TAG_PREFIX):
                    known, version = split_tag_ref(ref)
                    if is_version(version):
                        self._catalogue.setdefault(known, {})[version] = oid
            self._folded: dict[str, set[str]] = {}
            for known in self._catalogue:
                self._folded.setdefault(fold(known), set()).add(known)
        return {other: self._catalogue[other] for other in self._folded.get(fold(name), ())}

    def _add(self, item: Loaded) -> None:
        name = item.version.name
        self._spellings(name)
        assert self._catalogue is not None
        self._catalogue.setdefault(name, {})[item.version.version] = item.version.tag
        self._folded.setdefault(fold(name), set()).add(name)

    def versions(self, name: str) -> list[Version]:
        """What is published of a prompt, this push included."""
        if name not in self._published:
            tags = self._spellings(name).get(name, {})
            refs = [(f"{TAG_PREFIX}{name}/{version}", oid) for version, oid in tags.items()]
            loaded = load_versions(self.reader, refs, self.settings.checks)
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
        scope = self.settings.scope_to_move(label)
        if not self._may(scope):
            return _one(
                f"the label '{label}' is protected: moving it needs a key with the scope {scope}",
                f"Ask somebody who has one, or see labels.protected in {SETTINGS}.",
                "protected",
            )
        twin = self._label_twin(name, label)
        if twin:
            return _one(f"'{label}' differs only in case from the label '{twin}'", code="name")
        return self._moves(update, name, label)

    def _label_twin(self, name: str, label: str) -> str | None:
        """A label of the prompt, here or in this push, that differs only in case."""
        if self._labels is None:
            self._labels = {}
            prefix = self.settings.namespace + "/"
            pushed = (update.ref for update in self.updates if update.new != ZERO)
            for ref in (*(ref for ref, _ in self.refs.items()), *pushed):
                if ref.startswith(prefix):
                    known = ref.removeprefix(prefix)
                    self._labels.setdefault(fold(known), set()).add(known)
        wanted = f"{name}@{label}"
        twins = self._labels.get(fold(wanted), set()) - {wanted}
        return min(twins).partition("@")[2] if twins else None

    def _moves(self, update: RefUpdate, name: str, label: str) -> tuple[Finding, ...]:
        """Walk from the new value to the old one: every step must be a move of this label."""
        by_hand = f"Move it with: gitprompt label set {name} {label} VERSION --push"
        old = self._commit(update.old) if update.old != ZERO else None
        at = self._commit(update.new)
        if at is None:
            return _one("a label points at a commit, and this is none", by_hand, "label")
        for _ in range(MAX_MOVES):
            if old is not None and at.oid == old.oid:
                return ()
            commit = parse_commit(at.data)
            move = parse_move(commit.message)
            if move is None or (move.name, move.label) != (name, label):
                return self._bare(at, old, name, label)
            below = self._commit(commit.parents[0]) if commit.parents else None
            problem = self._step(at, commit.tree, move, below)
            if problem:
                return _one(problem, by_hand, "label")
            if below is None:
                break
            at = below
        else:
            return _one(f"more than {MAX_MOVES} moves in one push", "Push them in parts.", "label")
        if old is not None and at.oid != old.oid:
            return _one(
                "the new value does not descend from the old one: somebody else moved the label",
                f"Fetch, then move it on top: gitprompt label set {name} {label} VERSION --push",
                "label",
            )
        return ()

    def _commit(self, oid: str) -> Object | None:
        found = self.reader.get(f"{oid}^{{commit}}")
        return found if found is not None and found.kind == "commit" else None

    def _step(self, commit: Object, tree: str, move: Move, below: Object | None) -> str:
        """What is wrong with one move commit on top of `below`, or nothing."""
        name, wanted = move.name, move.version
        before = parse_move(parse_commit(below.data).message) if below else None
        same = before is not None and (before.name, before.label) == (name, move.label)
        if before is not None and same and before.version != move.previous:
            return f"the move says that it comes from {move.previous}, not {before.version}"
        if wanted is None:
            return "" if tree == EMPTY_TREE else "a removal has an empty tree, and this one has not"
        version = next((v for v in self.versions(name) if v.version == wanted), None)
        if version is None:
            return f"{name} {wanted} is not published"
        if tree_blob(self.reader, commit.oid, name) != version.blob:
            return f"the tree of the move does not have the document of {name} {wanted}"
        return ""

    def _bare(self, at: Object, old: Object | None, name: str, label: str) -> tuple[Finding, ...]:
        """A bare pointer: it may create a label, or move one forward that has no move yet."""
        by_hand = f"Move it with: gitprompt label set {name} {label} VERSION --push"
        if old is not None:
            before = parse_move(parse_commit(old.data).message)
            if before is not None and (before.name, before.label) == (name, label):
                return _one(
                    "the label has a history, and this value does not continue it", by_hand, "label"
                )
            base = self.repository.line("merge-base", old.oid, at.oid)
            if base != old.oid:
                return _one(
                    "the new value does not descend from the old one: a label never goes back",
                    f"A rollback is one more move: gitprompt label rollback {name} {label} --push",
                    "label",
                )
        if newest(v.version for v in self.versions(name) if v.commit == at.oid) is None:
            return _one(
                f"no version of {name} is published at commit {at.oid[:10]}", by_hand, "label"
            )
        return ()

    # the default branch

    def _branch(self, update: RefUpdate) -> Iterator[Finding]:
        if update.new == ZERO:
            yield from _one(
                "the default branch is never deleted", "It holds the suites and the settings."
            )
            return
        for path, mode, oid in self._changed_files(update):
            yield from self._file(path, mode, oid)
        if update.old == ZERO:
            return  # whoever makes the repository makes its policy
        settings, _ = load_settings(self.reader, update.new)
        if settings.label_policy() != self.settings.label_policy() and not self._may("admin"):
            yield from _one(
                f"this changes the label policy in {SETTINGS}, which needs the scope admin",
                "Push the rest without it, and ask somebody who has an admin key.",
                "protected",
            )

    def _changed_files(self, update: RefUpdate) -> Iterator[tuple[str, str, str]]:
        """(path, mode, blob) of what the push adds or changes on the branch."""
        old = EMPTY_TREE if update.old == ZERO else update.old
        # Not `-M`: a renamed document is checked under its new name.
        answer = self.repository.git(
            "diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AMT", old, update.new,
            "--", PROMPTS, SUITES, SETTINGS,
        )  # fmt: skip
        fields = answer.split(b"\0")
        for raw, path in zip(fields[::2], fields[1::2], strict=False):
            columns = raw.decode().split(" ")
            yield path.decode("utf-8", "replace"), columns[1], columns[3]

    def _file(self, path: str, mode: str, oid: str) -> Iterable[Finding]:
        kind, name, version = place(path)
        if kind is None:
            return ()
        if mode not in ("100644", "100755"):
            what = "a symbolic link" if mode == "120000" else "a submodule"
            return (Finding("ref", "error", f"it is {what}, not a file", path=path),)
        blob = self.reader.get(oid)
        if blob is None:
            return (Finding("ref", "error", "its content is missing", path=path),)
        _, findings = checks.examine(
            blob.data, path=path, kind=kind, name=name, version=version,
            severities=self.settings.checks,
        )  # fmt: skip
        return checks.errors(findings)


def _immutable(update: RefUpdate) -> tuple[Finding, ...]:
    name, version = split_tag_ref(update.ref)
    what = "deleted" if update.new == ZERO else "moved"
    return _one(
        f"{name} {version} is published: a version is never {what}",
        f"Publish the next version instead: gitprompt publish {name} --bump auto --push",
        "immutable",
    )
