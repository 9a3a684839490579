# SPDX-License-Identifier: Apache-2.0
"""One thread writes: whatever waits goes into one transaction, and is answered after its fsync.

A command is a value whose type says how it is applied. Commands of one type that wait together are
applied by one call, in the order in which they came, so that a hundred inserts are one statement.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic, perf_counter, sleep
from typing import Any, NamedTuple, Protocol, TypeVar

from gitprompt.errors import GitpromptError, Unavailable
from gitprompt.store.engines import Again, Connection, Duplicate

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Command(Protocol[Result_co]):
    """What is written, as a value."""

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Result_co | GitpromptError]:
        """For each item its result, or the error that refuses it; a refused item has written
        nothing."""


# Called after each transaction, one that failed too: its jobs, the outcome of each, and the seconds
# that it took. In the writer's thread, before anybody is answered; must not raise.
OnCommit = Callable[[Sequence["Job"], Sequence[Any], float], None]

MAX_WAITING = 20_000  # jobs; more are refused, so that memory stays bounded
_TRYING = 10.0  # seconds in which a database that does not answer is asked again
_MAX_GROUP = 2_000  # jobs; an export of a thousand traces is one group


class Job(NamedTuple):
    """What waits; the future gets the outcome."""

    command: Command[Any]
    future: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None


class Writer:
    """Owns a connection and the thread that uses it. `close` writes what waits, then ends."""

    def __init__(
        self,
        connection: Connection,
        *,
        name: str,
        on_commit: Sequence[OnCommit] = (),
    ) -> None:
        self._connection = connection
        self._on_commit = on_commit
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._refusal = ""
        self._failing_since = 0.0  # the database answers; else since when it does not
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue, about."""
        return self._queue.qsize()

    def submit(self, command: Command[Any]) -> asyncio.Future[Any]:
        """Queue a job from the event loop; its future is done when it is on disk.

        Raises Unavailable if the queue is full: nothing is stored then.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()  # a system call: not for every job
        future: asyncio.Future[Any] = loop.create_future()
        self._put(Job(command, future, loop))
        return future

    def start(self, command: Command[Result]) -> Future[Result]:
        """Queue a job from any other thread; its future is done when it is on disk."""
        future: Future[Result] = Future()
        self._put(Job(command, future, None))
        return future

    def run(self, command: Command[Result]) -> Result:
        """Queue a job from any other thread, and wait until it is on disk."""
        return self.start(command).result()

    def call(self, function: Callable[[Connection], Result]) -> Result:
        """Run a function in a transaction of the writer, and wait for it."""
        result: Result = self.run(_Function(function))
        return result

    def refuse(self, reason: str) -> None:
        """Take no more jobs, and say why."""
        self._refusal = reason

    def _put(self, job: Job) -> None:
        if self._refusal:
            raise Unavailable(self._refusal, retry_after=60)
        if self._closed:
            raise Unavailable("the server is stopping", retry_after=5)
        if self._queue.qsize() >= MAX_WAITING:
            raise Unavailable("too many writes are waiting; nothing was stored", retry_after=1)
        self._queue.put(job)

    def close(self) -> None:
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    # the thread

    def _work(self) -> None:
        stop = False
        while not stop:
            jobs: list[Job] = []
            job = self._queue.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) >= _MAX_GROUP or self._queue.empty():
                    break
                job = self._queue.get()
            stop = job is None
            if jobs:
                begin = perf_counter()
                outcomes = self._write(jobs)
                seconds = perf_counter() - begin
                for call in self._on_commit:
                    call(jobs, outcomes, seconds)
                _deliver(jobs, outcomes)

    def _write(self, jobs: Sequence[Job]) -> list[Any]:
        """The outcome of each job, after the commit. What may go well the next time is tried again, as long
        as the database was answering lately: who waits behind it is told soon."""
        pause = 0.01
        while True:
            try:
                outcomes = self._once(jobs)
            except Again as error:
                now = monotonic()
                self._failing_since = self._failing_since or now
                if now - self._failing_since > _TRYING or self._closed:
                    return [error] * len(jobs)
                sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            self._failing_since = 0.0
            return outcomes

    def _once(self, jobs: Sequence[Job]) -> list[Any]:
        try:
            with self._connection.transaction():
                return _together(self._connection, jobs)
        except Again:
            raise
        except Exception:
            if len(jobs) == 1 and not isinstance(self._told(), Duplicate):
                return [self._told()]
        return self._apart(jobs)

    def _apart(self, jobs: Sequence[Job]) -> list[Any]:
        """One by one, so that a job that fails takes nobody with it; a row that another node has made
        meanwhile is found this time."""
        outcomes: list[Any] = []
        try:
            with self._connection.transaction():
                for job in jobs:
                    try:
                        with self._connection.savepoint():
                            outcomes += job.command.apply(self._connection, (job.command,))
                    except Exception:
                        told = self._told()
                        if isinstance(told, Again):
                            raise
                        outcomes.append(told)
        except Again:
            raise
        except Exception:
            return [self._told()] * len(jobs)
        return outcomes

    def _told(self) -> Exception:
        """The exception that is being handled, in our words if it is the database's."""
        error = sys.exception()
        assert isinstance(error, Exception)
        return self._connection.explained(error)


class _Function(NamedTuple):
    function: Callable[[Connection], Any]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Any]:
        return [item.function(db) for item in items]


def _together(db: Connection, jobs: Sequence[Job]) -> list[Any]:
    """Apply jobs, those of one type by one call; outcomes in the order of the jobs. They wait at the same
    time, so that any order of them is right, but for what others refer to: that comes first."""
    families: dict[type[Command[Any]], list[int]] = {}
    for at, job in enumerate(jobs):
        families.setdefault(type(job.command), []).append(at)
    outcomes: list[Any] = [None] * len(jobs)
    for kind in sorted(families, key=_comes_later):
        places = families[kind]
        results = kind.apply(db, [jobs[at].command for at in places])
        for at, result in zip(places, results, strict=True):
            outcomes[at] = result
    return outcomes


def _comes_later(kind: type[Command[Any]]) -> bool:
    return not hasattr(kind, "comes_first")


def _deliver(jobs: Sequence[Job], outcomes: Sequence[Any]) -> None:
    """One wake-up of the event loop for a whole group."""
    waiting: list[tuple[asyncio.Future[Any], Any]] = []
    loop = None
    for job, outcome in zip(jobs, outcomes, strict=True):
        if isinstance(job.future, Future):
            _settle(job.future, outcome)
        else:
            waiting.append((job.future, outcome))
            loop = job.loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(_settle_all, waiting)


def _settle_all(waiting: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in waiting:
        if not future.done():  # whoever asked may have gone
            _settle(future, outcome)


def _settle(future: asyncio.Future[Any] | Future[Any], outcome: Any) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
