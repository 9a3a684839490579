# SPDX-License-Identifier: Apache-2.0
"""The library as a program imports it: all of it ends in the metrics of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitprompt import metrics as library
from gitprompt.metrics import (
    METRICS,
    EventBus,
    Exporter,
    Metrics,
    MetricsListener,
    Registry,
    SidecarMetrics,
    ToolCallEnded,
    process_collectors,
)
from gitprompt.metrics.exposition import expose
from tests.metrics.recorded import told
from tests.scraping import Samples, read
from tests.server.client import fresh


def process_metrics() -> Samples:
    registry = Registry()
    for collector in process_collectors():
        registry.register(collector)
    return read(b"".join(expose(registry, "").body).decode(), namespace="")


@pytest.mark.parametrize(
    ("make", "series", "label"),
    [
        (lambda name: library.stage(name, "llm"), "stage_elements_total", "stage"),
        (lambda name: library.provider_call("p", name), "provider_requests_total", "model"),
        (library.tool_call, "tool_calls_total", "tool"),
        (library.validator, "validations_total", "validator"),
    ],
)
def test_an_instrument_records_in_the_metrics_of_the_process(
    make: Callable[[str], Any], series: str, label: str
) -> None:
    name = fresh("own")
    with make(name):
        pass
    assert told(METRICS).total(series, **{label: name}) == 1


def test_a_pipeline_is_active_while_its_block_runs() -> None:
    before = told(METRICS)
    with library.pipeline():
        assert told(METRICS)("pipelines_active") == before("pipelines_active") + 1
    after = told(METRICS)
    assert after("pipelines_active") == before("pipelines_active")
    count = "pipeline_duration_seconds_count"
    assert after(count, status="success") == before(count, status="success") + 1


def test_a_call_a_block_and_an_event_of_one_tool_are_one_series() -> None:
    tool = fresh("tool")
    library.record_tool_call(tool, "success", 1.0)
    with library.tool_call(tool):
        pass
    with EventBus() as bus:
        bus.subscribe_all(MetricsListener())
        bus.publish(ToolCallEnded(tool=tool))
    assert told(METRICS)("tool_calls_total", tool=tool, status="success") == 3


def test_the_metrics_of_the_process_know_no_prices() -> None:
    model = fresh("model")
    with library.provider_call("p", model) as call:
        call.tokens(input=1_000_000)
    with library.provider_call("p", model) as call:
        call.cost(0.25)
    samples, where = told(METRICS), {"provider": "p", "model": model}
    assert samples("provider_unpriced_requests_total", **where) == 1
    assert samples("provider_cost_total", **where) == 0.25


def test_an_instrument_decorates_async_functions_and_keeps_what_they_return() -> None:
    tool = fresh("tool")

    @library.tool_call(tool)
    async def answer(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    assert asyncio.run(answer(41)) == 42
    assert told(METRICS)("tool_calls_total", tool=tool, status="success") == 1


def test_an_exporter_serves_the_metrics_of_the_process() -> None:
    tool = fresh("tool")
    library.record_tool_call(tool, "success", None)
    body = b"".join(expose(Exporter().registry, "").body).decode()
    assert read(body)("tool_calls_total", tool=tool, status="success") == 1


def test_metrics_of_ones_own_stay_apart_from_those_of_the_process() -> None:
    tool = fresh("tool")
    Metrics().record_tool_call(tool, "success", 1.0)
    assert tool not in told(METRICS).labels("tool_calls_total", "tool")


def test_a_program_shows_nothing_of_the_sidecar() -> None:
    sidecar = {metric.name for metric in SidecarMetrics().describe()}
    program = {metric.name for metric in METRICS.describe()}
    assert program < sidecar
    assert "gitprompt_sync_runs" in sidecar - program


def test_an_open_file_is_seen_in_the_metrics_of_the_process(tmp_path: Path) -> None:
    before = process_metrics()("process_open_fds")
    with (tmp_path / "file").open("w"):
        assert process_metrics()("process_open_fds") == before + 1
