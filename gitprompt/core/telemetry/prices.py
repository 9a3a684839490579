# SPDX-License-Identifier: Apache-2.0
"""What a model's tokens cost: a table by provider and model, in USD for a million tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

MILLION = 1_000_000
ANY = "*"
# A model's name with its release date is that model: gpt-4o-2024-08-06, claude-haiku-4-5-20251001.
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)\Z")


class Price(NamedTuple):
    """USD for a million tokens of each type; `cached` are input tokens read from a cache."""

    input: float
    output: float
    cached: float


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
        all agree."""
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
        self, provider: str | None, model: str | None, input: float, output: float, cached: float
    ) -> float | None:
        """USD for so many tokens (`input` without what was cached); None for an unknown model."""
        price = self.price(provider, model)
        if price is None:
            return None
        total = input * price.input + output * price.output + cached * price.cached
        return total / MILLION
