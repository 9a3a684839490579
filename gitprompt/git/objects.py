# SPDX-License-Identifier: Apache-2.0
"""Reads objects through one `git cat-file --batch-command` process.

Requests go out in windows that fit into a pipe, and the next window is sent before the answers of
the last are read: git decompresses while Python parses, and neither ever waits for the other to
empty a full pipe.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from time import monotonic
from typing import IO, NamedTuple, Self

from gitprompt.errors import GitError
from gitprompt.git.process import git_path, not_started, require_git
from gitprompt.git.watch import watch

_WINDOW = 400  # requests; at 160 bytes each this is less than a pipe's 64 KiB
REGULAR = ("100644", "100755", "100664")  # modes of files; the last in old histories
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # every git knows it
_MAX_BLOB = (1 << 20) + 1  # more of a blob is never looked at
_MAX_OTHER = 32 << 20  # nor of a tree, which then has half a million entries, a commit or a tag


class Object(NamedTuple):
    """`kind` is commit, tag, tree or blob. Of a blob over 1 MiB, and of
    anything else over 32, only the beginning is here."""

    oid: str
    kind: str
    data: bytes


_new = tuple.__new__  # half the time of a NamedTuple's own constructor, if there are 200,000


class ObjectReader:
    """Reads by object name or by any expression of one line, such as <commit>:<path>. `root` is the
    folder that has the prompts, where the settings do not name it.

    Not for use by two threads at once. A repository that changes meanwhile is fine: git looks
    again when it does not find something.
    """

    def __init__(
        self, git_dir: str, env: Mapping[str, str], *, root: str = "", patience: float | None = None
    ) -> None:
        """`patience` is the seconds that one answer may take; None: a person waits, and may end it."""
        self.root = root
        self.patience = patience
        self.waiting_since: float | None = None
        self._is_late = False
        self._git_dir = git_dir
        self._env = dict(env)
        self._start()
        if patience is not None:
            watch(self)

    def _start(self) -> None:
        try:
            self._process = subprocess.Popen(
                [git_path(), "cat-file", "--batch-command", "--buffer"],
                cwd=self._git_dir,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=1 << 17,
            )
        except OSError as error:
            raise not_started(error) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def end(self) -> None:
        self._is_late = True
        self._process.kill()

    def close(self) -> None:
        for pipe in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def get(self, spec: str) -> Object | None:
        return next(self.contents((spec,)))

    def contents(self, specs: Iterable[str]) -> Iterator[Object | None]:
        """The object for each of `specs`, in order; None if there is none."""
        return self._answers("contents", specs)

    def names(self, specs: Iterable[str]) -> Iterator[Object | None]:
        """Like `contents`, with empty data: which object an expression names, and its kind."""
        return self._answers("info", specs)

    def _answers(self, command: str, specs: Iterable[str]) -> Iterator[Object | None]:
        iterator = iter(specs)
        waiting: deque[str] = deque()
        self._request(command, waiting, islice(iterator, _WINDOW))
        answer = self._content if command == "contents" else self._header
        while waiting:
            if len(waiting) <= _WINDOW:
                self._request(command, waiting, islice(iterator, _WINDOW))
            for _ in range(min(len(waiting), _WINDOW)):
                self.waiting_since = monotonic()
                try:
                    item = answer()
                except EOFError:
                    item = self._revive(command, waiting)
                self.waiting_since = None
                waiting.popleft()
                yield item

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
        """Git dies of a corrupt object: ask a new process, and take a second death for "none".

        Raises GitError if git cannot read the repository at all, or does not answer.
        """
        if self._is_late:
            self.waiting_since, self._is_late = None, False
            self._restart()
            raise GitError(f"git does not answer for {self._git_dir}", hint="Is its disk there?")
        self._restart()
        self._request(command, deque(), (waiting[0],))
        try:
            answer = self._content() if command == "contents" else self._header()
        except EOFError:
            answer = None
            self._restart()
            self._request("info", deque(), (EMPTY_TREE,))
            try:
                self._header()
            except EOFError:
                require_git()
                raise GitError(
                    f"{self._git_dir} cannot be read by git",
                    hint=f"git -C {self._git_dir} fsck says what is wrong.",
                ) from None
        self._request(command, deque(), islice(waiting, 1, None))
        return answer

    def _restart(self) -> None:
        self.close()
        self._start()

    def _header(self) -> Object | None:
        line = self._stdout.readline()
        if line[-1:] != b"\n":
            raise EOFError
        fields = line.decode("utf-8", "replace").split(" ")
        if len(fields) != 3 or len(fields[0]) != 40 or not fields[2][:-1].isdigit():
            return None
        return Object(fields[0], fields[1], b"")

    def _content(self) -> Object | None:
        line = self._stdout.readline()
        try:
            oid, kind, size_text = line.decode().split(" ")
            size = int(size_text)
        except ValueError:
            if line[-1:] != b"\n":
                raise EOFError from None
            return None
        if size > _MAX_BLOB:
            kept = _MAX_BLOB if kind == "blob" else min(size, _MAX_OTHER)
            return Object(oid, kind, self._beginning(size, kept))
        data = self._stdout.read(size + 1)
        if len(data) <= size:
            raise EOFError
        return _new(Object, (oid, kind, data[:-1]))

    def _beginning(self, size: int, kept: int) -> bytes:
        """The first `kept` bytes of an object; the rest is read and dropped."""
        data = self._stdout.read(kept)
        left = size - kept + 1
        while left > 0:
            part = self._stdout.read(min(left, 1 << 16))
            if not part:
                raise EOFError
            left -= len(part)
        return data


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


def blob_oid(data: bytes) -> str:
    """The name that git gives to a blob."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def parse_commit(data: bytes) -> Commit:
    """A commit as git reads it: tree, parents, author and committer in this order, at its head.

    What follows is a stranger's text, however much a line of it looks like a header.
    """
    head, _, message = data.partition(b"\n\n")
    match = _COMMIT.match(head + b"\n")
    if match is None:
        return Commit("", (), _NOBODY, _NOBODY, "")
    tree, parents, author, committer = match.groups()
    encoding = _encoding(head, match.end())
    return Commit(
        tree=tree.decode(),
        parents=tuple(line[7:].decode() for line in parents.splitlines()),
        author=_signature(author, encoding),
        committer=_signature(committer, encoding),
        message=message.decode(encoding, "replace"),
    )


def _encoding(head: bytes, at: int) -> str:
    """What a commit or tag says of its text (i18n.commitEncoding), in the headers from `at` on; UTF-8
    if nothing, or what is none of the usual ones."""
    match = _ENCODING.search(head, max(at - 1, 0))
    if match is None:
        return "utf-8"
    try:
        name = codecs.lookup(match[1].decode("ascii")).name
    except (LookupError, ValueError):
        return "utf-8"
    return name if _USUAL.match(name) else "utf-8"


_ENCODING = re.compile(rb"\nencoding ([^\n]{1,40})(?=\n|\Z)")
_USUAL = re.compile(r"(?:ascii|iso8859|cp\d|koi8|mac-|shift_jis|euc_|gb|big5|utf-)")


_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author ([^\n]*)\ncommitter ([^\n]*)\n"
)


def parse_tree(data: bytes) -> Iterator[tuple[str, bytes, str]]:
    """(mode, name, object) of each entry of a tree, up to what is no entry."""
    at = 0
    while match := _ENTRY.match(data, at):
        mode, name, oid = match.groups()
        yield mode.decode(), name, oid.hex()
        at = match.end()


_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


def parse_tag(data: bytes) -> TagObject:
    encoding = _encoding(data.partition(b"\n\n")[0], 0) if b"\nencoding " in data else "utf-8"
    match = _TAG.match(data.decode(encoding, "replace"))
    if match is None:
        return TagObject("", "unreadable object", None)
    target, kind, name, email, at, unreadable = match.groups()
    tagger = None
    if at is not None:
        tagger = _new(Signature, (name, email, max(int(at), 0)))
    elif unreadable is not None:
        tagger = _NOBODY
    return _new(TagObject, (target, kind, tagger))


_PERSON = r"([^\n]*?) ?<([^>\n]*)> (-?[0-9]{1,15}) [-+0-9]+\n"
_PERSON_LINE = re.compile(_PERSON)
_TAG = re.compile(
    rf"object ([0-9a-f]{{40}})\ntype (\w+)\ntag [^\n]*\n(?:tagger (?:{_PERSON}|([^\n]*)\n))?"
)
_NOBODY = Signature("unknown", "", 0)


def _signature(line: bytes, encoding: str) -> Signature:
    match = _PERSON_LINE.fullmatch(line.decode(encoding, "replace") + "\n")
    return Signature(match[1], match[2], max(int(match[3]), 0)) if match else _NOBODY
