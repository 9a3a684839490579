# SPDX-License-Identifier: Apache-2.0
"""Reads the repository format from Git: version tags, labels, suites and settings.

Everything is read in bulk through one ObjectReader, and everything that breaks a rule comes back
as a Rejection with its findings; nothing here raises for what somebody else has pushed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from gitprompt import checks, formats
from gitprompt.checks.shortcut import is_surely_valid
from gitprompt.checks.subject import Subject
from gitprompt.core.document import FRAGMENTS, SUFFIXES, below, version_paths
from gitprompt.core.model import Finding, Severity
from gitprompt.core.names import check_name
from gitprompt.core.publication import Rejection, Version
from gitprompt.core.versions import check_version, split_tag_ref
from gitprompt.errors import Invalid
from gitprompt.formats import fragments
from gitprompt.git.folder import Folder
from gitprompt.git.objects import (
    EMPTY_TREE,
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


class _Placed(NamedTuple):
    """A target with its file, and who made it."""

    target: _Target
    file: TreeFile
    person: Signature


class _Incomplete(NamedTuple):
    """A version whose document includes fragments that are not read yet."""

    placed: _Placed
    data: bytes
    value: Any


class TreeFile(NamedTuple):
    """A tree entry: `mode` is that of Git, such as 100644."""

    path: str
    mode: str
    oid: str


class Base(NamedTuple):
    """Where a commit has its prompts/ and evals/: what git reads their paths from, and the folder."""

    tree: str
    root: str


def base_of(reader: ObjectReader, commit: str) -> Base:
    """The base of a commit: its own settings name the root, so that what a tag publishes never
    changes when the folder is moved later."""
    return _bases(reader, [commit])[commit]


def _bases(reader: ObjectReader, commits: Sequence[str]) -> dict[str, Base]:
    tops = reader.contents(f"{commit}^{{tree}}" for commit in commits)
    bases: dict[str, Base] = {}
    for commit, root in zip(commits, _roots(reader, tops), strict=True):
        tree = next(reader.names((f"{commit}:{root}",))) if root else None
        bases[commit] = Base((tree.oid if tree else EMPTY_TREE) if root else commit, root)
    return bases


def _roots(reader: ObjectReader, tops: Iterable[Object | None]) -> list[str]:
    """The root of each commit, by its tree. Most commits have the settings of another one."""
    settings = [_settings_in(top.data) if top is not None else "" for top in tops]
    distinct = sorted({oid for oid in settings if oid})
    blobs = zip(distinct, reader.contents(distinct), strict=True)
    roots = {oid: _root(blob) or reader.root for oid, blob in blobs}
    return [roots.get(oid, reader.root) for oid in settings]


def _settings_in(tree: bytes) -> str:
    if b" gitprompt.yaml\0" not in tree:  # to read the tree would take ten times as long
        return ""
    return _entries(tree, "gitprompt").get(".yaml", ("", ""))[1]


def _root(settings: Object | None) -> str:
    if settings is None or settings.kind != "blob" or b"root" not in settings.data:
        return ""
    return checks.read_settings(settings.data)[0].root


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
    ready: list[_Placed | Rejection] = []
    for outcome in outcomes:
        ready.append(outcome if isinstance(outcome, Rejection) else next(files))
    blobs = reader.contents(r.file.oid for r in ready if not isinstance(r, Rejection))
    judge = _Judge(severities, read, are_published)
    judged = [r if isinstance(r, Rejection) else judge.judged(r, next(blobs)) for r in ready]
    folders = _fragment_folders(
        reader, [item.placed.target.target for item in judged if isinstance(item, _Incomplete)]
    )
    for item in judged:
        if isinstance(item, _Incomplete):
            yield judge.completed(item, folders[item.placed.target.target])
        else:
            yield item


def _fragment_folders(reader: ObjectReader, commits: Sequence[str]) -> dict[str, Folder]:
    """The fragments of each commit; those of equal trees are read once."""
    by_tree: dict[str, Folder] = {}
    folders: dict[str, Folder] = {}
    bases = _bases(reader, commits)
    trees = list(reader.names(f"{bases[commit].tree}:{FRAGMENTS}" for commit in commits))
    for commit, tree in zip(commits, trees, strict=True):
        oid = tree.oid if tree is not None else ""
        folders[commit] = by_tree.setdefault(oid, Folder(reader, oid or None))
    return folders


def fragments_at(reader: ObjectReader, commit: str) -> Folder:
    """The fragments in the tree of a commit."""
    return _fragment_folders(reader, [commit])[commit]


def fragments_of_move(reader: ObjectReader, commit: str) -> Folder:
    """Those in the tree of a label's move, which has no root."""
    tree = next(reader.names((f"{commit}:{FRAGMENTS}",)))
    return Folder(reader, tree.oid if tree is not None else None)


def source_of(folder: Folder) -> fragments.Source:
    """The fragments in a folder, for `fragments.include`."""

    def source(name: str) -> bytes | None:
        blob = folder.file(f"{name}.md")
        return blob.data if blob is not None else None

    return source


def blobs_of(folder: Folder, names: Iterable[str]) -> str:
    """What `Version.fragments` says of the fragments of these names, which are there."""
    blobs = {name: folder.file(f"{name}.md") for name in sorted(names)}
    return "".join(f"{name} {blob.oid}\n" for name, blob in blobs.items() if blob is not None)


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


def _documents(reader: ObjectReader, targets: Sequence[_Target]) -> Iterator[_Placed | Rejection]:
    """The file that each target publishes, and who made it."""
    undated = dict.fromkeys(t.target for t in targets if not t.is_blob and t.tagger is None)
    people = {
        commit: parse_commit(object_.data).committer
        for commit, object_ in zip(undated, reader.contents(undated), strict=True)
        if object_ is not None
    }
    listings = _listings(reader, targets)
    for target in targets:
        if target.is_blob:
            file = TreeFile(f"prompts/{target.name}", "100644", target.target)
            yield _new(_Placed, (target, file, target.tagger or Signature("unknown", "", 0)))
            continue
        root, listing = listings[target.target, _folder(target.name)]
        outcome = _find(reader, listing, target, root)
        if isinstance(outcome, TreeFile):
            yield _new(_Placed, (target, outcome, target.tagger or people[target.target]))
        else:
            yield outcome


def _listings(
    reader: ObjectReader, targets: Sequence[_Target]
) -> dict[tuple[str, str], tuple[str, Object | None]]:
    """The root, and the tree of the folder in which the document must be, by commit and folder. Most
    are at the top; they are asked for beside the tree of the commit, while git has it at hand."""
    folders = list(dict.fromkeys((t.target, _folder(t.name)) for t in targets if not t.is_blob))
    specs = ((f"{commit}:", f"{commit}:{folder}") for commit, folder in folders)
    answers = list(reader.contents(chain.from_iterable(specs)))
    roots = _roots(reader, answers[::2])
    listings = dict(zip(folders, zip(roots, answers[1::2], strict=True), strict=True))
    moved = [(key, root) for key, root in zip(folders, roots, strict=True) if root]
    trees = reader.contents(f"{commit}:{below(root, folder)}" for (commit, folder), root in moved)
    for (key, root), tree in zip(moved, trees, strict=True):
        listings[key] = root, tree
    return listings


def _folder(name: str) -> str:
    return f"prompts/{name}".rpartition("/")[0]


def _find(
    reader: ObjectReader, tree: Object | None, target: _Target, root: str
) -> TreeFile | Rejection:
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
                return _regular(TreeFile(below(root, path), *entry), target)
    files = [
        TreeFile(below(root, f"prompts/{target.name}{suffix}"), *entries[suffix])
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
            f"its commit {target.target[:10]} has no {below(root, f'prompts/{target.name}.yaml')}, .yml"
            " or .json",
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


class _Judge(NamedTuple):
    """By what the documents of versions are read and judged."""

    severities: Severities
    read: Reader
    are_published: bool

    def judged(self, placed: _Placed, blob: Object | None) -> Loaded | _Incomplete | Rejection:
        target, file, _ = placed
        if blob is None or blob.kind != "blob":
            return rejection(target.ref, target.oid, f"the document of {file.path} is missing")
        path = file.path
        if target.is_blob:
            path += ".json" if formats.is_json(blob.data) else ".yaml"
        try:
            value = self.read(blob.data, path)
        except formats.FormatError as error:
            finding = Finding(
                "syntax", "error", error.message, error.hint, path, error.line, error.column
            )
            return Rejection(target.ref, target.oid, (finding,))
        if self.severities or not is_surely_valid(blob.data, value, target.name, target.version):
            if not target.is_blob and fragments.are_in(value):
                return _Incomplete(placed, blob.data, value)
            problems = self._problems(target, path, blob.data, fragments.include(value, None))
            if problems:
                return Rejection(target.ref, target.oid, problems)
        return _loaded(placed, path, formats.as_json(blob.data, path, value), value)

    def completed(self, item: _Incomplete, folder: Folder) -> Loaded | Rejection:
        """The version whose document includes fragments of the folder."""
        target, file, _ = item.placed
        included = fragments.include(item.value, source_of(folder))
        problems = self._problems(target, file.path, item.data, included)
        if problems:
            return Rejection(target.ref, target.oid, problems)
        document = included.document
        names = blobs_of(folder, included.files)
        return _loaded(item.placed, file.path, formats.compact(document), document, names)

    def _problems(
        self, target: _Target, path: str, data: bytes, included: fragments.Inclusion
    ) -> tuple[Finding, ...]:
        document = included.document
        subject = Subject(
            data, document, path, "prompt", target.name, target.version, None, included
        )
        return checks.errors(
            checks.judge(subject, self.severities, is_published=self.are_published)
        )


def _loaded(placed: _Placed, path: str, document: bytes, value: Any, names: str = "") -> Loaded:
    (ref, name, number, oid, commit, is_blob, _), file, person = placed
    commit_oid = None if is_blob else commit
    fields = (name, number, oid, commit_oid, file.oid, person.at, str(person), path, names)
    return _new(Loaded, (ref, _new(Version, fields), document, tuple(value.get("tags", ()))))


def load_pinned(reader: ObjectReader, versions: Sequence[Version]) -> Iterator[bytes | None]:
    """The documents of pinned versions in JSON, by blob; None if Git has lost the bytes."""
    blobs = list(reader.contents(version.blob for version in versions))
    for version, blob in zip(versions, blobs, strict=True):
        document = None
        if blob is not None and blob.kind == "blob":
            with suppress(formats.FormatError):
                document = _pinned(reader, version, blob.data)
        yield document


def _pinned(reader: ObjectReader, version: Version, data: bytes) -> bytes | None:
    value = formats.read(data, version.path)
    if not version.fragments:
        return formats.as_json(data, version.path, value)
    blobs = version.fragment_blobs

    def source(name: str) -> bytes | None:
        blob = reader.get(blobs[name]) if name in blobs else None
        return blob.data if blob is not None and blob.kind == "blob" else None

    included = fragments.include(value, source)
    return None if included.troubles else formats.compact(included.document)


def blob_of_move(reader: ObjectReader, commit: str, name: str) -> str | None:
    """The document of a prompt in the tree of a label's move."""
    tree = reader.get(f"{commit}:{_folder(name)}")
    if tree is None or tree.kind != "tree":
        return None
    entries = _entries(tree.data, name.rpartition("/")[2])
    return next((entries[suffix][1] for suffix in SUFFIXES if suffix in entries), None)
