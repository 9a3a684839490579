# SPDX-License-Identifier: Apache-2.0
"""The files of the index or of a commit, for validation."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gitprompt import checks
from gitprompt.cli.examination import Input, Request
from gitprompt.core.document import PROMPTS, SETTINGS, SUITES, place
from gitprompt.core.settings import Settings
from gitprompt.errors import GitError, NotFound
from gitprompt.git.objects import EMPTY_TREE, Object, ObjectReader
from gitprompt.git.repository import Repository

_REGULAR = ("100644", "100755")


def inputs_of(request: Request) -> tuple[list[Input], Settings]:
    """What is staged, or all of a commit; and the settings that are in the same place."""
    repository = Repository.discover()
    spec = f"{request.rev}:" if request.rev is not None else ":"
    entries = _of_commit(repository, request.rev) if request.rev else _staged(repository)
    with repository.reader() as reader:
        inputs = [
            _input(reader, path, mode, oid)
            for path, mode, oid in entries
            if place(path)[0] is not None and _wanted(path, request.paths)
        ]
        return inputs, _settings(reader.get(f"{spec}{SETTINGS}"))


def _wanted(path: str, paths: tuple[str, ...]) -> bool:
    return not paths or any(path == p or path.startswith(p.rstrip("/") + "/") for p in paths)


def _staged(repository: Repository) -> Iterator[tuple[str, str, str]]:
    """(path, mode, blob) of what the next commit adds or changes. GIT_INDEX_FILE, which
    `git commit -- path` sets, is respected."""
    answer = repository.git(
        "diff-index", "--cached", "-z", "--no-renames", "--diff-filter=AMT",
        _head_or_empty(repository), "--", PROMPTS, SUITES, SETTINGS,
    )  # fmt: skip
    fields = answer.split(b"\0")
    for raw, path in zip(fields[::2], fields[1::2], strict=False):
        columns = raw.decode().split(" ")
        yield os.fsdecode(path), columns[1], columns[3]


def _head_or_empty(repository: Repository) -> str:
    head = repository.git("rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1)).decode()
    return head.strip() or EMPTY_TREE


def _of_commit(repository: Repository, rev: str) -> Iterator[tuple[str, str, str]]:
    try:
        commit = repository.line("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}")
    except GitError as error:
        raise NotFound(f"{rev} is not a commit") from error
    answer = repository.git("ls-tree", "-r", "-z", commit, "--", PROMPTS, SUITES, SETTINGS)
    for line in answer.split(b"\0"):
        facts, tab, path = line.partition(b"\t")
        if tab:
            mode, _, oid = facts.decode().split(" ")
            yield os.fsdecode(path), mode, oid


def _input(reader: ObjectReader, path: str, mode: str, oid: str) -> Input:
    content: bytes | str = "it is a symbolic link or a submodule, not a file"
    if mode in _REGULAR:
        blob = reader.get(oid)
        content = blob.data if blob else "its content is missing from the repository"
    return Input(path, path, lambda: content)


def _settings(blob: Object | None) -> Settings:
    if blob is None or blob.kind != "blob":
        return Settings()
    return checks.read_settings(blob.data)[0]
