# SPDX-License-Identifier: Apache-2.0
"""What a call costs: what was sent, else what the table says, once."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.core.telemetry.prices import Price, PriceTable, cost_nano

TABLE = PriceTable(
    "2026-01-01",
    {
        ("openai", "gpt-4o"): Price(2.5, 10, 1.25),
        ("anthropic", "claude"): Price(3, 15, 0.3, 3.75),
        ("azure", "mine"): Price(1, 1, 1),
        ("free", "*"): Price(0, 0, 0),
    },
)


def cost(provider: str | None, model: str | None, usd: float | None = None, **more: Any) -> Any:
    call = {"failed": False, "tokens_in": 1_000, "tokens_out": 100, "tokens_cached": 0, **more}
    return cost_nano(TABLE, usd, provider, model, **call)


def test_what_was_sent_is_what_it_cost() -> None:
    assert cost("openai", "gpt-4o", 0.5) == 500_000_000
    assert cost("nobody", "knows", 0.0) == 0


def test_what_nobody_knows_is_none_and_what_is_free_is_nothing() -> None:
    assert cost("nobody", "knows") is None
    assert cost("free", "whatever") == 0
    assert cost_nano(None, None, "openai", "gpt-4o", failed=False, tokens_in=1, tokens_out=0,
                     tokens_cached=0) is None  # fmt: skip


@pytest.mark.parametrize("provider", ["openai", "openai.chat", "azure.ai.openai", "OpenAI", None])
def test_names_of_one_house_have_one_price(provider: str | None) -> None:
    assert cost(provider, "gpt-4o") == 3_500_000


def test_a_name_that_the_table_has_comes_before_its_house() -> None:
    assert cost("azure", "mine") == 1_100_000


def test_what_a_cache_answered_or_took_has_its_own_price() -> None:
    assert cost("openai", "gpt-4o", tokens_cached=1_000, tokens_out=0) == 1_250_000
    written = cost("anthropic", "claude", tokens_in=1_000, tokens_written=400, tokens_out=0)
    assert written == 600 * 3_000 + 400 * 3_750
    assert cost("openai", "gpt-4o", tokens_in=10, tokens_written=10, tokens_out=0) == 25_000


def test_a_failed_call_that_used_nothing_costs_nothing() -> None:
    assert cost("nobody", "knows", failed=True, tokens_in=0, tokens_out=0) == 0
    assert cost("nobody", "knows", failed=True) is None
