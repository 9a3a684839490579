# SPDX-License-Identifier: Apache-2.0
"""The files of the index or of a commit, for validation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from gitprompt import checks
from gitprompt.cli.checking.examination import Input, Request
from gitprompt.core.document import (
    PROMPTS,
    SETTINGS,
    SUITES,
    below,
    fragment_name,
    inside,
    is_unread,
    no_such_root,
    place,
)
from gitprompt.core.settings import Settings
from gitprompt.errors import GitError, NotFound, UsageError
from gitprompt.formats import fragments
from gitprompt.formats.fragments import Source
from gitprompt.git.objects import EMPTY_TREE, Object, ObjectReader
from gitprompt.git.repository import Repository

_REGULAR = ("100644", "100755")


def inputs_of(request: Request) -> tuple[list[Input], list[str], Settings, Source]:
    """What is staged, or all of a commit; the paths of what is not read; the settings and the
    fragments that are in the same place. With a fragment that is staged goes every document that
    includes it."""
    repository = Repository.discover()
    repository.root = request.root
    spec = f"{request.rev}:" if request.rev is not None else ":"
    with repository.reader() as reader:
        settings = _settings(reader.get(f"{spec}{SETTINGS}"))
        root = settings.root or request.root
        parts = [below(root, part) for part in (PROMPTS, SUITES, SETTINGS)]
        found = (
            _of_commit(repository, request.rev, parts)
            if request.rev
            else _staged(repository, parts)
        )
        entries = list(_ours(found, root))
        if root and not _has(repository, reader, request.rev, root):
            raise no_such_root(root)
        everything = entries if request.rev else list(_ours(_in_index(repository, parts[0]), root))
        paths = [_from_top(repository, path) for path in request.paths]
        wanted = [entry for entry in entries if _is_wanted(entry[0], root, paths, request.paths)]
        for path, said in zip(paths, request.paths, strict=True):
            if not _has(repository, reader, request.rev, path) and not _is_prompt(everything, said):
                raise UsageError(
                    f"{said} is not in {'the index' if request.rev is None else request.rev}",
                    hint="Say the path of a file or folder that is, or the name of a prompt.",
                )
        texts = {
            name: blob.data
            for path, mode, oid in everything
            if (name := fragment_name(path)) is not None and mode in _REGULAR
            if (blob := reader.get(oid)) is not None
        }

        def shown(path: str) -> str:
            return repository.shown(below(root, path))

        inputs = [
            _input(reader, shown(entry[0]), *entry)
            for entry in wanted
            if place(entry[0])[0] is not None
        ]
        if any(fragment_name(item.inside) for item in inputs):
            others = [entry for entry in everything if place(entry[0])[0] == "prompt"]
            more = (_input(reader, shown(entry[0]), *entry) for entry in others)
            inputs += including(inputs, more)
        unread = [shown(path) for path, *_ in wanted if is_unread(path)]
        return inputs, unread, settings, texts.get


def _has(repository: Repository, reader: ObjectReader, rev: str | None, path: str) -> bool:
    """Whether a commit, or the index, has anything at a path."""
    if path == ".":
        return True
    if rev is None:
        return bool(repository.git("ls-files", "-z", "--", path, accept=(0, 128)))
    return next(reader.names((f"{rev}:{path}",))) is not None


def _is_prompt(entries: Iterable[tuple[str, str, str]], name: str) -> bool:
    return any(place(path)[:2] == ("prompt", name) for path, *_ in entries)


def _ours(entries: Iterable[tuple[str, str, str]], root: str) -> Iterator[tuple[str, str, str]]:
    for path, mode, oid in entries:
        ours = inside(root, path)
        if ours is not None:
            yield ours, mode, oid


def _from_top(repository: Repository, path: str) -> str:
    """A path as a person types it, as git has it."""
    top = repository.work_tree
    if top is None:
        return os.path.normpath(path)
    return os.path.relpath(os.path.realpath(path), os.path.realpath(top)).replace(os.sep, "/")


def including(inputs: Sequence[Input], others: Iterable[Input]) -> Iterator[Input]:
    """Those of the other documents that include fragments."""
    present = {item.inside for item in inputs}
    for item in others:
        data = item.load() if item.inside not in present else ""
        if isinstance(data, bytes) and fragments.are_in_file(data, item.inside):
            yield item


def _is_wanted(ours: str, root: str, paths: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a file of ours is at or below one of the paths, or of a prompt of one of the names."""
    path = below(root, ours)
    return (
        not paths
        or any(p in (path, ".") or path.startswith(p.rstrip("/") + "/") for p in paths)
        or (place(ours)[0] == "prompt" and place(ours)[1] in names)
    )


def _staged(repository: Repository, parts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(path, mode, blob) of what the next commit adds or changes. GIT_INDEX_FILE, which
    `git commit -- path` sets, is respected."""
    answer = repository.git(
        "diff-index", "--cached", "-z", "--no-renames", "--diff-filter=AMT",
        _head_or_empty(repository), "--", *parts,
    )  # fmt: skip
    fields = answer.split(b"\0")
    for raw, path in zip(fields[::2], fields[1::2], strict=False):
        columns = raw.decode().split(" ")
        yield os.fsdecode(path), columns[1], columns[3]


def _in_index(repository: Repository, prompts: str) -> Iterator[tuple[str, str, str]]:
    """(path, mode, blob) of the prompts and fragments in the index."""
    line = "%(objectmode) blob %(objectname)%x09%(path)"  # as ls-tree has it
    return _listed(repository.git("ls-files", "-z", f"--format={line}", "--", prompts))


def _head_or_empty(repository: Repository) -> str:
    head = repository.git("rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1)).decode()
    return head.strip() or EMPTY_TREE


def _of_commit(
    repository: Repository, rev: str, parts: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    try:
        commit = repository.line("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}")
    except GitError as error:
        raise NotFound(f"{rev} is not a commit") from error
    return _listed(repository.git("ls-tree", "-r", "-z", commit, "--", *parts))


def _listed(answer: bytes) -> Iterator[tuple[str, str, str]]:
    """(path, mode, object) of each line of ls-tree."""
    for line in answer.split(b"\0"):
        facts, tab, path = line.partition(b"\t")
        if tab:
            mode, _, oid = facts.decode().split(" ")
            yield os.fsdecode(path), mode, oid


def _input(reader: ObjectReader, shown: str, path: str, mode: str, oid: str) -> Input:
    content: bytes | str = "it is a symbolic link or a submodule, not a file"
    if mode in _REGULAR:
        blob = reader.get(oid)
        content = blob.data if blob else "its content is missing from the repository"
    return Input(shown, path, lambda: content)


def _settings(blob: Object | None) -> Settings:
    if blob is None or blob.kind != "blob":
        return Settings()
    return checks.read_settings(blob.data)[0]
