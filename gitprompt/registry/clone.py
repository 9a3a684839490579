# SPDX-License-Identifier: Apache-2.0
"""Reads a registry straight from a clone: names, versions, labels, documents. No server needed.

A label that was fetched stands in refs/remotes/<remote>/labels; where a clone has both that and
its own, the one that descends from the other counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from gitprompt import checks, formats
from gitprompt.core.document import (
    PROMPTS,
    SETTINGS,
    SUFFIXES,
    below,
    place,
    prompt_paths,
    stem,
)
from gitprompt.core.labels import label_ref, split_label_ref
from gitprompt.core.model import Finding
from gitprompt.core.names import check_name, nearest
from gitprompt.core.publication import LabelHistory, Rejection, Version
from gitprompt.core.settings import Settings
from gitprompt.core.versions import (
    TAG_PREFIX,
    check_version,
    is_version,
    newest,
    precedence,
    reads_as_version,
    split_tag_ref,
    tag_ref,
)
from gitprompt.errors import Invalid, NotFound
from gitprompt.formats import fragments
from gitprompt.git.objects import ObjectReader, blob_oid
from gitprompt.git.repository import Repository
from gitprompt.registry.labels import load_label
from gitprompt.registry.tip import load_settings
from gitprompt.registry.versions import Loaded, load_pinned, load_versions

WORK_TREE = "."
FETCH_LABELS = "What others set comes with: gitprompt hooks install && git fetch"


class Selector(NamedTuple):
    """NAME, NAME@VERSION, NAME@LABEL or NAME@. as a person types it."""

    name: str
    at: str | None

    def __str__(self) -> str:
        return self.name if self.at is None else f"{self.name}@{self.at}"


def parse_selector(text: str) -> Selector:
    name, sign, at = text.partition("@")
    if sign and not at:
        raise Invalid(
            f"{text!r} names nothing after the @",
            hint="Write NAME, NAME@VERSION, NAME@LABEL, or NAME@. for the work tree.",
        )
    return Selector(check_name(name), at or None)


class Resolved(NamedTuple):
    """What a selector means. `version` is None for the work tree."""

    selector: Selector
    version: Version | None
    document: Mapping[str, Any]
    path: str


def _settings_of_root(path: str) -> Settings:
    """The settings in a file, for where they say that the prompts are; what else is wrong in them does
    not matter to that."""
    try:
        data = formats.read_file(path)
    except OSError:
        return Settings()
    settings, problems = checks.read_settings(data)
    if problems and re.search(rb"^[\"']?root\b", data, re.MULTILINE):
        raise not_valid(os.path.relpath(path), problems)
    return settings


def not_valid(shown: str, problems: Sequence[Finding]) -> Invalid:
    """The error for a file that has findings: the first of them."""
    first = problems[0]
    return Invalid(f"{shown}:{first.line}:{first.column}: {first.message}", hint=first.hint)


class Clone:
    """One clone, read at one moment."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    @cached_property
    def settings(self) -> Settings:
        """Those that are committed at HEAD; the defaults if they are not valid."""
        return self._committed[0]

    @property
    def broken_settings(self) -> Rejection | None:
        """What is wrong with them."""
        return self._committed[1]

    @cached_property
    def _committed(self) -> tuple[Settings, Rejection | None]:
        with self.repository.reader() as reader:
            return load_settings(reader, self.repository.refs().head[1])

    @cached_property
    def root(self) -> str:
        """The folder that has prompts/ and evals/, as the settings of the work tree say, committed
        or not; without a work tree those at HEAD. Raises Invalid if they name one that is none."""
        top = self.repository.work_tree
        settings = self.settings
        if top is not None:
            settings = _settings_of_root(os.path.join(top, SETTINGS))
        return settings.root or self.repository.root

    @property
    def folder(self) -> str:
        """The same on the disk; empty without a work tree."""
        top = self.repository.work_tree
        return os.path.join(top, *self.root.split("/")).rstrip("/") if top is not None else ""

    @property
    def is_root_missing(self) -> bool:
        """Whether the settings name a folder that is not in the work tree."""
        return bool(self.root and self.folder) and not os.path.isdir(self.folder)

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        """The version tags as the refs say, name → version → tag object, valid or not."""
        by_name: dict[str, dict[str, str]] = {}
        for ref, oid in self.repository.refs().items():
            if ref.startswith(TAG_PREFIX):
                name, version = split_tag_ref(ref)
                if name and is_version(version):
                    by_name.setdefault(name, {})[version] = oid
        return by_name

    @cached_property
    def _merged(self) -> dict[str, list[str]]:
        """The versions, name → version, whose commits are in the history of HEAD."""
        lines = self.repository.git(
            "for-each-ref", "--merged=HEAD", "--format=%(refname)", TAG_PREFIX, accept=(0, 128, 129)
        )
        by_name: dict[str, list[str]] = {}
        for ref in os.fsdecode(lines).splitlines():
            name, version = split_tag_ref(ref)
            if version in self.tags.get(name, ()):
                by_name.setdefault(name, []).append(version)
        return by_name

    def base(self, name: str) -> str | None:
        """The version that the work tree is based on: the newest in the history of HEAD, so that a
        hotfix branch is measured against what it came from; the newest of all if none is."""
        return newest(self._merged.get(name) or self.tags.get(name, {}))

    def bases(self, names: Iterable[str]) -> dict[str, Loaded]:
        """The bases of prompts, read together; those that are valid."""
        numbers = {name: base for name in names if (base := self.base(name)) is not None}
        refs = [(tag_ref(name, base), self.tags[name][base]) for name, base in numbers.items()]
        with self.repository.reader() as reader:
            items = load_versions(reader, refs, self.settings.checks, are_published=True)
            return {item.version.name: item for item in items if isinstance(item, Loaded)}

    def is_untouched(self, path: str, base: Loaded) -> bool:
        """Whether a file of the work tree surely is what was published, without reading it as one."""
        if base.version.fragments:
            return False
        data = formats.read_file(os.path.join(self.repository.work_tree or "", path))
        return blob_oid(data) == base.version.blob

    @cached_property
    def label_refs(self) -> dict[str, str]:
        """The value of each label's ref, local and fetched ones merged."""
        namespace = self.settings.namespace
        lines = self.repository.git(
            "for-each-ref", "--format=%(objectname) %(refname)", namespace, "refs/remotes"
        )
        merged: dict[str, str] = {}
        for line in os.fsdecode(lines).splitlines():
            oid, _, ref = line.partition(" ")
            _, labels, rest = ref.partition("/labels/")
            if not labels or not ref.startswith((namespace, "refs/remotes/")):
                continue
            local = f"{namespace}/{rest}"
            here = merged.get(local)
            if here is None or (here != oid and self.repository.descends(oid, here)):
                merged[local] = oid
        return merged

    def versions(self, name: str) -> list[Version]:
        """The valid versions of a prompt, newest precedence first."""
        tags = self.tags.get(name, {})
        refs = [(f"{TAG_PREFIX}{name}/{version}", oid) for version, oid in tags.items()]
        with self.repository.reader() as reader:
            loaded = list(load_versions(reader, refs, self.settings.checks, are_published=True))
        valid = [item.version for item in loaded if isinstance(item, Loaded)]
        return sorted(valid, key=lambda v: precedence(v.version), reverse=True)

    def label_pairs(self) -> list[tuple[str, str]]:
        """(prompt, label) of each label that there is, or was."""
        prefix = self.settings.namespace + "/"
        pairs = (ref.removeprefix(prefix).partition("@") for ref in self.label_refs)
        return [(name, label) for name, _, label in pairs]

    def labels(self, name: str | None = None) -> list[LabelHistory | Rejection]:
        """The labels, of one prompt or all, with their histories; removed ones are among them."""
        namespace = self.settings.namespace
        labels: list[LabelHistory | Rejection] = []
        with self.repository.reader() as reader:
            for ref, tip in sorted(self.label_refs.items()):
                if name is not None and not ref.startswith(f"{namespace}/{name}@"):
                    continue
                labels.append(self.read_label(reader, ref, tip))
        return labels

    def read_label(self, reader: ObjectReader, ref: str, tip: str) -> LabelHistory | Rejection:
        """The label whose ref points at a commit."""
        return load_label(
            reader, ref, tip, namespace=self.settings.namespace, versions=self.versions
        )

    def label(self, name: str, label: str) -> LabelHistory | None:
        """A label, or None if there never was one. Raises Invalid if its ref is."""
        ref = label_ref(name, label, namespace=self.settings.namespace)
        split_label_ref(ref, namespace=self.settings.namespace)
        tip = self.label_refs.get(ref)
        if tip is None:
            return None
        with self.repository.reader() as reader:
            history = self.read_label(reader, ref, tip)
        if isinstance(history, Rejection):
            first = history.findings[0]
            raise Invalid(f"{ref}: {first.message}", hint=first.hint)
        return history

    def names(self) -> list[str]:
        """Everything published or in the work tree."""
        return sorted({*self.tags, *self.working_copies()})

    def working_copies(self) -> dict[str, str]:
        """Name → path below the work tree of each working copy; version files are not among them."""
        top = self.folder
        if not top:
            return {}
        paths: dict[str, str] = {}
        for folder, folders, names in os.walk(os.path.join(top, PROMPTS)):
            folders.sort()
            for file in sorted(names):
                path = os.path.relpath(os.path.join(folder, file), top).replace(os.sep, "/")
                name = stem(path, PROMPTS)
                if name is not None and not is_version(name.rpartition("/")[2]):
                    paths.setdefault(name, below(self.root, path))
        return paths

    def find(self, selector: Selector) -> Resolved | None:
        """Like `resolve`, with None for what does not exist or is not valid."""
        try:
            return self.resolve(selector)
        except (NotFound, Invalid):
            return None

    def resolve(self, selector: Selector) -> Resolved:
        """The document that a selector names. Raises NotFound with what there is instead."""
        if selector.at == WORK_TREE:
            return self._working_copy(selector)
        versions = self.versions(selector.name)
        number = selector.at
        if number is None:
            default = self.settings.default_label
            history = self.label(selector.name, default) if default else None
            number = history.version if history else None
            if number is None:
                number = newest(version.version for version in versions)
        elif not is_version(number):
            if reads_as_version(number):
                check_version(number)  # says what is wrong with it
            label = self.label(selector.name, number)
            if label is None or label.version is None:
                raise NotFound(
                    f"Label {number} of {selector.name} not found", hint=self._labels(selector)
                )
            number = label.version
        version = next((v for v in versions if v.version == number), None)
        if version is None:
            raise self._missing(selector, versions)
        with self.repository.reader() as reader:
            (document,) = load_pinned(reader, [version])
        if document is None:
            raise NotFound(f"The document of {selector} is missing from the repository")
        return Resolved(selector, version, formats.read(document, ".json"), version.path)

    def _labels(self, selector: Selector) -> str:
        alive = [
            x.label for x in self.labels(selector.name) if isinstance(x, LabelHistory) and x.version
        ]
        names = ", ".join(alive) or "none"
        return f"Its labels here: {names}. {FETCH_LABELS}"

    def _missing(self, selector: Selector, versions: Sequence[Version]) -> NotFound:
        if versions:
            numbers = ", ".join(version.version for version in versions[:5])
            return NotFound(f"Version {selector} not found", hint=f"Published: {numbers}.")
        if selector.name in self.working_copies():
            return NotFound(
                f"{selector.name} is not published yet",
                hint=f"Read the work tree with {selector.name}@. or run: gitprompt publish {selector.name}",
            )
        close = nearest(selector.name, self.names())
        hint = f"Did you mean {close}?" if close else "`gitprompt list` shows what there is."
        return NotFound(f"Prompt {selector.name} not found", hint=hint)

    def _working_copy(self, selector: Selector) -> Resolved:
        top = self.folder
        for path in prompt_paths(selector.name):
            full = os.path.join(top, path)
            if top and os.path.isfile(full) and not os.path.islink(full):
                data = formats.read_file(full)
                document, findings = checks.examine(
                    data,
                    path=path,
                    kind="prompt",
                    name=selector.name,
                    source=fragments.of_work_tree(top),
                )
                problems = checks.errors(findings)
                if problems:
                    raise not_valid(self.shown(below(self.root, path)), problems)
                return Resolved(selector, None, document, below(self.root, path))
        raise NotFound(f"{self.shown(self.path_of(selector.name))} is not in the work tree")

    def path_of(self, name: str) -> str:
        """Where a new prompt of this name belongs, below the top of the work tree."""
        return below(self.root, f"{PROMPTS}/{name}.yaml")

    def shown(self, path: str) -> str:
        """A path below the top of the work tree, as seen from where the person stands."""
        return self.repository.shown(path)

    def select(self, text: str) -> Selector:
        """What a person types for a document: NAME or the PATH of a file below prompts/, and perhaps
        what follows an @. Raises Invalid."""
        word, sign, at = text.partition("@")
        return parse_selector(f"{self.name(word)}{sign}{at}")

    def name(self, text: str) -> str:
        """The prompt that a person names by its name or by the path of its file, as seen from where
        they stand. Raises Invalid, and NotFound for the path of a file that is none of ours."""
        name = name_of_path(text, self.folder)
        if name is None and text.endswith(SUFFIXES) and text not in self.names():
            where = self.shown(below(self.root, PROMPTS))
            if os.path.lexists(text):
                raise NotFound(f"{text} is no prompt of this repository: they are below {where}/")
            raise NotFound(
                f"there is no file {text}",
                hint="Say the path of one that is there, or the name of a prompt: gitprompt list",
            )
        return check_name(name or text)


def name_of_path(text: str, folder: str, *, exists: bool = True) -> str | None:
    """The prompt whose file, below prompts/ in `folder`, `text` is the path of; None if it is none.
    `exists` False: nor need there be one yet."""
    if not folder or not text.endswith(SUFFIXES) or (exists and not os.path.lexists(text)):
        return None
    path = os.path.relpath(os.path.realpath(os.path.dirname(text) or "."), os.path.realpath(folder))
    kind, name, _ = place(os.path.join(path, os.path.basename(text)).replace(os.sep, "/"))
    return name if kind == "prompt" else None
