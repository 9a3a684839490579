# SPDX-License-Identifier: Apache-2.0
"""What a model's tokens cost: a table by provider and model, in USD for a million tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gitprompt.core.telemetry.houses import house_of
from gitprompt.core.telemetry.numbers import nano

MILLION = 1_000_000
ANY = "*"
# A model's name with its release date is that model: gpt-4o-2024-08-06, claude-haiku-4-5-20251001.
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)\Z")


class Price(NamedTuple):
    """USD for a million tokens of each type; `cached` are input tokens read from a cache, `written` those
    written to one, for the price of any other input if nothing says so."""

    input: float
    output: float
    cached: float
    written: float | None = None

    @property
    def writing(self) -> float:
        return self.input if self.written is None else self.written


@dataclass(frozen=True)
class PriceTable:
    """`as_of`: the day (YYYY-MM-DD) on which the prices were true. `prices` by provider and model, in
    lower case; a model '*' is any other of its provider's."""

    as_of: str
    prices: Mapping[tuple[str, str], Price]

    @cached_property
    def _by_model(self) -> Mapping[str, Price]:
        """The models that cost the same wherever they are listed."""
        by_model: dict[str, set[Price]] = {}
        for (_, model), price in self.prices.items():
            by_model.setdefault(model, set()).add(price)
        return {
            model: prices.pop()
            for model, prices in by_model.items()
            if len(prices) == 1 and model != ANY
        }

    def price(self, provider: str | None, model: str | None) -> Price | None:
        """The price of a model by its name, with or without a release date; without a provider, if
        all agree. The names of the table come first, then those of the model's house."""
        return self._price(provider, model) or self._price(*house_of(provider, model))

    def _price(self, provider: str | None, model: str | None) -> Price | None:
        provider, model = (provider or "").lower(), (model or "").lower()
        undated = _DATED.sub("", model)
        if not provider:
            return self._by_model.get(model) or self._by_model.get(undated)
        return (
            self.prices.get((provider, model))
            or self.prices.get((provider, undated))
            or self.prices.get((provider, ANY))
        )

    def cost(
        self,
        provider: str | None,
        model: str | None,
        input: float,
        output: float,
        cached: float,
        written: float = 0,
    ) -> float | None:
        """USD for so many tokens (`input` without what was read from or written to a cache); None for an
        unknown model."""
        price = self.price(provider, model)
        if price is None:
            return None
        total = input * price.input + output * price.output + cached * price.cached
        return (total + written * price.writing) / MILLION


def cost_nano(
    table: PriceTable | None,
    usd: float | None,
    provider: str | None,
    model: str | None,
    *,
    failed: bool,
    tokens_in: int,
    tokens_out: int,
    tokens_cached: int,
    tokens_written: int = 0,
) -> int | None:
    """What a call cost in 10^-9 USD: what was sent, else what the table says; None if it says nothing. It is
    asked once, when the call comes: every figure of it is this one. `tokens_in` has what was cached."""
    if usd is not None:
        return nano(usd)
    if failed and not (tokens_in or tokens_out):
        return 0
    if table is None:
        return None
    plain = max(tokens_in - tokens_cached - tokens_written, 0)
    cost = table.cost(provider, model, plain, tokens_out, tokens_cached, tokens_written)
    return None if cost is None else nano(cost)
