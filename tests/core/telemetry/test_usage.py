# SPDX-License-Identifier: Apache-2.0
"""What a span used, in the words of any instrument, and whatever else somebody puts there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.telemetry.usage import (
    MAX_COST,
    MAX_COUNT,
    PLAIN,
    SpanFacts,
    Usage,
    bucket_of,
    facts_of,
    kind_of,
    nano,
    of_span,
    percentile,
    prompt_of,
    span_facts,
)

OURS = {
    "kind": "llm", "model": "m", "provider": "p", "tokens_in": 10, "tokens_out": 20,
    "tokens_cached": 4, "cost_usd": 0.5,
}  # fmt: skip
OTEL = {
    "gen_ai.operation.name": "chat", "gen_ai.response.model": "m", "gen_ai.provider.name": "p",
    "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 4, "gen_ai.usage.cost": 0.5,
}  # fmt: skip
OPENINFERENCE = {
    "openinference.span.kind": "LLM", "llm.model_name": "m", "llm.provider": "p",
    "llm.token_count.prompt": 10, "llm.token_count.completion": 20,
    "llm.token_count.prompt_details.cache_read": 4, "llm.cost.total": 0.5,
}  # fmt: skip
OLDER = {
    "langfuse.observation.type": "generation", "langfuse.observation.model.name": "m",
    "gen_ai.system": "p", "prompt_tokens": 10, "completion_tokens": 20,
    "gen_ai.usage.cache_read_input_tokens": 4, "cost_usd": 0.5,
}  # fmt: skip


def used(metadata: Mapping[str, Any], **changes: Any) -> Usage:
    span: dict[str, Any] = {
        "prompt_name": "traced", "version_tag": "1.0.0", "created_at": 7_300, "status": "ok",
        "start_time": 1_000, "end_time": 2_500, **changes,
    }  # fmt: skip
    usage = of_span(workspace="w", metadata=metadata, **span)[1]
    assert usage is not None
    return usage


@pytest.mark.parametrize("metadata", [OURS, OTEL, OPENINFERENCE, OLDER])
def test_every_instrument_says_the_same_of_one_call(metadata: Mapping[str, Any]) -> None:
    assert used(metadata) == Usage("w", "traced", "1.0.0", 2, 0, 10, 20, 4, 500_000_000, 1_500)
    assert span_facts(facts_of(metadata)) == SpanFacts("llm", provider="p", model="m", cost_usd=0.5)


def test_of_several_words_the_first_that_has_a_value_wins_in_any_order() -> None:
    metadata = {"input_tokens": 3, "tokens_in": None, "gen_ai.usage.input_tokens": 2}
    for items in (list(metadata.items()), list(metadata.items())[::-1]):
        assert facts_of(dict(items)) == {"tokens_in": 2}


def test_a_model_and_tokens_make_a_call_without_saying_so() -> None:
    assert kind_of({"model": "m", "tokens_out": 0}) == "llm"
    assert kind_of({"model": "m"}) == kind_of({"tokens_in": 1}) == "other"
    assert kind_of({"kind": "tool", "model": "m", "tokens_in": 1}) == "tool"


def test_a_tool_and_a_validator_are_no_call_of_a_model() -> None:
    for metadata, facts in (
        ({"kind": "execute_tool", "gen_ai.tool.name": "search"}, SpanFacts("tool", "search")),
        (
            {"kind": "guardrail", "validator": "pii", "validator_type": "input", "passed": False},
            SpanFacts("validator", "pii", "input", passed=False),
        ),
        ({"kind": "retriever"}, SpanFacts("other", type="retriever")),
        ({"kind": "retriever", "stage_type": "search"}, SpanFacts("other", type="search")),
    ):
        answer = of_span(
            workspace="w", prompt_name=None, version_tag=None, created_at=0, status="ok",
            start_time=None, end_time=None, metadata=metadata,
        )  # fmt: skip
        assert answer == (facts, None)


@pytest.mark.parametrize("metadata", [None, {}, {"colour": "red"}])
def test_a_span_that_says_nothing_is_plain(metadata: Mapping[str, Any] | None) -> None:
    answer = of_span(
        workspace="w", prompt_name="a", version_tag="1", created_at=0, status="error",
        start_time=0, end_time=1, metadata=metadata,
    )  # fmt: skip
    assert answer == (PLAIN, None)


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


def test_a_failed_call_is_an_error_and_a_clock_that_ran_back_has_no_latency() -> None:
    assert used(OURS, status="error").errors == 1
    assert used(OURS, start_time=2_500, end_time=1_000).latency_ms is None
    assert used(OURS, end_time=None).latency_ms is None
    assert used(OURS, start_time=0, end_time=MAX_COUNT * 2).latency_ms == MAX_COUNT


@pytest.mark.parametrize(
    "value",
    [-1, -0.5, MAX_COUNT + 1, 10**30, float("nan"), float("inf"), True, "12", [1], {"a": 1}],
)
def test_what_is_no_sane_number_counts_as_nothing(value: Any) -> None:
    usage = used({**OURS, "tokens_in": value, "cost_usd": value})
    assert (usage.tokens_in, usage.cost_nano, usage.tokens_out) == (0, 0, 20)
    assert span_facts(facts_of({**OURS, "cost_usd": value})).cost_usd is None


def test_the_largest_number_that_is_sane_counts() -> None:
    usage = used({**OURS, "tokens_in": MAX_COUNT, "tokens_out": 2.9, "cost_usd": MAX_COST})
    assert (usage.tokens_in, usage.tokens_out) == (MAX_COUNT, 2)
    assert usage.cost_nano == nano(MAX_COST) == 10**15


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
WORDS = sorted({*OURS, *OTEL, *OPENINFERENCE, *OLDER, "type", "tool", "validator", "passed"})


@given(st.dictionaries(st.sampled_from([*WORDS, "gen_ai.prompt.name"]), JSON, max_size=6))
def test_no_metadata_breaks_the_reading_of_a_span(metadata: dict[str, Any]) -> None:
    facts, usage = of_span(
        workspace="w", prompt_name=None, version_tag=None, created_at=0, status="ok",
        start_time=0, end_time=1, metadata=metadata,
    )  # fmt: skip
    assert (usage is not None) == (facts.kind == "llm")
    if usage is not None:
        numbers = usage.tokens_in, usage.tokens_out, usage.tokens_cached, usage.cost_nano
        assert all(type(number) is int and number >= 0 for number in numbers)


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_buckets_keep_the_order_of_latencies(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)


def test_a_percentile_of_no_calls_is_unknown_and_at_the_ends_it_is_an_end() -> None:
    assert percentile([], 0.5) is percentile([(10, 0)], 0.5) is None
    buckets = [(10, 1), (20, 98), (30, 1)]
    shares = (0.0, 0.01, 0.011, 0.99, 0.991, 1.0)
    assert [percentile(buckets, share) for share in shares] == [10, 10, 20, 20, 30, 30]
