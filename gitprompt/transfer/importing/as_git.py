# SPDX-License-Identifier: Apache-2.0
"""Prompts of another system as Git has them: each version a commit and a tag with its author, its date and its
message; each label a move at its time. What is there already stays."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from gitprompt.core.document import SUFFIXES, below, digest
from gitprompt.core.labels import MoveRecord, check_label, label_ref, split_label_ref
from gitprompt.core.names import check_name
from gitprompt.core.publication import LabelHistory, Version
from gitprompt.core.settings import Settings
from gitprompt.core.twins import Spellings, Taken
from gitprompt.core.versions import check_version, rank
from gitprompt.errors import GitpromptError, OriginUnreachable
from gitprompt.git.origin import TAGS
from gitprompt.git.process import environment, git
from gitprompt.git.ref_updates import write_packed_refs
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry import admission
from gitprompt.registry.commits import Draft, publication
from gitprompt.registry.labels import load_label
from gitprompt.registry.refwrites import label_commit
from gitprompt.registry.versions import Loaded, load_versions
from gitprompt.transfer.foreign.records import ForeignVersion, Losses, label_problem
from gitprompt.transfer.importing.our_names import OurNames, signature_of

_BUILT = 500  # versions whose objects are in memory together
_PUSHED = 5_000  # versions that are pushed together: each push has a price
Step = Callable[[str, int, int], None]


class Door(Protocol):
    """The repository of a workspace, wherever it is."""

    def fetch(self, repository: Repository) -> None:
        """Bring all there is into a repository that has nothing. Raises OriginUnreachable."""

    def push(self, repository: Repository, refs: Sequence[str]) -> None:
        """Make refs there what they are here, and have them served. Raises Conflict or OriginUnreachable."""

    def missing(self, repository: Repository, refs: Mapping[str, str]) -> list[str]:
        """Which of the refs are not so there."""


class Labels(NamedTuple):
    """What to do with labels: `are_made` at all, and `are_moved` where they point at something else."""

    are_made: bool = True
    are_moved: bool = False


class Written(NamedTuple):
    """How many versions and labels are new, and how many were there."""

    versions: int
    versions_there: int
    labels: int
    labels_there: int


class _Existing(NamedTuple):
    version: Version
    document: Mapping[str, Any]


class Prompts:
    """The prompts of one workspace, at a place that Git talks to. `is_dry`: read, decide, tell, and write nothing."""

    def __init__(
        self,
        door: Door,
        *,
        is_new: bool,
        losses: Losses,
        house: str,
        now: int,
    ) -> None:
        self._door = door
        self._is_new = is_new
        self._losses = losses
        self._house, self._now = house, now

    def write(
        self, versions: Sequence[ForeignVersion], labels: Labels, *, is_dry: bool, step: Step
    ) -> Written:
        """Raises Conflict or OriginUnreachable where the server refuses or is away; what was pushed by then stays,
        and the next run goes on."""
        with tempfile.TemporaryDirectory(prefix="gitprompt-migrate-") as folder:
            git(
                ["init", "-q", "--bare", "-b", "main", f"{folder}/there.git"],
                env=environment(inherit=False),
            )
            repository = Repository.open(f"{folder}/there.git")
            if not self._is_new:
                step("reading prompts", 0, 1)
                self._door.fetch(repository)
            job = _Job(self, repository, is_dry=is_dry)
            wanted = job.decide(versions)
            for start in range(0, len(wanted), _BUILT):
                step("writing prompts", start, len(wanted))
                if not is_dry:
                    end = start + _BUILT
                    job.build(wanted[start:end])
                    if end % _PUSHED == 0 or end >= len(wanted):
                        job.push()
            moved, there = job.label(versions, labels)
            job.verify()
            step("writing prompts", max(len(wanted), 1), max(len(wanted), 1))
            return Written(len(wanted), job.there, moved, there)


class _Job:
    """One run, on a copy of what is there."""

    def __init__(self, prompts: Prompts, repository: Repository, *, is_dry: bool) -> None:
        self._of = prompts
        self._repository = repository
        self._is_dry = is_dry
        self._refs = dict(repository.refs().items())
        branch, tip = repository.refs().head
        self._branch, self._tip = branch or "refs/heads/main", tip
        with repository.reader() as reader:
            self._settings: Settings = admission.settings_at(reader, tip)
            tags = [(ref, oid) for ref, oid in self._refs.items() if ref.startswith(TAGS)]
            loaded = [
                one
                for one in load_versions(reader, tags, {}, are_published=True)
                if isinstance(one, Loaded)
            ]
        self._there = {
            (one.version.name, one.version.version): _Existing(
                one.version, json.loads(one.document)
            )
            for one in loaded
        }
        self._taken = Taken()
        for name, version in self._there:
            self._taken.add(name, version)
        self._newest: dict[str, tuple[Version, Mapping[str, Any]]] = {}
        for existing in sorted(self._there.values(), key=lambda one: rank(one.version.version)):
            self._newest[existing.version.name] = existing.version, existing.document
        self._mark = f"{prompts._house}_name"
        self._names = OurNames(self._changed_from(), prompts._losses)
        self._placed: dict[
            tuple[str, str], tuple[str, str]
        ] = {}  # theirs → ours, where it is published
        self._unpushed: dict[str, str] = {}
        self._pushed: dict[str, str] = {}
        self.there = 0

    def _changed_from(self) -> dict[str, str]:
        """Each prompt that is there, with the name that it had elsewhere, if that was another one."""
        found: dict[str, str] = {}
        for (name, _), existing in self._there.items():
            metadata = existing.document.get("metadata")
            theirs = metadata.get(self._mark) if isinstance(metadata, dict) else None
            found[name] = theirs if isinstance(theirs, str) else found.get(name, "")
        return found

    def _under_our_name(self, given: ForeignVersion) -> ForeignVersion:
        name = self._names.ours(given.name)
        if name == given.name:
            return given
        metadata = {**given.document.get("metadata", {}), self._mark: given.name}
        return given._replace(name=name, document={**given.document, "metadata": metadata})

    def decide(self, versions: Sequence[ForeignVersion]) -> list[ForeignVersion]:
        """The versions to publish, under our names, oldest first; what is there, or cannot be, is counted and told."""
        self._names.take(sorted({version.name for version in versions}))
        wanted = []
        seen: dict[tuple[str, str], str] = {}
        for given in sorted(
            versions, key=lambda one: (one.created_at, one.name, _rank(one.version))
        ):
            version = self._under_our_name(given)
            key, content = (version.name, version.version), digest(version.document)
            if key in seen:
                if seen[key] != content:
                    self._reject(
                        given, "another text has the same name and version: the first is kept"
                    )
                continue
            seen[key] = content
            existing = self._there.get(key)
            if existing is not None:
                self.there += 1
                if digest(existing.document) == content:
                    self._placed[given.name, given.version] = key
                else:
                    why = "another text is published there under this version: it stays"
                    self._of._losses.add("prompt.version", why, f"{given.name} {given.version}")
                    self._of._losses.keep(why, given.record)
                continue
            problem = self._problem(version)
            if problem:
                self._reject(given, problem)
                continue
            self._taken.add(*key)
            self._placed[given.name, given.version] = key
            wanted.append(version)
        return wanted

    def _reject(self, version: ForeignVersion, why: str) -> None:
        self._of._losses.add("prompt", f"rejected: {why}", f"{version.name} {version.version}")
        self._of._losses.keep(f"rejected: {why}", version.record)

    def _problem(self, version: ForeignVersion) -> str:
        try:
            check_name(version.name)
            check_version(version.version)
            document = {"name": version.name, "version": version.version, **version.document}
            admission.check_sent(document, self._settings.checks, has_fragments=False)
        except GitpromptError as error:
            fields = (error.details or {}).get("fields")
            return (
                "; ".join(map(str, fields))
                if isinstance(fields, list) and fields
                else error.message
            )
        objection = self._taken.objection(version.name, version.version)
        return objection.message if objection is not None else ""

    # writing

    def build(self, versions: Sequence[ForeignVersion]) -> None:
        """One commit and one tag for each; `push` makes them known."""
        writer = ObjectWriter(self._repository).in_memory()
        for version in versions:
            ref, oid = self._built(writer, version)
            self._unpushed[ref] = oid
        writer.store()
        if self._tip is not None and self._refs.get(self._branch) != self._tip:
            self._unpushed[self._branch] = self._tip

    def push(self) -> None:
        """In one push: what the server refuses of it, it refuses together."""
        if self._unpushed:
            write_packed_refs(self._repository, {**self._refs, **self._unpushed})
            self._of._door.push(self._repository, list(self._unpushed))
            self._refs.update(self._unpushed)
            self._pushed.update(self._unpushed)
            self._unpushed = {}

    def verify(self) -> None:
        """Ask the server for all that was pushed. Raises OriginUnreachable if it says something else."""
        tags = {ref: oid for ref, oid in self._pushed.items() if ref.startswith(TAGS)}
        missing = self._of._door.missing(self._repository, tags) if tags else []
        if missing:
            raise OriginUnreachable(
                f"the server has not what was pushed: {', '.join(sorted(missing)[:5])}",
                hint="Run it again.",
            )

    def _built(self, writer: ObjectWriter, version: ForeignVersion) -> tuple[str, str]:
        at = version.created_at or self._of._now
        author = signature_of(version.author, self._of._house, at)
        draft = Draft(
            version.name, version.version, version.document, self._newest.get(version.name), self._branch,
            self._tip, self._settings.root,
        )  # fmt: skip
        message = version.message.strip() or f"{version.name} {version.version}"
        made = publication(writer, draft, author, f"{message}\n")
        if made.on_branch:
            self._tip = made.commit
        update = made.updates[-1]
        path, blob = next(_found(writer, made.commit, draft))
        done = Version(
            version.name, version.version, update.new, made.commit, blob, at, str(author), path
        )
        self._there[version.name, version.version] = _Existing(done, version.document)
        newest = self._newest.get(version.name)
        if newest is None or rank(version.version) > rank(newest[0].version):
            self._newest[version.name] = done, version.document
        return update.ref, update.new

    # labels

    def label(self, versions: Sequence[ForeignVersion], labels: Labels) -> tuple[int, int]:
        """Point labels as they pointed there; how many were made or moved, and how many were so already."""
        wanted = self._wanted_labels(versions, labels)
        writer = None if self._is_dry else ObjectWriter(self._repository).in_memory()
        moved = there = 0
        histories = self._histories(wanted)
        for (name, label), (at, number) in sorted(
            wanted.items(), key=lambda item: (item[1][0], item[0])
        ):
            history = histories.get((name, label))
            current = history.version if history is not None else None
            if current == number:
                there += 1
            elif current is not None and not labels.are_moved:
                example = f"{name}@{label} at {current}, not {number}"
                self._tell_label(
                    "it points at another version there, and stays: see --labels", example
                )
            else:
                moved += 1
                if writer is not None:
                    move = MoveRecord(
                        name, label, number, current, f"As it was in {self._of._house}"
                    )
                    self._move(writer, move, at)
        if writer is not None:
            writer.store()
        self.push()
        return moved, there

    def _wanted_labels(
        self, versions: Sequence[ForeignVersion], labels: Labels
    ) -> dict[tuple[str, str], tuple[int, str]]:
        """Since when each label of a prompt is at which version."""
        wanted: dict[tuple[str, str], tuple[int, str]] = {}
        spelled = self._label_spellings()
        for version in versions:
            for label, at in version.labels:
                if not self._may_be(version, label, labels):
                    continue
                name, number = self._placed[version.name, version.version]
                twin = spelled.setdefault(name, Spellings()).twin(label)
                if twin is not None:
                    self._tell_label(
                        f"differs only in case from the label {twin}", f"{name}@{label}"
                    )
                    continue
                spelled[name].add(label)
                other = wanted.get((name, label))
                if other is not None and other[1] != number:
                    self._tell_label(
                        "two versions have it: it is of the one that was changed last",
                        f"{name}@{label}",
                    )
                if other is None or (at, rank(number)) > (other[0], rank(other[1])):
                    wanted[name, label] = at, number
        return wanted

    def _tell_label(self, why: str, example: str) -> None:
        self._of._losses.add("prompt.labels", why, example)

    def _move(self, writer: ObjectWriter, move: MoveRecord, at: int) -> None:
        ref = label_ref(move.name, move.label, namespace=self._settings.namespace)
        author = signature_of(self._of._house, self._of._house, at or self._of._now)
        target = self._there[move.name, str(move.version)].version
        self._unpushed[ref] = label_commit(
            writer, move, target, parent=self._refs.get(ref), author=author
        )

    def _label_spellings(self) -> dict[str, Spellings]:
        """The labels that are there, by prompt."""
        spelled: dict[str, Spellings] = {}
        for ref in self._refs:
            with suppress(GitpromptError):
                name, label = split_label_ref(ref, namespace=self._settings.namespace)
                spelled.setdefault(name, Spellings()).add(label)
        return spelled

    def _may_be(self, version: ForeignVersion, label: str, labels: Labels) -> bool:
        example = f"{version.name}@{label}"
        if not labels.are_made:
            return False
        problem = label_problem(label)
        if not problem:
            try:
                check_label(label)
            except GitpromptError as error:
                problem = error.message
        if problem:
            self._tell_label(problem, example)
            return False
        if (version.name, version.version) not in self._placed:
            self._of._losses.add(
                "prompt.labels", "its version was rejected, or has another text there", example
            )
            return False
        return True

    def _histories(self, labels: Iterable[tuple[str, str]]) -> dict[tuple[str, str], LabelHistory]:
        """Those of the labels that are there."""
        published: dict[str, list[Version]] = {}
        for (name, _), existing in self._there.items():
            published.setdefault(name, []).append(existing.version)
        histories = {}
        with self._repository.reader() as reader:
            for name, label in labels:
                ref = label_ref(name, label, namespace=self._settings.namespace)
                if ref in self._refs:
                    found = load_label(
                        reader, ref, self._refs[ref], namespace=self._settings.namespace,
                        versions=lambda name: published.get(name, []),
                    )  # fmt: skip
                    if isinstance(found, LabelHistory):
                        histories[name, label] = found
        return histories


def _found(writer: ObjectWriter, commit: str, draft: Draft) -> Iterator[tuple[str, str]]:
    """Path and blob of the document in a commit."""
    for suffix in SUFFIXES:
        entry = writer.entry(commit, draft.path(suffix))
        if entry is not None:
            yield below(draft.root, f"prompts/{draft.name}{suffix}"), entry[1]


def _rank(version: str) -> tuple[int, Any]:
    try:
        return 1, rank(check_version(version))
    except GitpromptError:
        return 0, version
