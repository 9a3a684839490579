# SPDX-License-Identifier: Apache-2.0
"""How many values a label may have: the first so many keep their names, the rest are 'other'."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from gitprompt.metrics.clean import OTHER
from gitprompt.metrics.families import CAPS, FAMILIES
from gitprompt.metrics.series import Series

Key = str | tuple[str, str]
_MOST = 100_000


class Caps:
    """What is admitted, by label. `overflow` counts how often something is not. Not locked."""

    def __init__(self, given: Mapping[str, int], overflow: Series) -> None:
        self._caps = {**CAPS, **check_caps(given)}
        self._known: dict[str, set[Key]] = {name: set() for name in self._caps}
        self._pairs: dict[str, set[tuple[str, str]]] = {name: set() for name in self._caps}
        self._overflow = {name: overflow.cell(name) for name in self._caps}

    def knows(self, label: str, key: Key) -> bool:
        return key in self._known[label]

    def is_half_full(self, label: str) -> bool:
        return len(self._known[label]) >= self._caps[label] / 2

    def admit(self, label: str, key: Key, *, number: int = 1) -> bool:
        """Whether a value, or a value with that of its workspace or provider, has series of its own.
        `number`: for how many recordings this is asked."""
        values = self._known[label]
        if key in values:
            return True
        if len(values) < self._caps[label]:
            values.add(key)
            return True
        self._overflow[label].value += number
        return False

    def capped(self, label: str, value: str, *, number: int = 1) -> str:
        return value if value == OTHER or self.admit(label, value, number=number) else OTHER

    def typed(self, label: str, name: str, type: str, *, number: int = 1) -> tuple[str, str]:
        """A name and its type. There may be twice as many pairs as names; after that the types of
        further ones are 'other'."""
        name = self.capped(label, name, number=number)
        pairs = self._pairs[label]
        if name == OTHER:
            return OTHER, OTHER
        if (name, type) not in pairs:
            if len(pairs) >= 2 * self._caps[label]:
                self._overflow[label].value += number
                return name, OTHER
            pairs.add((name, type))
        return name, type


def check_buckets(given: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
    """Raises ValueError for what is no histogram, and for bounds that do not ascend."""
    histograms = {family.name for family in FAMILIES if family.kind == "histogram"}
    for name, bounds in given.items():
        if name not in histograms:
            raise ValueError(f"'{name}' is no histogram; there are {', '.join(sorted(histograms))}")
        if not bounds or not all(math.isfinite(bound) for bound in bounds):
            raise ValueError(f"{name}: the bounds of buckets must be finite numbers")
        if any(low >= high for low, high in itertools.pairwise(bounds)):
            raise ValueError(f"{name}: the bounds of buckets must ascend")
    return given


def check_caps(given: Mapping[str, int]) -> Mapping[str, int]:
    """Raises ValueError for a label that is not capped, and for a cap that is not sane."""
    for name, cap in given.items():
        if name not in CAPS:
            raise ValueError(f"'{name}' is no capped label; there are {', '.join(CAPS)}")
        if not 1 <= cap <= _MOST:
            raise ValueError(f"{name}: a cap must be between 1 and {_MOST}")
    return given
