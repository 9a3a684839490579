# SPDX-License-Identifier: Apache-2.0
"""A few worker processes: never two for one workspace, each for a bounded time.

One is started for the first who asks, and one is kept for the next. Whoever is given up has its
process killed, with every git process that it has started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitprompt.errors import Unavailable
from gitprompt.server.work.process import WorkerProcess

_LOOK = 0.1  # seconds between two looks of who waits at whether its client is gone


class Pool:
    """`memory` (bytes) is that of one process; `at_once` of them work, each may take a core."""

    def __init__(self, *, memory: int, at_once: int) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: WorkerProcess | None = None
        self._working: set[WorkerProcess] = set()
        self._closed = False
        self._room = threading.BoundedSemaphore(at_once)
        self._turns: dict[str, threading.Lock] = {}

    def warm(self) -> None:
        """Have one ready: somebody is about to ask."""
        with self._lock:
            if self._idle is None and not self._working and not self._closed:
                self._idle = WorkerProcess(self._memory)

    @contextmanager
    def taken(
        self, workspace: str, is_given_up: Callable[[], bool] = lambda: False
    ) -> Iterator[WorkerProcess]:
        """A process, for one question of a workspace at a time, and few of all: a workspace that asks
        much waits for itself, but not for what is given up."""
        with self._lock:
            turn = self._turns.setdefault(workspace, threading.Lock())
        with _held(turn, is_given_up), _held(self._room, is_given_up), self._process() as process:
            yield process

    @contextmanager
    def _process(self) -> Iterator[WorkerProcess]:
        with self._lock:
            if self._closed:
                raise Unavailable("the server is stopping")
            process, self._idle = self._idle, None
            if process is None or process.is_gone:
                process = WorkerProcess(self._memory)
            self._working.add(process)
        try:
            yield process
        finally:
            self._give_back(process)

    def _give_back(self, process: WorkerProcess) -> None:
        """Keep one for the next."""
        with self._lock:
            self._working.discard(process)
            may_stay = not (process.is_gone or self._closed or self._idle)
            if may_stay:
                self._idle = process
        if not may_stay:
            process.kill()

    def close(self) -> None:
        """Kill all of them; whoever waits for one is told so."""
        with self._lock:
            self._closed = True
            processes = [*self._working, *([self._idle] if self._idle else [])]
            self._idle = None
        for process in processes:
            process.kill()


@contextmanager
def _held(
    place: threading.Lock | threading.Semaphore, is_given_up: Callable[[], bool]
) -> Iterator[None]:
    while not place.acquire(timeout=_LOOK):
        if is_given_up():
            raise Unavailable("it was given up")
    try:
        yield
    finally:
        place.release()
