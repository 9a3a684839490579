# SPDX-License-Identifier: Apache-2.0
"""Reads objects through one `git cat-file --batch-command` process.

Requests go out in windows that fit into a pipe, and the next window is sent before the answers of
the last are read: git decompresses while Python parses, and neither ever waits for the other to
empty a full pipe.
"""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import IO, NamedTuple, Self

from gitprompt.git.process import require_git

_WINDOW = 400  # requests; at 160 bytes each this is less than a pipe's 64 KiB
_MAX_BLOB = (1 << 20) + 1  # more of a blob is never looked at


class Object(NamedTuple):
    """`kind` is commit, tag, tree or blob. Of a blob over 1 MiB only the beginning is here."""

    oid: str
    kind: str
    data: bytes


class ObjectReader:
    """Reads by object name or by any expression without white space, such as <commit>:<path>.

    Not for use by two threads at once. A repository that changes meanwhile is fine: git looks
    again when it does not find something.
    """

    def __init__(self, git_dir: str, env: Mapping[str, str]) -> None:
        self._git_dir = git_dir
        self._env = dict(env)
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [require_git(), "cat-file", "--batch-command", "--buffer"],
            cwd=self._git_dir,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=1 << 17,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for pipe in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def get(self, spec: str) -> Object | None:
        return next(self.contents((spec,)))

    def contents(self, specs: Iterable[str]) -> Iterator[Object | None]:
        """The object for each of `specs`, in order; None where there is none."""
        return self._answers("contents", specs)

    def names(self, specs: Iterable[str]) -> Iterator[Object | None]:
        """Like `contents`, with empty data: which object an expression names, and its kind."""
        return self._answers("info", specs)

    def _answers(self, command: str, specs: Iterable[str]) -> Iterator[Object | None]:
        iterator = iter(specs)
        waiting: deque[str] = deque()
        self._request(command, waiting, islice(iterator, _WINDOW))
        while waiting:
            if len(waiting) <= _WINDOW:
                self._request(command, waiting, islice(iterator, _WINDOW))
            for _ in range(min(len(waiting), _WINDOW)):
                try:
                    answer = self._answer(command == "contents")
                except EOFError:
                    answer = self._revive(command, waiting)
                waiting.popleft()
                yield answer

    def _request(self, command: str, waiting: deque[str], specs: Iterable[str]) -> None:
        # A line end would make two requests of one, and shift every answer after it.
        window = [spec.replace("\n", "\0") for spec in specs]
        waiting.extend(window)
        lines = "".join(f"{command} {spec}\n" for spec in window)
        if lines:
            with suppress(BrokenPipeError):  # the answer's end of file says so too
                self._stdin.write(lines.encode("utf-8", "surrogateescape") + b"flush\n")
                self._stdin.flush()

    def _revive(self, command: str, waiting: deque[str]) -> Object | None:
        """Git dies of a corrupt object: ask a new process, and take a second death for "none"."""
        self.close()
        self._start()
        self._request(command, deque(), (waiting[0],))
        try:
            answer = self._answer(command == "contents")
        except EOFError:
            answer = None
            self.close()
            self._start()
        self._request(command, deque(), islice(waiting, 1, None))
        return answer

    def _answer(self, with_content: bool) -> Object | None:
        line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        fields = line.split()
        if len(fields) != 3 or len(fields[0]) != 40 or not fields[2].isdigit():
            return None
        oid, kind, size = fields[0].decode(), fields[1].decode(), int(fields[2])
        if not with_content:
            return Object(oid, kind, b"")
        kept = min(size, _MAX_BLOB) if kind == "blob" else size
        data = self._stdout.read(kept)
        left = size - kept + 1
        while left > 0:
            part = self._stdout.read(min(left, 1 << 16))
            if not part:
                raise EOFError
            left -= len(part)
        return Object(oid, kind, data)


class Signature(NamedTuple):
    """Who and when: `at` is in Unix seconds."""

    name: str
    email: str
    at: int

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class Commit(NamedTuple):
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


class TagObject(NamedTuple):
    """An annotated tag; `kind` is that of its target. `tagger` is None in very old tags."""

    target: str
    kind: str
    tagger: Signature | None
    message: str


_PERSON = re.compile(rb"(.*?) ?<([^>]*)> (-?[0-9]{1,15}) [-+0-9]+\Z")


def parse_commit(data: bytes) -> Commit:
    head, _, message = data.partition(b"\n\n")
    lines = head.split(b"\n")
    fields = dict(line.split(b" ", 1) for line in lines if b" " in line and line[:1] != b" ")
    parents = tuple(line[7:].decode() for line in lines if line.startswith(b"parent "))
    return Commit(
        tree=fields[b"tree"].decode(),
        parents=parents,
        author=_signature(fields.get(b"author", b"")),
        committer=_signature(fields.get(b"committer", b"")),
        message=message.decode("utf-8", "replace"),
    )


def parse_tag(data: bytes) -> TagObject:
    head, _, message = data.partition(b"\n\n")
    fields = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    tagger = fields.get(b"tagger")
    return TagObject(
        target=fields[b"object"].decode(),
        kind=fields[b"type"].decode(),
        tagger=_signature(tagger) if tagger else None,
        message=message.decode("utf-8", "replace"),
    )


def _signature(line: bytes) -> Signature:
    found = _PERSON.match(line)
    if not found:
        return Signature("unknown", "", 0)
    name = found[1].decode("utf-8", "replace")
    return Signature(name, found[2].decode("utf-8", "replace"), max(int(found[3]), 0))
