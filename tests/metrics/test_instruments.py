# SPDX-License-Identifier: Apache-2.0
"""Instruments: how a block went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gitprompt.metrics import (
    Metrics,
    instruments,
)
from tests.metrics.recorded import told


def test_instruments_record_how_a_block_went(metrics: Metrics) -> None:
    with instruments.Pipeline(metrics), instruments.Stage(metrics, "s", "t"):
        assert told(metrics)("pipelines_active") == 1
        with instruments.ProviderCall(metrics, "a", "m") as call:
            call.tokens(input=1, output=2, cached=3)
            call.cost(0.5)
            call.trace_id = "abc"
        with instruments.Validator(metrics, "v") as validation:
            validation.fail()
    for make in (
        lambda: instruments.Pipeline(metrics),
        lambda: instruments.Stage(metrics, "s", "t"),
        lambda: instruments.ProviderCall(metrics, "a", "m"),
        lambda: instruments.ToolCall(metrics, "t"),
        lambda: instruments.Validator(metrics, "v"),
    ):
        with pytest.raises(ZeroDivisionError), make():
            raise ZeroDivisionError
    found = told(metrics)
    assert found("pipelines_active") == 0
    assert found("pipeline_duration_seconds_count", status="success") == 1
    assert found("pipeline_duration_seconds_count", status="error") == 1
    assert found("stage_elements_total", stage="s", status="error") == 1
    assert found("provider_requests_total", provider="a", model="m", status="error") == 1
    assert found("provider_tokens_total", provider="a", model="m", type="cached") == 3
    assert found("provider_cost_total", provider="a", model="m") == 0.5
    assert found("tool_calls_total", tool="t", status="error") == 1
    assert found("validations_total", validator="v", validator_type="other", status="failed") == 2
    assert {one.labels["trace_id"] for one in found.exemplars.values()} == {"abc"}


def test_instruments_work_in_async_code_and_as_decorators(metrics: Metrics) -> None:
    @instruments.ToolCall(metrics, "later")
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value + 1

    @instruments.ToolCall(metrics, "now")
    def now(value: int) -> int:
        return value // 0 if value < 0 else value

    async def story() -> list[int]:
        async with instruments.ProviderCall(metrics, "a", "m") as call:
            call.tokens(input=7)
        waiting = asyncio.create_task(asyncio.wait_for(stuck(), 0.01))
        with pytest.raises(TimeoutError):
            await waiting
        return list(await asyncio.gather(*(later(number) for number in range(5))))

    @instruments.ToolCall(metrics, "stuck")
    async def stuck() -> None:
        await asyncio.Event().wait()

    assert asyncio.run(story()) == [1, 2, 3, 4, 5]
    assert now(3) == 3
    with pytest.raises(ZeroDivisionError):
        now(-1)
    found = told(metrics)
    assert found("tool_calls_total", tool="later", status="success") == 5
    assert found("tool_calls_total", tool="now", status="success") == 1
    assert found("tool_calls_total", tool="now", status="error") == 1
    assert found("tool_calls_total", tool="stuck", status="error") == 1
    assert found("provider_tokens_total", provider="a", model="m", type="input") == 7
    assert later.__name__ == "later"


def test_an_instrument_may_be_used_again_and_around_streams(metrics: Metrics) -> None:
    call = instruments.ProviderCall(metrics, "a", "m")
    with call:
        call.tokens(input=5)
    with call:
        pass
    validation = instruments.Validator(metrics, "v")
    with validation:
        validation.fail()
    with validation:
        pass

    @instruments.ToolCall(metrics, "stream")
    def stream(size: int) -> Iterator[int]:
        yield from range(size)
        raise ZeroDivisionError

    @instruments.ToolCall(metrics, "later")
    async def later(size: int) -> AsyncIterator[int]:
        for number in range(size):
            await asyncio.sleep(0.01)
            yield number

    async def story() -> list[int]:
        async for _ in later(3):
            break  # who reads may stop: that is no error
        return [number async for number in later(3)]

    with pytest.raises(ZeroDivisionError):
        list(stream(2))
    assert next(stream(2)) == 0
    assert asyncio.run(story()) == [0, 1, 2]
    found = told(metrics)
    assert found("provider_tokens_total", provider="a", model="m", type="input") == 5
    assert found("validations_total", validator="v", validator_type="other", status="passed") == 1
    assert found("tool_calls_total", tool="stream", status="error") == 1
    assert found("tool_calls_total", tool="later", status="success") == 2
    assert found("tool_call_duration_seconds_sum", tool="later") >= 0.04
