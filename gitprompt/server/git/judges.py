# SPDX-License-Identifier: Apache-2.0
"""Processes that judge pushes: a few at a time, never two for one workspace, each for a bounded time.

A judge is started for the first push, and one is kept for the next. Whoever gives a push up has its
judge killed, with every git process that it has started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from gitprompt.errors import GitpromptError, Unavailable
from gitprompt.git.process import environment
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Bounds
from gitprompt.server.git.judge_process import question

_AT_ONCE = 4  # judges that work: each may take a core
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2].split('\\n');"
    "from gitprompt.server.git.judge_process import main; main()"
)


class Judges:
    """`seconds` and `memory` (bytes) are those of one push."""

    def __init__(self, *, bounds: Bounds, seconds: float, memory: int) -> None:
        self.bounds = bounds
        self.seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: _Judge | None = None
        self._working: set[_Judge] = set()
        self._closed = False
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._turns: dict[str, threading.Lock] = {}

    def warm(self) -> None:
        """Have one ready: somebody is about to push."""
        with self._lock:
            if self._idle is None and not self._working and not self._closed:
                self._idle = _Judge(self._memory)

    def case(self, workspace: str) -> Case:
        """A push to a workspace, to be judged."""
        return Case(self, workspace)

    @contextmanager
    def taken(self, workspace: str) -> Iterator[_Judge]:
        """A judge, for one push of a workspace at a time, and few of all: a workspace to which many are
        sent waits for itself."""
        with self._lock:
            turn = self._turns.setdefault(workspace, threading.Lock())
        with turn, self._room, self._judge() as judge:
            yield judge

    @contextmanager
    def _judge(self) -> Iterator[_Judge]:
        with self._lock:
            if self._closed:
                raise Unavailable("the server is stopping")
            judge, self._idle = self._idle, None
            if judge is None or judge.is_gone:
                judge = _Judge(self._memory)
            self._working.add(judge)
        try:
            yield judge
        finally:
            self._give_back(judge)

    def _give_back(self, judge: _Judge) -> None:
        """Keep one for the next push."""
        with self._lock:
            self._working.discard(judge)
            may_stay = not (judge.is_gone or self._closed or self._idle)
            if may_stay:
                self._idle = judge
        if not may_stay:
            judge.kill()

    def close(self) -> None:
        """Kill all of them; whoever waits for one is told so."""
        with self._lock:
            self._closed = True
            judges = [*self._working, *([self._idle] if self._idle else [])]
            self._idle = None
        for judge in judges:
            judge.kill()


class Case:
    """One push. It may be given up from another thread, before a judge hears it or meanwhile."""

    def __init__(self, judges: Judges, workspace: str) -> None:
        self._judges = judges
        self._workspace = workspace
        self._lock = threading.Lock()
        self._judge: _Judge | None = None
        self._is_given_up = False

    def judge(
        self,
        repository: Repository,
        updates: Sequence[RefUpdate],
        *,
        scopes: frozenset[str],
        pins: Mapping[str, str],
    ) -> list[str]:
        """The lines that the author reads of a push that is refused; none if it may go in. Blocks, and
        raises GitpromptError if it takes too much, or was given up."""
        bounds, seconds = self._judges.bounds, self._judges.seconds
        asked = question(repository, list(updates), scopes=scopes, pins=dict(pins), bounds=bounds)
        with self._judges.taken(self._workspace) as judge:
            self._begin(judge)
            try:
                answer = judge.ask(asked, seconds)
            finally:
                self._end()
        if "failed" in answer:
            raise GitpromptError(answer["failed"])
        lines: list[str] = answer["lines"]
        return lines

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            if self._judge is not None:
                self._judge.kill()

    def _begin(self, judge: _Judge) -> None:
        with self._lock:
            if self._is_given_up:
                raise Unavailable("the push was given up")
            self._judge = judge

    def _end(self) -> None:
        with self._lock:
            self._judge = None


class _Judge:
    """One process. Its group has the git processes that it starts."""

    def __init__(self, memory: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(memory), "\n".join(sys.path)],
            env=environment(inherit=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def is_gone(self) -> bool:
        return self._process.poll() is not None

    def ask(self, asked: bytes, seconds: float) -> dict[str, Any]:
        """The answer. Raises Unavailable after so many seconds, or if it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        line = b""
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.write(asked)
                self._process.stdin.flush()
                line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self.kill()
            if late.is_set():
                raise Unavailable(f"judging this push takes more than {seconds:g} s")
            raise Unavailable("this push could not be judged: it was given up, or takes too much")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
