# SPDX-License-Identifier: Apache-2.0
"""Validates files of the work tree, of the index, or of a commit.

This is what pre-commit runs, so it imports little: neither click nor rich nor a git process for
files of the work tree. A test pins the modules.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence

from gitprompt import checks, formats
from gitprompt.checks.subject import Publication
from gitprompt.cli.checking.examination import Input, Report, Request
from gitprompt.cli.outcome import use_color
from gitprompt.core.document import (
    FRAGMENTS,
    PROMPTS,
    SETTINGS,
    SUFFIXES,
    SUITES,
    digest,
    fragment_name,
    inside,
    is_unread,
    no_such_root,
    place,
    prompt_paths,
)
from gitprompt.core.model import Finding, Kind
from gitprompt.core.names import fold, is_name
from gitprompt.core.printable import printable
from gitprompt.core.settings import Settings
from gitprompt.errors import UsageError
from gitprompt.formats import fragments
from gitprompt.git import peek

PARALLEL_FROM = 200  # files; below that a second process costs more than it saves


def validate(request: Request) -> int:
    """Validate, print the report, and return the exit code."""
    report = examine(request)
    if request.style == "text":
        write_text(report)
    else:
        from gitprompt.cli.checking.reports import write

        write(report, request.style)
    failed = report.count("error") or (request.strict and report.count("warning"))
    return 1 if failed else 0


def examine(request: Request) -> Report:
    """Examine every file that the request names."""
    first = request.paths[0] if request.paths else "."
    start = first if os.path.isdir(first) else os.path.dirname(first) or "."
    top = peek.top_level(start) or os.getcwd()
    if request.staged or request.rev is not None:
        from gitprompt.cli.checking.committed import inputs_of

        inputs, unread, settings, source = inputs_of(request)
    else:
        settings = _settings(top)
        tree = WorkTree(top, settings.root or request.root)
        if not os.path.isdir(tree.folder):
            raise no_such_root(tree.root)
        inputs = list(_work_tree(request.paths, tree))
        unread = [] if request.paths else list(_unread(tree))
        source = fragments.of_work_tree(tree.folder)
    findings = [*_clashes(inputs), *_all(inputs, Surroundings(top, settings, source))]
    findings += _named_unread(unread, settings)
    findings.sort(key=lambda finding: (finding.path, finding.line, finding.column))
    return Report(len(inputs), findings, top)


class Surroundings:
    """What a document is judged with: the top of the work tree, the settings and the fragments. A
    NamedTuple takes a third of a millisecond to define, which a hook need not pay."""

    __slots__ = ("settings", "source", "top")

    def __init__(self, top: str, settings: Settings, source: fragments.Source) -> None:
        self.top = top
        self.settings = settings
        self.source = source


class WorkTree:
    """Where the files of a work tree are: `folder` has prompts/ and evals/."""

    __slots__ = ("folder", "root", "top")

    def __init__(self, top: str, root: str) -> None:
        self.top = top
        self.root = root
        self.folder = os.path.join(top, *root.split("/")) if root else top


# Which files


def _work_tree(paths: Sequence[str], tree: WorkTree) -> Iterator[Input]:
    """The files that are named. With a fragment goes every document that includes it."""
    inputs = list(_named(paths, tree))
    yield from inputs
    if any(fragment_name(item.inside) for item in inputs):
        from gitprompt.cli.checking.committed import including

        others = _below(os.path.join(tree.folder, PROMPTS))
        yield from including(inputs, (_input(path, tree) for path in others))


def _named(paths: Sequence[str], tree: WorkTree) -> Iterator[Input]:
    for path in paths or _default_paths(tree):
        if os.path.isdir(path) and not os.path.islink(path):
            inputs = [_input(file, tree) for file in _below(path)]
            # Of a whole repository only what is ours; of any other folder, everything.
            yield from [item for item in inputs if place(item.inside)[0] is not None] or inputs
        elif os.path.lexists(path):
            yield _input(path, tree)
        else:
            yield from _of_prompt(path, tree)


def _of_prompt(name: str, tree: WorkTree) -> Iterator[Input]:
    """The files of the prompt of a name, where no file of that path is."""
    paths = (
        [os.path.join(tree.folder, path) for path in prompt_paths(name)] if is_name(name) else []
    )
    present = [path for path in paths if os.path.lexists(path)]
    if not present:
        raise UsageError(
            f"{name} does not exist",
            hint="Say the path of a file or folder, or the name of a prompt in the work tree.",
        )
    for path in present:
        yield _input(os.path.relpath(path), tree)


def _default_paths(tree: WorkTree) -> list[str]:
    parts = [os.path.join(tree.folder, part) for part in (PROMPTS, SUITES)]
    paths = [os.path.relpath(path) for path in (os.path.join(tree.top, SETTINGS), *parts)]
    paths = [path for path in paths if os.path.lexists(path)]
    if not paths:
        raise UsageError(
            "there is nothing to validate here",
            hint="Name files, or run it in a prompt repository: gitprompt init makes one.",
        )
    return paths


def _below(folder: str) -> Iterator[str]:
    """The documents and fragments below a folder."""
    for path in _files(folder):
        if path.endswith(SUFFIXES) or (path.endswith(".md") and FRAGMENTS in path):
            yield path


def _files(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield os.path.join(parent, name)


def _unread(tree: WorkTree) -> Iterator[str]:
    for folder in (PROMPTS, SUITES):
        for path in _files(os.path.join(tree.folder, folder)):
            if is_unread(os.path.relpath(path, tree.folder).replace(os.sep, "/")):
                yield os.path.relpath(path)


def _named_unread(paths: Sequence[str], settings: Settings) -> Iterator[Finding]:
    severity = settings.checks.get("unread-file", checks.SEVERITIES["unread-file"])
    for path in paths if severity != "off" else ():
        yield Finding(
            "unread-file",
            severity,
            "this file is not read: prompts and suites are .yaml, .yml and .json, in small letters",
            "Convert or rename it, or move it to another folder.",
            path,
        )


def _input(path: str, tree: WorkTree) -> Input:
    absolute, top = os.path.abspath(path), tree.top
    inner = absolute[len(top) + 1 :] if absolute.startswith(top + os.sep) else path
    inner = inner.replace(os.sep, "/")
    ours = inside(tree.root, inner)
    return Input(os.path.normpath(path), inner if ours is None else ours, lambda: _read(path))


def _read(path: str) -> bytes | str:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return "it is a symbolic link, not a file"
        if not stat.S_ISREG(mode):
            return "it is not a regular file"
        with open(path, "rb") as file:
            return file.read(formats.MAX_BYTES + 1)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _settings(top: str) -> Settings:
    """The settings of the work tree; broken ones are reported as a file, and defaults hold."""
    path = os.path.join(top, SETTINGS)
    if not os.path.isfile(path):
        return Settings()
    data = _read(path)
    if isinstance(data, str):
        return Settings()
    return checks.read_settings(data)[0]


# Examining


def _clashes(inputs: Sequence[Input]) -> Iterator[Finding]:
    """Two files of one prompt or suite, or names or folders that differ only in case: where the disk
    makes no difference, the one takes the place of the other."""
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    folders: dict[tuple[str, str], tuple[str, str]] = {}
    for item in inputs:
        kind, name, version = place(item.inside)
        if kind is None or kind == "settings" or version is not None:
            continue
        owner, path = owners.setdefault((kind, fold(name)), (name, item.shown))
        if path == item.shown:
            folder = name.rpartition("/")[0]
            other, path = folders.setdefault((kind, fold(folder)), (folder, item.shown))
            if other != folder:
                what = f"the folder {folder} differs only in case from that of {path}"
                yield Finding("name", "error", what, "Move it there.", item.shown)
            continue
        what = f"differs only in case from {path}" if owner != name else f"is {path} again"
        yield Finding("name", "error", f"this {kind} {what}", "Keep one of them.", item.shown)


def _all(inputs: Sequence[Input], around: Surroundings) -> Iterable[Finding]:
    if len(inputs) < PARALLEL_FROM or not hasattr(os, "fork"):
        return [finding for item in inputs for finding in _one(item, around)]
    from gitprompt.cli.checking.parallel import spread

    return spread(inputs, lambda item: _one(item, around))


def _one(item: Input, around: Surroundings) -> list[Finding]:
    data = item.load()
    if isinstance(data, str):
        return [Finding("syntax", "error", data, path=item.shown)]
    kind, name, version = place(item.inside)
    if kind is None:
        kind, name, version = _guess(item)
    document, findings = checks.examine(
        data,
        path=item.shown,
        kind=kind,
        name=name,
        version=version,
        severities=around.settings.checks,
        source=around.source,
    )
    own = document.get("version") if kind == "prompt" and type(document) is dict else None
    if (
        type(own) is str
        and not checks.errors(findings)
        and peek.may_have_tag(around.top, name, own)
    ):
        findings += _against_publication(data, item, name, own, around)
    return findings


def _guess(item: Input) -> tuple[Kind, str, None]:
    """A file outside prompts/ and evals/ is taken for a prompt of its own name."""
    return "prompt", os.path.basename(item.inside).rpartition(".")[0], None


def _against_publication(
    data: bytes, item: Input, name: str, version: str, around: Surroundings
) -> list[Finding]:
    from gitprompt.git.repository import Repository
    from gitprompt.registry.clone import Clone, Selector

    resolved = Clone(Repository.discover(around.top)).find(Selector(name, version))
    if resolved is None:
        return []
    _, findings = checks.examine(
        data,
        path=item.shown,
        kind="prompt",
        name=name,
        publication=Publication(version, digest(resolved.document)),
        severities=around.settings.checks,
        source=around.source,
    )
    return [finding for finding in findings if finding.code == "changed-after-publish"]


# Text


def write_text(report: Report) -> None:
    colors = use_color(sys.stdout)
    lines = [line for finding in report.findings for line in text_of(finding, colors=colors)]
    errors, warnings = report.count("error"), report.count("warning")
    lines.append(
        f"{_counted(report.files, 'file')}: {_counted(errors, 'error')}, "
        f"{_counted(warnings, 'warning')}"
    )
    sys.stdout.write("\n".join(lines) + "\n")


def text_of(finding: Finding, *, colors: bool) -> list[str]:
    """file:line:column, severity, message and code on a line, and the hint below it."""
    place = printable(finding.path)
    if finding.line:
        place += f":{finding.line}:{finding.column}"
    severity = finding.severity
    if colors:
        place = f"\x1b[1m{place}\x1b[0m"
        severity = f"\x1b[{'31' if finding.severity == 'error' else '33'}m{finding.severity}\x1b[0m"  # type: ignore[assignment]
    lines = [f"{place}: {severity}: {printable(finding.message)} [{finding.code}]"]
    if finding.hint:
        lines.append(f"    {printable(finding.hint)}")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
