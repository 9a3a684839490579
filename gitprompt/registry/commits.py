# SPDX-License-Identifier: Apache-2.0
"""Commits that the server makes for a client: the version of a prompt, a suite that comes or goes.

Only objects are made here; whoever calls moves the refs, by compare-and-swap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from gitprompt import formats, log
from gitprompt.core.document import (
    PROMPTS,
    SETTINGS,
    SUFFIXES,
    SUITES,
    below,
    canonical,
    fragment_path,
)
from gitprompt.core.publication import Version
from gitprompt.core.versions import rank, tag_ref
from gitprompt.errors import Conflict, NotFound, SetupError
from gitprompt.formats import fragments
from gitprompt.git.objects import REGULAR, Signature
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.writer import ObjectWriter

Document = Mapping[str, Any]


class Draft(NamedTuple):
    """A document to publish, as a client sent it. `newest` is the newest version there is, with its
    document; None for a new prompt. `branch` None: no branch may be moved (a work tree has it
    checked out); `tip` is where the branch is, None if nothing is committed; `root` is the folder of
    the prompts there."""

    name: str
    version: str
    document: Document
    newest: tuple[Version, Document] | None
    branch: str | None
    tip: str | None
    root: str = ""

    def path(self, suffix: str) -> str:
        """Where the file of the document is, in the repository."""
        return below(self.root, f"{PROMPTS}/{self.name}{suffix}")


class PublicationCommit(NamedTuple):
    """A commit that is made, and the ref updates that publish it. `document` is what is published:
    with its fragments, if they are all there."""

    commit: str
    updates: tuple[RefUpdate, ...]
    on_branch: bool
    document: Document


def publication(
    writer: ObjectWriter, draft: Draft, author: Signature, message: str
) -> PublicationCommit:
    """The commit and tag of a version.

    The commit goes on the branch if its text is that of the newest version and this one is newer;
    otherwise beside it, so that neither a backport nor a publish over HTTP overwrites what somebody
    has edited since. Its fragments are those at the tip of the branch. Raises Conflict if the tag
    exists.
    """
    ref = tag_ref(draft.name, draft.version)
    if writer.ref(ref) is not None:
        raise Conflict("Prompt already exists", hint="Versions are immutable: choose the next one.")
    tip = draft.tip if draft.branch else None
    tree = _tree_on_branch(writer, draft, tip)
    included = fragments.include(draft.document, _source(writer, draft))
    updates: list[RefUpdate] = []
    if tree is not None and draft.branch is not None:
        commit = writer.commit(tree, [tip] if tip else [], message, author)
        updates.append(RefUpdate(draft.branch, tip or ZERO, commit))
    else:
        shared = _entries(writer, draft, included.files)
        tree = writer.tree([(draft.path(".json"), writer.blob(_json(draft.document))), *shared])
        before = draft.newest[0].commit if draft.newest else None
        # A repository that was restored from an older copy lacks what is pinned and served.
        parents = [before] if before and writer.has(before) else []
        commit = writer.commit(tree, parents, message, author)
    subject = message.partition("\n")[0]
    tag = writer.tag(commit, ref.removeprefix("refs/tags/"), subject, author, kind="commit")
    every_update = (*updates, RefUpdate(ref, ZERO, tag))
    return PublicationCommit(commit, every_update, bool(updates), included.document)


def _source(writer: ObjectWriter, draft: Draft) -> fragments.Source:
    """The fragments at the tip of the branch."""

    def source(name: str) -> bytes | None:
        path = below(draft.root, fragment_path(name))
        entry = writer.entry(draft.tip, path) if draft.tip else None
        return writer.read(entry[1]) if entry is not None and entry[0] in REGULAR else None

    return source


def _entries(writer: ObjectWriter, draft: Draft, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Path and blob of what a version beside the branch takes from its tip: fragments, and the
    settings if they name the root."""
    paths = [below(draft.root, fragment_path(name)) for name in names]
    if draft.root:
        paths.append(SETTINGS)
    for path in paths:
        entry = writer.entry(draft.tip, path) if draft.tip else None
        if entry is not None:
            yield path, entry[1]


def _tree_on_branch(writer: ObjectWriter, draft: Draft, tip: str | None) -> str | None:
    """The tree of the branch with the document in it, or None if the branch does not take it."""
    path = _place_on_branch(writer, draft, tip) if draft.branch else None
    if path is None:
        return None
    entry = writer.entry(tip, path) if tip else None
    data = written(draft.document, path, writer.read(entry[1]) if entry else b"")
    if data is None:
        return None
    try:
        base = writer.tree_of(tip) if tip else None
        return writer.tree([(path, writer.blob(data))], base=base)
    except Conflict:  # prompts/a.json is a file, and this is prompts/a.json/b
        return None


def _place_on_branch(writer: ObjectWriter, draft: Draft, tip: str | None) -> str | None:
    """The path at which the branch takes the document, or None if it does not."""
    if draft.newest is not None and rank(draft.version) <= rank(draft.newest[0].version):
        return None
    paths = [path for path in map(draft.path, SUFFIXES) if tip and writer.entry(tip, path)]
    if not paths:
        # A prompt that has versions and no file was taken off the branch by somebody.
        return draft.path(".json") if draft.newest is None else None
    assert tip is not None
    mode, oid = writer.entry(tip, paths[0]) or ("", "")
    if len(paths) > 1 or mode not in ("100644", "100755"):
        return None
    if draft.newest is not None and oid == draft.newest[0].blob:
        return paths[0]
    try:
        edited = formats.read(writer.read(oid), paths[0])
    except formats.FormatError:
        return None
    document = draft.newest[1] if draft.newest else draft.document
    edited = fragments.include(edited, _source(writer, draft)).document
    same = isinstance(edited, dict) and canonical(edited) == canonical(document)
    return paths[0] if same else None


def written(document: Document, path: str, before: bytes) -> bytes | None:
    """The file of a document at `path`; a YAML file keeps its comments if it can. None if no
    YAML says what the document does."""
    return _json(document) if path.endswith(".json") else _yaml(document, before)


def suite_file(document: Document) -> bytes:
    """The file of a suite, evals/<name>.yaml. Whether it can be read is for the checks to say."""
    return _yaml(document, b"") or _json(document)


def _json(document: Document) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _yaml(document: Document, before: bytes) -> bytes | None:
    """The document in YAML, in the layout and with the comments of `before`. What the library would
    write otherwise than we read it is written as JSON, which is YAML too; None if that fails."""
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.util import load_yaml_guess_indent

    yaml = YAML()
    yaml.width = 10_000
    yaml.preserve_quotes = True
    try:
        target = None
        if before:
            source = before.decode("utf-8-sig")
            target = yaml.load(source)
            _, sequence, offset = load_yaml_guess_indent(source)
            if offset is not None:
                yaml.indent(mapping=2, sequence=sequence, offset=offset)
        text = StringIO()
        yaml.dump(_merged(target, document), text)
        data = text.getvalue().encode()
        if _says(data, document):
            return data
    except Exception as error:  # the library has many ways to fail on a stranger's scalars
        log.warning("a YAML file is rewritten", error=type(error).__name__)
    data = _json(document)
    return data if _says(data, document) else None


def _says(data: bytes, document: Document) -> bool:
    try:
        return bool(formats.read(data, ".yaml") == document)
    except formats.FormatError:
        return False


def _merged(before: Any, after: Any) -> Any:
    """`after`, in the containers of `before` where both are of one kind: they hold the comments."""
    from ruamel.yaml.scalarstring import LiteralScalarString

    if isinstance(after, Mapping):
        mapping: dict[str, Any] = before if isinstance(before, dict) else {}
        for key in [key for key in mapping if key not in after]:
            del mapping[key]
        for key, value in after.items():
            mapping[key] = _merged(mapping.get(key), value)
        return mapping
    if isinstance(after, list):
        items: list[Any] = before if isinstance(before, list) else []
        del items[len(after) :]
        for at, value in enumerate(after):
            if at < len(items):
                items[at] = _merged(items[at], value)
            else:
                items.append(_merged(None, value))
        return items
    if isinstance(after, str):
        if isinstance(before, str) and before == after:
            return before  # with its quotes or its block
        return LiteralScalarString(after) if "\n" in after else after
    return after


# Suites


class SuiteChange(NamedTuple):
    """A suite's file comes, with its document and the bytes that were checked, or goes (None)."""

    name: str
    document: Document | None
    file: bytes = b""


def suite_commit(
    writer: ObjectWriter,
    change: SuiteChange,
    branch: str | None,
    author: Signature,
    message: str,
    *,
    root: str = "",
) -> tuple[str, RefUpdate]:
    """The commit of a suite on the default branch. Raises Conflict if the suite exists, NotFound
    if one that is deleted does not, SetupError if there is no branch to commit to."""
    if branch is None:
        raise SetupError("HEAD is detached: there is no default branch", hint="git switch main")
    tip = writer.ref(branch)
    paths = [below(root, f"{SUITES}/{change.name}{suffix}") for suffix in SUFFIXES]
    present = [path for path in paths if tip and writer.entry(tip, path)]
    base = writer.tree_of(tip) if tip else None
    if change.document is None:
        if not present or base is None:
            raise NotFound("Evaluation not found")
        tree = writer.tree([], base=base, remove=present)
    else:
        if present:
            raise Conflict("Evaluation already exists", hint=f"{present[0]} is there.")
        tree = writer.tree([(paths[0], writer.blob(change.file))], base=base)
    commit = writer.commit(tree, [tip] if tip else [], message, author)
    return commit, RefUpdate(branch, tip or ZERO, commit)
