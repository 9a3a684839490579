# SPDX-License-Identifier: Apache-2.0
"""Processes that judge pushes: a few at a time, never two for one workspace, each for a bounded time.

A judge is started for the first push, and one is kept for the next. Whoever gives a push up has its
judge killed, with every git process that it has started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gitprompt.errors import GitpromptError, Unavailable
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Bounds
from gitprompt.server.git.judge_process import JudgeProcess
from gitprompt.server.git.judging import question

_LOOK = 0.1  # seconds between two looks of who waits at whether its author is gone
_AT_ONCE = 4  # judges that work: each may take a core


class Judges:
    """`seconds` and `memory` (bytes) are those of one push."""

    def __init__(self, *, bounds: Bounds, seconds: float, memory: int) -> None:
        self.bounds = bounds
        self.seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: JudgeProcess | None = None
        self._working: set[JudgeProcess] = set()
        self._closed = False
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._turns: dict[str, threading.Lock] = {}

    def warm(self) -> None:
        """Have one ready: somebody is about to push."""
        with self._lock:
            if self._idle is None and not self._working and not self._closed:
                self._idle = JudgeProcess(self._memory)

    def case(self, workspace: str) -> Case:
        """A push to a workspace, to be judged."""
        return Case(self, workspace)

    @contextmanager
    def taken(self, workspace: str, is_given_up: Callable[[], bool]) -> Iterator[JudgeProcess]:
        """A judge, for one push of a workspace at a time, and few of all: a workspace to which many are
        sent waits for itself, but not for those that are given up."""
        with self._lock:
            turn = self._turns.setdefault(workspace, threading.Lock())
        with _held(turn, is_given_up), _held(self._room, is_given_up), self._judge() as judge:
            yield judge

    @contextmanager
    def _judge(self) -> Iterator[JudgeProcess]:
        with self._lock:
            if self._closed:
                raise Unavailable("the server is stopping")
            judge, self._idle = self._idle, None
            if judge is None or judge.is_gone:
                judge = JudgeProcess(self._memory)
            self._working.add(judge)
        try:
            yield judge
        finally:
            self._give_back(judge)

    def _give_back(self, judge: JudgeProcess) -> None:
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


@contextmanager
def _held(
    place: threading.Lock | threading.Semaphore, is_given_up: Callable[[], bool]
) -> Iterator[None]:
    while not place.acquire(timeout=_LOOK):
        if is_given_up():
            raise Unavailable("the push was given up")
    try:
        yield
    finally:
        place.release()


class Case:
    """One push. It may be given up from another thread, before a judge hears it or meanwhile."""

    def __init__(self, judges: Judges, workspace: str) -> None:
        self._judges = judges
        self._workspace = workspace
        self._lock = threading.Lock()
        self._judge: JudgeProcess | None = None
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
        with self._judges.taken(self._workspace, lambda: self._is_given_up) as judge:
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

    def _begin(self, judge: JudgeProcess) -> None:
        with self._lock:
            if self._is_given_up:
                raise Unavailable("the push was given up")
            self._judge = judge

    def _end(self) -> None:
        with self._lock:
            self._judge = None
