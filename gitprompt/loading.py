# SPDX-License-Identifier: Apache-2.0
"""Loads many version tags at once, in worker processes: a cold index is bound by the interpreter.

A worker gets refs on standard input and answers with chunks of plain tuples. It is a new process
and not a fork: the server has threads. Few tags are loaded here, where a process would cost more.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any, NamedTuple, Self

import msgspec

from gitprompt import formats, published
from gitprompt.core.model import Finding
from gitprompt.core.publication import Rejection, Version
from gitprompt.errors import GitError
from gitprompt.git.objects import ObjectReader
from gitprompt.git.repository import Repository
from gitprompt.published import Loaded, Severities

WORKERS_FROM = 4_000  # tags; starting a worker takes 0.1 s, loading a tag 0.05 ms
_CHUNK = 500


class Chunk(NamedTuple):
    loaded: list[Loaded]
    rejected: list[Rejection]


def _sorted_out(items: Sequence[Loaded | Rejection]) -> Chunk:
    return Chunk(
        [item for item in items if isinstance(item, Loaded)],
        [item for item in items if isinstance(item, Rejection)],
    )


class Loader:
    """Loads version tags like `published.load_versions`, in order. Where WORKERS_FROM or more are
    `expected`, workers start at once, and get ready while the caller still sorts the refs."""

    def __init__(self, repository: Repository, reader: ObjectReader, *, expected: int) -> None:
        self._reader = reader
        count = min(os.cpu_count() or 1, 4) if expected >= WORKERS_FROM else 0
        self._workers = [_Worker(repository) for _ in range(count)]
        self._collects = bool(count) and gc.isenabled()
        if self._collects:
            gc.disable()  # nothing here makes cycles, and looking for them takes a third of the time

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._collects:
            gc.enable()
        for worker in self._workers:
            worker.close()

    def load(self, refs: Sequence[tuple[str, str]], severities: Severities) -> Iterator[Chunk]:
        """What the refs publish, in chunks and in order. Workers begin before this returns."""
        if len(refs) < WORKERS_FROM or not self._workers:
            return self._load_here(refs, severities)
        # Chunks go round, so that all workers are busy from the first to the last.
        count = len(self._workers)
        chunks = [refs[start : start + _CHUNK] for start in range(0, len(refs), _CHUNK)]
        for first, worker in enumerate(self._workers):
            worker.send(chunks[first::count], severities)
        return (self._workers[number % count].next_chunk() for number in range(len(chunks)))

    def _load_here(
        self, refs: Sequence[tuple[str, str]], severities: Severities
    ) -> Iterator[Chunk]:
        loaded = published.load_versions(self._reader, refs, severities, read=read)
        while items := list(islice(loaded, _CHUNK)):
            yield _sorted_out(items)


class _Worker:
    """A process that loads chunks of refs, and answers each with a chunk of results.

    Results go through a file and only their sizes through a pipe: a worker never waits for us to
    read, as it would on a full pipe while we write to the databases.
    """

    def __init__(self, repository: Repository) -> None:
        self._results = tempfile.TemporaryFile(prefix="gitprompt-")  # noqa: SIM115 - ours to close
        self._offset = 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gitprompt.loading", repository.git_dir],
            env=repository.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._results.fileno(),),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self._stdout = self._process.stdout

    def send(self, chunks: Sequence[Sequence[tuple[str, str]]], severities: Severities) -> None:
        """Give it its work, once. It reads all of it before it answers, so that neither waits for
        the other."""
        work = [list(chunk) for chunk in chunks], json.dumps(dict(severities))
        with self._stdin as stdin:
            stdin.write(marshal.dumps((self._results.fileno(), *work)))

    def next_chunk(self) -> Chunk:
        line = self._stdout.readline()
        if not line:
            raise GitError("a loading process ended early; its last words are above")
        data = os.pread(self._results.fileno(), int(line), self._offset)
        self._offset += len(data)
        loaded, rejected = marshal.loads(data)  # noqa: S302 - our own process wrote it
        return Chunk(
            [
                Loaded(ref, Version(*fields), document, tags)
                for ref, fields, document, tags in loaded
            ],
            [
                Rejection(ref, oid, tuple(Finding(*finding) for finding in findings))
                for ref, oid, findings in rejected
            ],
        )

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()
        self._results.close()
        self._process.terminate()
        self._process.wait()


def read(data: bytes, path: str) -> Any:
    """`formats.read` at three times its speed for JSON, with the same outcome."""
    if path.endswith(".json") and len(data) < 50_000:
        try:
            value = msgspec.json.decode(data)
            encoded = msgspec.json.encode(value)
        except (msgspec.DecodeError, RecursionError):
            return formats.read(data, path)
        nested = data.count(b"[") + data.count(b"{")
        if nested <= 64 and b"\0" not in data and not formats.may_repeat_a_key(data, encoded):
            return value
    return formats.read(data, path)


def work(git_dir: str, stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """The worker: chunks of refs in, chunks of plain tuples out."""
    gc.disable()
    given = stdin.read()
    if not given:
        return  # there was nothing for this one to do
    results, chunks, severities = marshal.loads(given)  # noqa: S302 - our own parent wrote it
    with Repository.open(git_dir).reader() as reader, open(results, "wb", buffering=0) as file:
        for chunk in chunks:
            loaded = published.load_versions(reader, chunk, json.loads(severities), read=read)
            data = marshal.dumps(_plain(_sorted_out(list(loaded))))
            file.write(data)
            stdout.write(b"%d\n" % len(data))
            stdout.flush()


def _plain(chunk: Chunk) -> tuple[Any, ...]:
    """A chunk as tuples, which marshal takes."""
    return (
        [(item.ref, tuple(item.version), item.document, item.tags) for item in chunk.loaded],
        [
            (item.ref, item.oid, tuple(tuple(finding) for finding in item.findings))
            for item in chunk.rejected
        ],
    )


if __name__ == "__main__":
    work(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
