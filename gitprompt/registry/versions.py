# SPDX-License-Identifier: Apache-2.0
"""Reads the repository format from Git: version tags, labels, suites and settings.

Everything is read in bulk through one ObjectReader, and everything that breaks a rule comes back
as a Rejection with its findings; nothing here raises for what somebody else has pushed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from gitprompt import checks, formats
from gitprompt.checks.shortcut import is_surely_valid
from gitprompt.checks.subject import Subject
from gitprompt.core.document import SUFFIXES, version_paths
from gitprompt.core.model import Finding, Severity
from gitprompt.core.names import check_name
from gitprompt.core.publication import Rejection, Version
from gitprompt.core.versions import check_version, split_tag_ref
from gitprompt.errors import Invalid
from gitprompt.git.objects import (
    Object,
    ObjectReader,
    Signature,
    parse_commit,
    parse_tag,
    parse_tree,
)

_new = tuple.__new__  # half the time of a NamedTuple's own constructor, for each of 100,000 tags

Severities = Mapping[str, Severity]
# Like `formats.read`, which a caller may replace by a faster one with the same outcome.
Reader = Callable[[bytes, str], Any]


class Loaded(NamedTuple):
    """A version whose tag and document are valid; `document` is JSON, `tags` are its tags."""

    ref: str
    version: Version
    document: bytes
    tags: tuple[str, ...] = ()


class _Target(NamedTuple):
    """Where a tag leads, before the document is found."""

    ref: str
    name: str
    version: str
    oid: str
    target: str
    is_blob: bool
    tagger: Signature | None


class TreeFile(NamedTuple):
    """A tree entry: `mode` is that of Git, such as 100644."""

    path: str
    mode: str
    oid: str


def rejection(ref: str, oid: str, message: str, hint: str = "", code: str = "ref") -> Rejection:
    return Rejection(ref, oid, (Finding(code, "error", message, hint),))


# Version tags


def load_versions(
    reader: ObjectReader,
    refs: Sequence[tuple[str, str]],
    severities: Severities,
    *,
    are_published: bool = False,
) -> Iterator[Loaded | Rejection]:
    """What each (ref, object) below refs/tags/prompts/ publishes, in order. What is published already
    is judged by the rules under which it was (`checks.LATER`)."""
    return chain.from_iterable(load_chunks(reader, refs, severities, are_published=are_published))


def load_chunks(
    reader: ObjectReader,
    refs: Sequence[tuple[str, str]],
    severities: Severities,
    *,
    size: int = 2_000,
    read: Reader = formats.read,
    are_published: bool = False,
) -> Iterator[list[Loaded | Rejection]]:
    """Like `load_versions`, `size` at a time. The reader is free for others between chunks."""
    for start in range(0, len(refs), size):
        chunk = refs[start : start + size]
        yield list(_load_chunk(reader, chunk, severities, read, are_published))


def _load_chunk(
    reader: ObjectReader,
    refs: Sequence[tuple[str, str]],
    severities: Severities,
    read: Reader,
    are_published: bool,
) -> Iterator[Loaded | Rejection]:
    outcomes: list[_Target | Rejection] = []
    objects = reader.contents(oid for _, oid in refs)
    for (ref, oid), object_ in zip(refs, objects, strict=True):
        outcomes.append(_target(reader, ref, oid, object_))
    files = iter(_documents(reader, [o for o in outcomes if isinstance(o, _Target)]))
    ready: list[tuple[_Target, TreeFile, Signature] | Rejection] = []
    for outcome in outcomes:
        ready.append(outcome if isinstance(outcome, Rejection) else next(files))
    blobs = reader.contents(r[1].oid for r in ready if not isinstance(r, Rejection))
    for item in ready:
        if isinstance(item, Rejection):
            yield item
        else:
            yield _judged(*item, next(blobs), severities, read, are_published)


def _target(reader: ObjectReader, ref: str, oid: str, found: Object | None) -> _Target | Rejection:
    name, version = split_tag_ref(ref)
    try:
        check_name(name)
        check_version(version)
    except Invalid as error:
        return rejection(ref, oid, error.message, error.hint, "name")
    if found is None:
        return rejection(ref, oid, "the object it points at is missing", "Run: git fsck")
    if found.kind == "commit":
        return _Target(ref, name, version, oid, oid, False, None)
    if found.kind != "tag":
        return rejection(
            ref,
            oid,
            f"a lightweight tag on a {found.kind} publishes nothing",
            "Make an annotated tag (git tag -a), or use `gitprompt publish`.",
        )
    tag = parse_tag(found.data)
    target, kind, tagger = tag
    if kind in ("commit", "blob"):
        return _new(_Target, (ref, name, version, oid, target, kind == "blob", tagger))
    return rejection(
        ref,
        oid,
        f"the tag points at a {tag.kind}, not at a commit or a document",
        "Tag a commit that has the document: `gitprompt publish`.",
    )


def _documents(
    reader: ObjectReader, targets: Sequence[_Target]
) -> Iterator[tuple[_Target, TreeFile, Signature] | Rejection]:
    """The file that each target publishes, and who made it."""
    undated = dict.fromkeys(t.target for t in targets if not t.is_blob and t.tagger is None)
    people = {
        commit: parse_commit(object_.data).committer
        for commit, object_ in zip(undated, reader.contents(undated), strict=True)
        if object_ is not None
    }
    folders = dict.fromkeys((t.target, _folder(t.name)) for t in targets if not t.is_blob)
    trees = reader.contents(f"{commit}:{folder}" for commit, folder in folders)
    listings = dict(zip(folders, trees, strict=True))
    for target in targets:
        if target.is_blob:
            file = TreeFile(f"prompts/{target.name}", "100644", target.target)
            yield target, file, target.tagger or Signature("unknown", "", 0)
            continue
        outcome = _find(reader, listings[target.target, _folder(target.name)], target)
        if isinstance(outcome, TreeFile):
            yield target, outcome, target.tagger or people[target.target]
        else:
            yield outcome


def _folder(name: str) -> str:
    return f"prompts/{name}".rpartition("/")[0]


def _find(reader: ObjectReader, tree: Object | None, target: _Target) -> TreeFile | Rejection:
    """The document of a version in a commit: the file of that version, else the working copy."""
    data = tree.data if tree is not None and tree.kind == "tree" else b""
    entries = _entries(data, target.name.rpartition("/")[2])
    folder = entries.get("")
    if folder is not None and folder[0] == "40000":
        versions = reader.get(folder[1])
        inside = _entries(versions.data if versions else b"", target.version)
        for path in version_paths(target.name, target.version):
            entry = inside.get(path[path.rindex(".") :])
            if entry is not None:
                return _regular(TreeFile(path, *entry), target)
    files = [
        TreeFile(f"prompts/{target.name}{suffix}", *entries[suffix])
        for suffix in SUFFIXES
        if suffix in entries
    ]
    if len(files) > 1:
        both = " and ".join(file.path for file in files)
        return rejection(target.ref, target.oid, f"its commit has both {both}", "Keep one.")
    if not files:
        return rejection(
            target.ref,
            target.oid,
            f"its commit {target.target[:10]} has no prompts/{target.name}.yaml, .yml or .json",
            "Commit the document first, then tag that commit: `gitprompt publish`.",
            "no-document",
        )
    return _regular(files[0], target)


def _entries(tree: bytes, stem: str) -> dict[str, tuple[str, str]]:
    """Mode and object of the entries <stem> ("") and <stem>.yaml, .yml, .json (by their suffix) of
    a tree, found without reading the others; a name may hold what looks like another entry."""
    entries: dict[str, tuple[str, str]] = {}
    needle = b" %b" % stem.encode()
    at = tree.find(needle)
    while at >= 0:
        tail = _TAIL.match(tree, at + len(needle))
        mode = tail and _MODE.search(tree, max(at - 6, 0), at)
        if tail and mode:
            if not _surely_begins(tree, mode.start()):
                return _entries_one_by_one(tree, stem)
            entries[tail[1].decode()] = mode[0].decode(), tree[tail.end() : tail.end() + 20].hex()
        at = tree.find(needle, at + 1)
    return entries


def _surely_begins(tree: bytes, at: int) -> bool:
    """Whether an entry begins here. Before it are the twenty bytes of the last one's object; if this
    stood inside a name, there would be the mode of that entry and a space."""
    before = tree[tree.rfind(b"\0", 0, at) + 1 : at]
    return at == 0 or (len(before) <= 20 and not _DIGIT_AND_SPACE.search(before))


def _entries_one_by_one(tree: bytes, stem: str) -> dict[str, tuple[str, str]]:
    suffixes = {f"{stem}{suffix}".encode(): suffix for suffix in ("", *SUFFIXES)}
    return {suffixes[name]: (mode, oid) for mode, name, oid in parse_tree(tree) if name in suffixes}


_DIGIT_AND_SPACE = re.compile(rb"[0-7] ")
_TAIL = re.compile(rb"(\.yaml|\.yml|\.json|)\0")
_MODE = re.compile(rb"(?:100644|100755|100664|120000|160000|40000)\Z")


def _regular(file: TreeFile, target: _Target) -> TreeFile | Rejection:
    if file.mode in ("120000", "160000", "40000"):
        what = {"120000": "a symbolic link", "160000": "a submodule", "40000": "a folder"}
        return rejection(
            target.ref,
            target.oid,
            f"{file.path} is {what[file.mode]}, not a file",
            "Commit the document itself.",
        )
    return file


def _judged(
    target: _Target,
    file: TreeFile,
    person: Signature,
    blob: Object | None,
    severities: Severities,
    read: Reader,
    is_published: bool,
) -> Loaded | Rejection:
    if blob is None or blob.kind != "blob":
        return rejection(target.ref, target.oid, f"the document of {file.path} is missing")
    path = file.path
    if target.is_blob:
        path += ".json" if formats.is_json(blob.data) else ".yaml"
    try:
        value = read(blob.data, path)
    except formats.FormatError as error:
        finding = Finding(
            "syntax", "error", error.message, error.hint, path, error.line, error.column
        )
        return Rejection(target.ref, target.oid, (finding,))
    if severities or not is_surely_valid(blob.data, value, target.name, target.version):
        subject = Subject(blob.data, value, path, "prompt", target.name, target.version, None)
        findings = checks.judge(subject, severities, is_published=is_published)
        problems = checks.errors(findings)
        if problems:
            return Rejection(target.ref, target.oid, problems)
    ref, name, number, oid, commit, is_blob, _ = target
    commit_oid = None if is_blob else commit
    fields = (name, number, oid, commit_oid, file.oid, person.at, str(person), path)
    document = formats.as_json(blob.data, path, value)
    return _new(Loaded, (ref, _new(Version, fields), document, tuple(value.get("tags", ()))))


def load_pinned(reader: ObjectReader, versions: Sequence[Version]) -> Iterator[bytes | None]:
    """The documents of pinned versions in JSON, by blob; None if Git has lost the bytes."""
    for version, blob in zip(versions, reader.contents(v.blob for v in versions), strict=True):
        value = None
        if blob is not None and blob.kind == "blob":
            with suppress(formats.FormatError):
                value = formats.as_json(
                    blob.data, version.path, formats.read(blob.data, version.path)
                )
        yield value


def tree_blob(reader: ObjectReader, commit: str, name: str) -> str | None:
    """The document of a prompt in the tree of a commit, at one of the paths of a working copy."""
    tree = reader.get(f"{commit}:{_folder(name)}")
    if tree is None or tree.kind != "tree":
        return None
    entries = _entries(tree.data, name.rpartition("/")[2])
    return next((entries[suffix][1] for suffix in SUFFIXES if suffix in entries), None)
