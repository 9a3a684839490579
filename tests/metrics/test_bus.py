# SPDX-License-Identifier: Apache-2.0
"""The bus of events."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any

import pytest

from gitprompt.metrics import (
    EventBus,
    Metrics,
    MetricsListener,
    PipelineEnded,
    PipelineStarted,
    ProviderCallEnded,
    StageEnded,
    ToolCallEnded,
    ValidationEnded,
)
from tests.metrics.recorded import told
from tests.world import eventually, run


def test_events_are_counted_in_their_order(metrics: Metrics) -> None:
    seen: list[Any] = []
    with EventBus() as bus:
        bus.subscribe_all(MetricsListener(metrics))
        bus.subscribe_all(seen.append)
        events = [
            PipelineStarted(run_id="r"),
            StageEnded(stage="s", stage_type="t", seconds=0.5),
            ProviderCallEnded(provider="a", model="m", seconds=1, input=3, cost=0.25),
            ToolCallEnded(tool="t", status="error", seconds=2),
            ValidationEnded(validator="v", status="failed", seconds=0.1),
            object(),
            PipelineEnded(run_id="r", status="error", seconds=4),
        ]
        assert all(bus.publish(event) for event in events)
        assert bus.flush()
        assert seen == events
        assert bus.dropped == 0
    assert not bus.publish(PipelineStarted(run_id="late"))
    assert bus.dropped == 1
    assert bus.close()
    found = told(metrics)
    assert found("pipelines_active") == 0
    assert found("pipeline_duration_seconds_sum", status="error") == 4
    assert found("stage_duration_seconds_sum", stage="s", stage_type="t") == 0.5
    assert found("provider_cost_total", provider="a", model="m") == 0.25
    assert found("tool_calls_total", tool="t", status="error") == 1
    assert found("validations_total", validator="v", validator_type="other", status="failed") == 1


def test_a_listener_that_raises_stops_nobody_else(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Any) -> None:
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR), EventBus() as bus:
        bus.subscribe_all(broken)
        end = bus.subscribe(ToolCallEnded, MetricsListener(metrics))
        for _ in range(3):
            bus.publish(ToolCallEnded(tool="t"))
        bus.publish(StageEnded(stage="s"))
        bus.flush()
        end()
        bus.publish(ToolCallEnded(tool="t"))
    assert told(metrics)("tool_calls_total", tool="t", status="success") == 3
    assert told(metrics).total("stage_elements_total") == 0
    assert [record.message for record in caplog.records] == ["a listener of events failed"]


def test_a_listener_may_raise_anything_and_close_the_bus(metrics: Metrics) -> None:
    bus = EventBus()

    def broken(event: Any) -> None:
        bus.close()
        raise asyncio.CancelledError

    bus.subscribe_all(broken)
    bus.subscribe_all(MetricsListener(metrics))
    bus.publish(ToolCallEnded(tool="t"))
    assert bus.flush()
    assert bus.close()
    assert bus.flush()
    assert told(metrics)("tool_calls_total", tool="t", status="success") == 1


def test_a_bus_that_could_not_close_closes_later() -> None:
    release = threading.Event()

    def stuck(event: Any) -> None:
        release.wait()

    bus = EventBus(capacity=1)
    bus.subscribe_all(stuck)
    bus.publish(1)
    eventually(lambda: bus.publish(2))
    assert not bus.close(timeout=0.05)
    release.set()
    assert bus.close()
    assert bus.flush(timeout=1)


def test_a_full_bus_drops_and_counts() -> None:
    release = threading.Event()
    bus = EventBus(capacity=2)

    def stuck(event: Any) -> None:
        release.wait()

    bus.subscribe_all(stuck)
    published = [bus.publish(number) for number in range(10)]
    eventually(lambda: bus._queue.full())
    assert bus.dropped == published.count(False) >= 7
    assert not bus.flush(0.05)
    release.set()
    assert bus.flush()
    assert bus.close()


_FORKED = """
import os, threading, time
from gitprompt.metrics import EventBus, Metrics, MetricsListener, ProviderCallEnded

seen = []
metrics = Metrics()
bus = EventBus()
bus.subscribe_all(seen.append)
bus.subscribe_all(MetricsListener(metrics))
call = ProviderCallEnded(provider="a", model="b", seconds=1)
assert bus.publish(call) and bus.flush()
closed = EventBus()
closed.close()
metrics._lock.acquire()  # as if another thread counted at that moment
read, write = os.pipe()
if os.fork() == 0:
    taken = bus.publish(call)
    flushed = bus.flush()
    os.write(write, f"{taken} {flushed} {len(seen)} {bus.dropped} {closed.publish(call)}".encode())
    os._exit(0)
metrics._lock.release()
os.wait()
assert bus.publish(call) and bus.close()
print(os.read(read, 100).decode(), len(seen))
"""


def test_after_a_fork_the_child_delivers_its_own_events() -> None:
    said = run(sys.executable, "-W", "ignore", "-c", _FORKED, cwd=".")
    assert said.split() == ["True", "True", "2", "0", "False", "2"]
