# SPDX-License-Identifier: Apache-2.0
"""The library half: what a Python program records, publishes, and wraps."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import metrics as library
from gitprompt.core.telemetry.prices import Price, PriceTable
from gitprompt.metrics import (
    Metrics,
    families,
)
from tests.metrics.recorded import told
from tests.scraping import OPENMETRICS


def test_the_functions_of_promptkit_record_what_they_say(metrics: Metrics) -> None:
    metrics.record_stage_duration("my_stage", "transform", 0.5)
    metrics.record_stage_element("my_stage", "success")
    metrics.record_provider_request("anthropic", "claude-3", "success", 2.5)
    metrics.record_provider_tokens("anthropic", "claude-3", 100, 50, 0)
    metrics.record_provider_cost("anthropic", "claude-3", 0.05)
    metrics.record_tool_call("web_search", "success", 1.2)
    metrics.record_validation("schema_validator", "output", "passed", 0.01)
    run = metrics.record_pipeline_start()
    assert told(metrics)("pipelines_active") == 1
    metrics.record_pipeline_end("error", 3, run)
    found = told(metrics)
    model = {"provider": "anthropic", "model": "claude-3"}
    assert found("stage_duration_seconds_sum", stage="my_stage", stage_type="transform") == 0.5
    assert found("stage_elements_total", stage="my_stage", status="success") == 1
    assert found("stage_elements_total", stage="my_stage", status="error") == 0
    assert found("provider_request_duration_seconds_sum", **model) == 2.5
    assert found("provider_requests_total", status="success", **model) == 1
    assert found("provider_tokens_total", type="input", **model) == 100
    assert found("provider_tokens_total", type="output", **model) == 50
    assert found("provider_cost_total", **model) == 0.05
    assert found("tool_call_duration_seconds_sum", tool="web_search") == 1.2
    validator = {"validator": "schema_validator", "validator_type": "output"}
    assert found("validations_total", status="passed", **validator) == 1
    assert found("pipelines_active") == 0
    assert found("pipeline_duration_seconds_sum", status="error") == 3


def test_the_module_has_every_function_of_promptkit() -> None:
    for name in ("stage_duration", "stage_element", "pipeline_start", "pipeline_end", "provider_request",
                 "provider_tokens", "provider_cost", "tool_call", "validation"):  # fmt: skip
        assert callable(getattr(library, f"record_{name}"))
    assert set(library.__all__) <= set(dir(library))


def test_buckets_are_those_of_the_specification(metrics: Metrics) -> None:
    promised = {
        "pipeline_duration_seconds": [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
        "stage_duration_seconds":
            [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
        "provider_request_duration_seconds": [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
        "tool_call_duration_seconds": [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
        "validation_duration_seconds": [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
        "eval_score": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
    }  # fmt: skip
    rows = {family.name: list(family.buckets) for family in families.FAMILIES}
    assert {name: rows[name] for name in promised} == promised


@given(
    values=st.lists(
        st.one_of(
            st.none(), st.floats(), st.integers(), st.text(), st.booleans(), st.just(-1), st.just(1e308),
            st.decimals(), st.just([1]),
        ),
        max_size=30,
    ),
    names=st.lists(
        st.one_of(st.none(), st.text(st.characters(), max_size=200), st.integers(), st.just("\ud800"), st.just(["a"])),
        min_size=1,
        max_size=30,
    ),
)  # fmt: skip
def test_whatever_is_recorded_can_be_scraped_and_is_sane(
    values: list[Any], names: list[Any]
) -> None:
    """Both formats are read back by the client library, and every sum is a number that only rises."""
    metrics = Metrics(caps={"model": 5})
    for name, value in zip(names, values, strict=False):
        metrics.record_provider_call(
            name, name, failed=value is None, seconds=value, input=value, output=value,
            cost=value, trace_id=name,
        )  # fmt: skip
        metrics.record_stage(name, name, value, failed=False)
        metrics.record_tool_call(name, value, value, trace_id=name)
        metrics.record_validation(name, name, value, value)
        metrics.record_eval(name, value, None)
        metrics.record_pipeline_end(value, value, name, trace_id=name)
    for accept in ("", OPENMETRICS):
        found = told(metrics, accept=accept)
        assert all(math.isfinite(value) and value >= 0 for value in found.values.values())
    assert len(found.labels("provider_requests_total", "model")) <= 6
    assert found.total("provider_requests_total") == min(len(names), len(values))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.floats(0, 1000))))
def test_a_histogram_is_what_counting_by_hand_makes_it(
    calls: list[tuple[str, bool, float]],
) -> None:
    metrics = Metrics(caps={"tool": 4})
    for tool, failed, seconds in calls:
        metrics.record_tool_call(tool, "error" if failed else "success", seconds)
    found = told(metrics)
    kept = list(dict.fromkeys(tool for tool, _, _ in calls))[:4]
    for label in {tool if tool in kept else "other" for tool, _, _ in calls}:
        own = [call for call in calls if (call[0] if call[0] in kept else "other") == label]
        for bound in families.TOOL_DURATION.buckets:
            expected = sum(seconds <= bound for _, _, seconds in own)
            le = str(float(bound))
            assert found("tool_call_duration_seconds_bucket", tool=label, le=le) == expected
        assert found("tool_call_duration_seconds_count", tool=label) == len(own)
        errors = sum(failed for _, failed, _ in own)
        assert found("tool_calls_total", tool=label, status="error") == errors


def test_active_pipelines_are_a_set_that_expires() -> None:
    now = [0.0]
    metrics = Metrics(run_expiry=100, clock=lambda: now[0])
    for _ in range(3):
        metrics.record_pipeline_start("same")
    metrics.record_pipeline_start("other", age=90)
    metrics.record_pipeline_start()
    assert told(metrics)("pipelines_active") == 3
    metrics.record_pipeline_end("success", 1)
    metrics.record_pipeline_end("success", 1, "never started")
    assert told(metrics)("pipelines_active") == 2
    now[0] = 20
    assert told(metrics)("pipelines_active") == 1
    now[0] = 200
    assert told(metrics)("pipelines_active") == 0


def test_costs_come_from_the_price_table_where_none_is_given() -> None:
    table = PriceTable("2026-01-01", {("a", "m"): Price(10, 20, 1), ("free", "*"): Price(0, 0, 0)})
    metrics = Metrics(prices=table)
    call: Callable[..., None] = metrics.record_provider_call
    call("a", "m", failed=False, seconds=1, input=100, output=10, cached=1000)
    call("a", "m", failed=False, seconds=1, input=100, cost=0.5)
    call("A", "M-2024-08-06", failed=False, seconds=1, input=100)
    call("free", "any", failed=False, seconds=1, input=100)
    call("a", "unknown", failed=False, seconds=1)
    call("a", "unknown", failed=True, seconds=1)
    found = told(metrics)
    assert found("provider_cost_total", provider="a", model="m") == pytest.approx(0.5022)
    assert found("provider_cost_total", provider="A", model="M-2024-08-06") == pytest.approx(0.001)
    assert found("provider_cost_total", provider="free", model="any") == 0
    assert found.total("provider_unpriced_requests_total") == 1


def test_an_id_of_200_characters_is_no_exemplar(metrics: Metrics) -> None:
    for trace_id in ("l" * 200, "l" * 120, "", "\ud800", "a b"):
        metrics.record_tool_call("t", "success", 1, trace_id=trace_id)
    found = told(metrics).exemplars
    assert [one.labels for one in found.values()] == [{"trace_id": "l" * 120}]


def test_threads_lose_nothing(metrics: Metrics) -> None:
    def record() -> None:
        for _ in range(2_000):
            metrics.record_provider_call("a", "m", failed=False, seconds=0.2, input=1, cost=1)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        told(metrics)
    found = told(metrics)
    assert found("provider_requests_total", provider="a", model="m", status="success") == 16_000
    assert found("provider_cost_total", provider="a", model="m") == 16_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"namespace": "a-b"}, "namespace"),
        ({"namespace": ""}, "namespace"),
        ({"buckets": {"eval_score": [1, 1]}}, "ascend"),
        ({"buckets": {"eval_score": [math.nan]}}, "finite"),
        ({"buckets": {"eval_score": []}}, "finite"),
        ({"buckets": {"tool_calls_total": [1]}}, "no histogram"),
        ({"caps": {"tool": 0}}, "between 1"),
        ({"caps": {"user": 1}}, "no capped label"),
    ],
)
def test_what_cannot_be_is_refused(options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Metrics(**options)
