# SPDX-License-Identifier: Apache-2.0
"""What is at the tip of the default branch and holds from there: the settings and the suites."""

from __future__ import annotations

from collections.abc import Iterator

from gitprompt import checks
from gitprompt.core.document import SETTINGS, SUITES, stem
from gitprompt.core.names import fold
from gitprompt.core.publication import Rejection, Suite
from gitprompt.core.settings import Settings
from gitprompt.errors import PayloadTooLarge
from gitprompt.git.objects import Object, ObjectReader, parse_tree
from gitprompt.registry.versions import Severities, TreeFile, base_of, rejection


def files_below(
    reader: ObjectReader, commit: str, folder: str, *, most: int = 100_000
) -> Iterator[TreeFile]:
    """All files below a folder of ours in a commit, as ls-tree -r lists them. Raises PayloadTooLarge if
    there are more files and folders than `most`: a few objects may stand for a million."""
    base = base_of(reader, commit).tree
    todo = [(folder, f"{base}:{folder}")]
    while todo:
        path, spec = todo.pop()
        tree = reader.get(spec)
        if tree is None or tree.kind != "tree":
            continue
        for mode, name, oid in parse_tree(tree.data):
            most -= 1
            if most < 0:
                raise PayloadTooLarge(f"there are too many files below {folder}/")
            file = TreeFile(f"{path}/{name.decode('utf-8', 'replace')}", mode, oid)
            if file.mode == "40000":
                todo.append((file.path, file.oid))
            else:
                yield file


def load_settings(reader: ObjectReader, commit: str | None) -> tuple[Settings, Rejection | None]:
    """The settings at a commit; invalid ones are reported, and the defaults hold."""
    blob = reader.get(f"{commit}:{SETTINGS}") if commit else None
    if blob is None or blob.kind != "blob" or commit is None:
        return Settings(), None
    settings, problems = checks.read_settings(blob.data)
    return settings, Rejection(SETTINGS, blob.oid, problems) if problems else None


def suites_tree(reader: ObjectReader, commit: str) -> str | None:
    """The tree of all suites at a commit: while it is the same, so are they."""
    tree = next(reader.names((f"{base_of(reader, commit).tree}:{SUITES}",)))
    return tree.oid if tree else None


def load_suites(
    reader: ObjectReader, commit: str, severities: Severities, *, only: str | None = None
) -> Iterator[Suite | Rejection]:
    """The suites at a commit, or what is `only` one suite but for case. Of two files for one suite
    the first is taken."""
    paths: dict[str, str] = {}
    try:
        files = sorted(files_below(reader, commit, SUITES))
    except PayloadTooLarge as error:
        yield rejection(SUITES, commit, error.message, "Move what is no suite to another folder.")
        return
    for file in files:
        name = stem(file.path, SUITES)
        if name is None or (only is not None and fold(name) != fold(only)):
            continue
        if fold(name) in paths:
            yield rejection(
                file.path, file.oid, f"{paths[fold(name)]} is the same suite", "Keep one.", "name"
            )
            continue
        paths[fold(name)] = file.path
        blob = reader.get(file.oid)
        if file.mode not in ("100644", "100755") or blob is None:
            yield rejection(file.path, file.oid, "it is not a file", "Commit the file itself.")
            continue
        yield _suite(blob, file.path, name, severities)


def _suite(blob: Object, path: str, name: str, severities: Severities) -> Suite | Rejection:
    document, findings = checks.examine(
        blob.data, path=path, kind="suite", name=name, severities=severities
    )
    problems = checks.errors(findings)
    if problems:
        return Rejection(path, blob.oid, problems)
    return Suite(name, blob.oid, document)
