# SPDX-License-Identifier: Apache-2.0
"""Numbers as telemetry has them: integers, doubles, or decimals as text."""

from __future__ import annotations

import math
import re
from typing import Any

NANO = 1_000_000_000
MAX_COST = 1_000_000  # USD a call; what is more is a mistake
MAX_COUNT = 1 << 40
MAX_SCORE = 1_000_000  # of either sign: sums are kept in millionths
_LONG = 40  # characters of a decimal
_DECIMAL = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?\s*\Z")


def number_of(value: Any) -> float | int | None:
    """A finite number, also one that is written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = float(value) if len(value) <= _LONG and _DECIMAL.match(value) else None
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return None


def count_of(value: Any) -> int:
    """A number of tokens; what is no sane number counts as 0."""
    if value is None:
        return 0
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else 0
    number = number_of(value)
    return int(number) if number is not None and 0 <= number <= MAX_COUNT else 0


def cost_of(value: Any) -> float | None:
    """USD of a call; None for what is no sane number."""
    if value is None:
        return None
    number = number_of(value)
    return float(number) if number is not None and 0 <= number <= MAX_COST else None


def nano(usd: float | None) -> int:
    """USD in 10^-9 of them: sums of integers do not depend on their order."""
    return round(usd * NANO) if usd else 0
