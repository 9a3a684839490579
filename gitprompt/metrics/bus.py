# SPDX-License-Identifier: Apache-2.0
"""Events of a Python program, and the listener that counts them.

A program publishes what happened and goes on; one thread delivers the events in their order. The
queue is bounded: what does not fit is dropped and counted, so that a slow listener slows nobody.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, Literal
from weakref import WeakSet

from gitprompt import log
from gitprompt.metrics import clean
from gitprompt.metrics.recorder import METRICS, Metrics, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStarted:
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEnded:
    """`seconds` from start to end, here and below; None if nobody measured, which of a pipeline
    counts as 0: the number of its durations is that of the pipelines that ended."""

    run_id: str | None = None
    status: Status = "success"
    seconds: float | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnded:
    """One element went through a stage."""

    stage: str
    stage_type: str = "other"
    status: Status = "success"
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCallEnded:
    """A call of a model. Tokens are disjoint: `input` does not count what was cached. `cost` in USD;
    None: the price table's."""

    provider: str
    model: str
    status: Status = "success"
    seconds: float | None = None
    input: int = 0
    output: int = 0
    cached: int = 0
    cost: float | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEnded:
    tool: str
    status: Status = "success"
    seconds: float | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationEnded:
    validator: str
    validator_type: str = "other"
    status: Literal["passed", "failed"] = "passed"
    seconds: float | None = None


Event = (
    PipelineStarted | PipelineEnded | StageEnded | ProviderCallEnded | ToolCallEnded
    | ValidationEnded
)  # fmt: skip
Listener = Callable[[Any], None]
_CAPACITY = 10_000
_END = object()


class EventBus:
    """Delivers events, of these or any other types, in the order in which they were published.

    A listener that raises is reported once, and stops nobody else. A context manager: at its end
    what waits is delivered. After a fork the child has a bus of its own, with the same listeners and
    nothing that waits: that is the parent's.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("a bus has room for one event at least")
        self._capacity = capacity
        self._listeners: list[tuple[type | None, Listener]] = []
        self._told: set[int] = set()
        self._closed = False
        self.dropped = 0  # events that found no place, or came after the end
        self._start()
        _BUSES.add(self)

    def _start(self) -> None:
        self._queue: Queue[Any] = Queue(self._capacity)
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._has_end = False
        self._thread = threading.Thread(target=self._deliver, name="metrics-events", daemon=True)
        self._thread.start()

    def start_again(self) -> None:
        """In the child of a fork, where our thread is not, and our locks may be held by nobody."""
        if not self._closed:
            self._start()

    def subscribe(self, kind: type, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event of a type; returns what ends that."""
        return self._add(kind, listener)

    def subscribe_all(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event; returns what ends that."""
        return self._add(None, listener)

    def _add(self, kind: type | None, listener: Listener) -> Callable[[], None]:
        entry = kind, listener
        with self._lock:
            self._listeners = [*self._listeners, entry]

        def end() -> None:
            with self._lock:
                self._listeners = [one for one in self._listeners if one is not entry]

        return end

    def publish(self, event: Any) -> bool:
        """Queue an event and return at once; False if it was dropped."""
        with self._lock:
            if not self._closed:
                try:
                    self._queue.put_nowait(event)
                    return True
                except Full:
                    pass
            self.dropped += 1
            return False

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until what is published is delivered; False if that took too long (seconds)."""
        end = time.monotonic() + timeout
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._queue.all_tasks_done.wait(left)
        return True

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more events, and deliver what waits; False if that took too long."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
        with self._ending:
            if not self._has_end:
                try:
                    self._queue.put(_END, timeout=timeout)
                except Full:
                    return False
                self._has_end = True
        if threading.current_thread() is self._thread:
            return False  # a listener closes, which cannot wait for itself
        self._thread.join(max(deadline - time.monotonic(), 0.0))
        return not self._thread.is_alive()

    def __enter__(self) -> EventBus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _deliver(self) -> None:
        while (event := self._queue.get()) is not _END:
            for kind, listener in self._listeners:
                if kind is None or isinstance(event, kind):
                    self._call(listener, event)
            self._queue.task_done()
        self._queue.task_done()

    def _call(self, listener: Listener, event: Any) -> None:
        try:
            listener(event)
        except BaseException:  # this thread belongs to all of them
            if id(listener) not in self._told:
                self._told.add(id(listener))
                log.error("a listener of events failed", exc_info=True, event=type(event).__name__)


_BUSES: WeakSet[EventBus] = WeakSet()


def _start_again() -> None:
    for bus in list(_BUSES):
        bus.start_again()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_again)


class MetricsListener:
    """Counts events: `bus.subscribe_all(MetricsListener())`. Events of other types are ignored."""

    def __init__(self, metrics: Metrics = METRICS) -> None:
        self._metrics = metrics

    def __call__(self, event: Any) -> None:
        metrics = self._metrics
        match event:
            case PipelineStarted():
                metrics.record_pipeline_start(event.run_id)
            case PipelineEnded():
                metrics.record_pipeline_end(
                    event.status, event.seconds, event.run_id, trace_id=event.trace_id
                )
            case StageEnded():
                failed = clean.failed(event.status)
                metrics.record_stage(event.stage, event.stage_type, event.seconds, failed=failed)
            case ProviderCallEnded():
                metrics.record_provider_call(
                    event.provider,
                    event.model,
                    failed=clean.failed(event.status),
                    seconds=event.seconds,
                    input=event.input,
                    output=event.output,
                    cached=event.cached,
                    cost=event.cost,
                    trace_id=event.trace_id,
                )
            case ToolCallEnded():
                metrics.record_tool_call(
                    event.tool, event.status, event.seconds, trace_id=event.trace_id
                )
            case ValidationEnded():
                metrics.record_validation(
                    event.validator, event.validator_type, event.status, event.seconds
                )
