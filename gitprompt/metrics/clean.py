# SPDX-License-Identifier: Apache-2.0
"""What strangers send, made fit for an exposition: the one place that cleans labels and numbers.

A lone surrogate would make every scrape fail, a NaN would poison a sum for ever, a negative
increment would raise, None would be the label "None".
"""

from __future__ import annotations

import math
import re
from typing import Any, SupportsFloat

OTHER = "other"
UNKNOWN = "unknown"
MAX_OBSERVED = (
    1e9  # seconds, 31 years; what is more is a mistake, and many of them would overflow the sum
)
_MAX_LABEL = 128  # characters
_TRACE_ID = re.compile(r"[0-9A-Za-z_-]{1,120}\Z")  # an exemplar may have 128 characters in all
_GOOD = frozenset(("success", "passed", "ok", "completed"))


def label(value: Any) -> str:
    """A label's value: text that can be encoded, neither empty nor long."""
    if value is None:
        return UNKNOWN
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # whatever it is
        return UNKNOWN
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "")[:_MAX_LABEL] or UNKNOWN


def observed(value: Any) -> float | None:
    """A duration or a score: what is below 0, as after a jump of the clock, is 0; what is no sane
    number is None."""
    if type(value) is float and 0.0 <= value <= MAX_OBSERVED:
        return value  # nearly always
    number = value if type(value) is float or type(value) is int else _number(value)
    if number is None or not -math.inf < number <= MAX_OBSERVED:
        return None
    return max(number, 0.0)


def amount(value: Any, most: float) -> float:
    """What is added to a counter: 0 for what is no number, negative, or above `most`."""
    number = value if type(value) is float or type(value) is int else _number(value)
    return number if number is not None and 0 <= number <= most else 0.0  # NaN is not


def _number(value: Any) -> float | None:
    """A number of another type, such as a Decimal's or numpy's."""
    if isinstance(value, SupportsFloat) and not isinstance(value, bool | str):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            return None
    return None


def trace_id(value: Any) -> str | None:
    """A trace's id that an exemplar can hold, else None."""
    return value if isinstance(value, str) and _TRACE_ID.match(value) else None


def failed(status: Any) -> bool:
    """Whether a status is none of those that say that something went well."""
    return not isinstance(status, str) or status not in _GOOD
