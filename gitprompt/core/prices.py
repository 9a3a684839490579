# SPDX-License-Identifier: Apache-2.0
"""What a model's tokens cost: a table by provider and model, in USD for a million tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


class PriceTable(NamedTuple):
    """`as_of`: the day (YYYY-MM-DD) on which the prices were true. A model '*' is any of its
    provider's. Names are in lower case."""

    as_of: str
    prices: Mapping[tuple[str, str], Price]

    def price(self, provider: str | None, model: str | None) -> Price | None:
        """The price of a model by its name, with or without a release date."""
        provider, model = (provider or "").lower(), (model or "").lower()
        return (
            self.prices.get((provider, model))
            or self.prices.get((provider, _DATED.sub("", model)))
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
