# SPDX-License-Identifier: Apache-2.0
"""What a span used, in the words of any instrument, and whatever else somebody puts there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.telemetry.numbers import MAX_COST, MAX_COUNT, nano
from gitprompt.core.telemetry.usage import (
    PLAIN,
    SpanFacts,
    Usage,
    bucket_of,
    kind_of,
    percentile,
    prompt_of,
    read_span,
    usage_of_span,
    version_of,
)

OURS = {
    "kind": "llm", "model": "m", "provider": "p", "tokens_in": 10, "tokens_out": 20,
    "tokens_cached": 4, "cost_usd": 0.5,
}  # fmt: skip


def usage_of(metadata: Mapping[str, Any] | None, **changes: Any) -> Usage | None:
    facts = read_span(metadata)
    cost = facts.cost_usd
    span: dict[str, Any] = {
        "prompt_name": "traced", "version_tag": "1.0.0", "created_at": 7_300, "status": "ok",
        "start_time": 1_000, "end_time": 2_500, "cost_nano": None if cost is None else nano(cost),
        **changes,
    }  # fmt: skip
    return usage_of_span(facts, workspace="w", **span)


def used(metadata: Mapping[str, Any], **changes: Any) -> Usage:
    usage = usage_of(metadata, **changes)
    assert usage is not None
    return usage


def test_a_call_is_what_it_says() -> None:
    assert used(OURS) == Usage("w", "traced", "1.0.0", 2, 0, 10, 20, 4, 500_000_000, 1_500)
    facts = SpanFacts(
        "llm", provider="p", model="m", tokens_in=10, tokens_out=20, tokens_cached=4, cost_usd=0.5
    )
    assert read_span(OURS) == facts
    assert read_span(OURS, is_own=False) == PLAIN


def test_a_model_and_tokens_make_a_call_without_saying_so() -> None:
    assert kind_of({"model": "m", "tokens_out": 0}) == "llm"
    assert kind_of({"model": "m"}) == kind_of({"tokens_in": 1}) == "other"
    assert kind_of({"kind": "tool", "model": "m", "tokens_in": 1}) == "tool"


@pytest.mark.parametrize(
    "kind", ["agent", "invoke_agent", "create_agent", "chain", "workflow", "retriever", "span",
             "RERANKER", "event", "ai.generateText", "whatever comes next"],
)  # fmt: skip
def test_a_span_that_says_it_is_something_else_is_no_call(kind: str) -> None:
    facts = read_span({"gen_ai.operation.name": kind, "gen_ai.request.model": "m",
                       "gen_ai.usage.input_tokens": 3}, is_own=False)  # fmt: skip
    assert (facts.kind, facts.type) == ("other", kind)


def test_a_tool_and_a_validator_are_no_call_of_a_model() -> None:
    for metadata, facts in (
        ({"kind": "execute_tool", "gen_ai.tool.name": "search"}, SpanFacts("tool", "search")),
        ({"gen_ai.tool.name": "search"}, SpanFacts("tool", "search")),
        (
            {"kind": "guardrail", "validator": "pii", "validator_type": "input", "passed": False},
            SpanFacts("validator", "pii", "input", passed=False),
        ),
        ({"kind": "retriever"}, SpanFacts("other", type="retriever")),
        ({"kind": "retriever", "stage_type": "search"}, SpanFacts("other", type="search")),
    ):
        assert (read_span(metadata), usage_of(metadata)) == (facts, None)


@pytest.mark.parametrize("metadata", [None, {}, {"colour": "red"}])
def test_a_span_that_says_nothing_is_plain(metadata: Mapping[str, Any] | None) -> None:
    assert (read_span(metadata), usage_of(metadata)) == (PLAIN, None)


def test_what_was_cached_is_part_of_what_went_in_however_it_was_counted() -> None:
    apart = used({**OURS, "tokens_in": 5, "tokens_cached": 1_000, "tokens_written": 50})
    assert (apart.tokens_in, apart.tokens_cached) == (1_055, 1_000)
    together = used({**OURS, "tokens_in": 1_055, "tokens_cached": 1_000, "tokens_written": 50})
    assert together.tokens_in == 1_055


def test_a_prompt_of_its_own_counts_whole_and_takes_no_version_of_the_trace() -> None:
    own = used({**OURS, "gitprompt.prompt.name": "own"})
    assert (own.prompt_name, own.version_tag) == ("own", "")
    both = used({**OURS, "gen_ai.prompt.name": "own", "gen_ai.prompt.version": 3})
    assert (both.prompt_name, both.version_tag) == ("own", "3")
    lone = used({**OURS, "gitprompt.prompt.version": "9.0.0"})
    assert (lone.prompt_name, lone.version_tag) == ("traced", "1.0.0")


def test_a_prompt_that_is_no_name_is_none_and_a_long_one_is_cut() -> None:
    for name in ("", 7, ["a"], None):
        assert prompt_of({"prompt_name": name, "prompt_version": "1"}) == (None, None)
    name, version = prompt_of({"prompt_name": "n" * 1_000, "prompt_version": "v" * 1_000})
    assert (name, version) == ("n" * 256, "v" * 256)


def test_an_integer_of_langfuse_is_the_version_that_it_stands_for() -> None:
    assert [version_of(version) for version in (1_002_003, "1000000", 7, "1.4.2", None, "")] == [
        "1.2.3", "1.0.0", "7", "1.4.2", None, None,
    ]  # fmt: skip


def test_a_failed_call_is_an_error_and_a_clock_that_ran_back_has_no_latency() -> None:
    assert used(OURS, status="error").errors == 1
    assert used(OURS, start_time=2_500, end_time=1_000).latency_ms is None
    assert used(OURS, end_time=None).latency_ms is None
    assert used(OURS, start_time=0, end_time=MAX_COUNT * 2).latency_ms == MAX_COUNT


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.5,
        MAX_COUNT + 1,
        10**30,
        float("nan"),
        float("inf"),
        True,
        "12 apples",
        "nan",
        "1_0",
        [1],
        {"a": 1},
    ],
)
def test_what_is_no_sane_number_counts_as_nothing(value: Any) -> None:
    usage = used({**OURS, "tokens_in": value, "tokens_cached": 0, "cost_usd": value})
    assert (usage.tokens_in, usage.cost_nano, usage.tokens_out) == (0, None, 20)
    assert read_span({**OURS, "cost_usd": value}).cost_usd is None


def test_decimals_may_be_text() -> None:
    usage = used({**OURS, "tokens_in": "12", "cost_usd": "0.000045"})
    assert (usage.tokens_in, usage.cost_nano) == (12, 45_000)


def test_the_largest_number_that_is_sane_counts() -> None:
    usage = used({**OURS, "tokens_in": MAX_COUNT, "tokens_out": 2.9, "cost_usd": MAX_COST})
    assert (usage.tokens_in, usage.tokens_out) == (MAX_COUNT, 2)
    assert usage.cost_nano == nano(MAX_COST) == 10**15


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
WORDS = [*OURS, "type", "tool", "validator", "passed", "mlflow.spanType", "mlflow.chat.tokenUsage",
         "langfuse.observation.usage_details", "langfuse.observation.cost_details",
         "gen_ai.operation.name", "gen_ai.prompt.name", "openinference.span.kind"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(WORDS), JSON | JSON.map(json.dumps), max_size=6))
def test_no_metadata_breaks_the_reading_of_a_span(metadata: dict[str, Any]) -> None:
    for is_own in (True, False):
        facts = read_span(metadata, is_own=is_own)
        numbers = facts.tokens_in, facts.tokens_out, facts.tokens_cached, facts.tokens_written
        assert all(type(number) is int and 0 <= number <= MAX_COUNT for number in numbers)
        assert facts.cost_usd is None or 0 <= facts.cost_usd <= MAX_COST
        assert facts.kind == "llm" or not any(numbers)


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_buckets_keep_the_order_of_latencies(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)


def test_a_percentile_of_no_calls_is_unknown_and_at_the_ends_it_is_an_end() -> None:
    assert percentile([], 0.5) is percentile([(10, 0)], 0.5) is None
    buckets = [(10, 1), (20, 98), (30, 1)]
    shares = (0.0, 0.01, 0.011, 0.99, 0.991, 1.0)
    assert [percentile(buckets, share) for share in shares] == [10, 10, 20, 20, 30, 30]
