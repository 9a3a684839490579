# SPDX-License-Identifier: Apache-2.0
"""Attributes with JSON in their text, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.telemetry.packed import decoded, langfuse_cost, langfuse_usage, usage_of


@pytest.mark.parametrize(
    ("text", "value"),
    [('"LLM"', "LLM"), ("LLM", "LLM"), ('{"a": 1}', {"a": 1}), (3, 3), ("[", "[")],
)
def test_what_is_no_json_is_itself(text: Any, value: Any) -> None:
    assert decoded(text) == value


def test_what_is_too_long_is_not_read() -> None:
    text = '"' + "x" * 200_000 + '"'
    assert decoded(text) is text


def test_a_total_wins_over_its_parts_in_every_spelling() -> None:
    for name in ("total", "total_cost", "totalCost"):
        assert langfuse_cost(json.dumps({"input": 1, "output": 2, name: 9})) == {"cost": 9}


def test_tokens_of_anthropic_and_langchain_have_what_was_cached_apart() -> None:
    anthropic = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3}
    assert usage_of(json.dumps(anthropic)) == {
        "tokens_in": 5, "tokens_out": 7, "tokens_cached": 3, "tokens_written": None,
    }  # fmt: skip
    langchain = {"input_tokens": 5, "input_token_details": {"cache_read": 3, "cache_creation": 1}}
    assert usage_of(langchain)["tokens_written"] == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["input", "output", "total", "prompt_tokens_details"]), inner
        )
    ),
    max_leaves=5,
)


@given(JSON | JSON.map(json.dumps))
def test_nothing_breaks_them(value: Any) -> None:
    for read in (langfuse_usage, usage_of, langfuse_cost):
        assert isinstance(read(value), dict)
