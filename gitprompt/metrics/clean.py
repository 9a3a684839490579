# SPDX-License-Identifier: Apache-2.0
"""What strangers send, made fit for an exposition: the one place that cleans labels and numbers.

A lone surrogate would make every scrape fail, a NaN would poison a sum for ever, a negative
increment would raise, None would be the label "None".
"""

from __future__ import annotations

import math
import re
from typing import Any

OTHER = "other"
UNKNOWN = "unknown"
MAX_OBSERVED = (
    1e9  # seconds, 31 years; what is more is a mistake, and many of them would overflow the sum
)
_MAX_LABEL = 128  # characters
_TRACE_ID = re.compile(r"[0-9A-Za-z_-]{1,120}\Z")  # an exemplar may have 128 characters in all
_FAILED = frozenset(("error", "failed"))


def label(value: Any) -> str:
    """A label's value: text that can be encoded, neither empty nor long."""
    if value is None:
        return UNKNOWN
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "")[:_MAX_LABEL] or UNKNOWN


def observed(value: Any) -> float | None:
    """A duration or a score: what is below 0, as after a jump of the clock, is 0; what is no sane
    number is None."""
    if type(value) is float or type(value) is int:
        if 0 <= value <= MAX_OBSERVED:
            return value
        if -math.inf < value < 0:
            return 0.0
    return None


def amount(value: Any, most: float) -> float:
    """What is added to a counter: 0 for what is no number, negative, or above `most`."""
    if (type(value) is float or type(value) is int) and 0 <= value <= most:  # NaN is not
        return value
    return 0.0


def trace_id(value: Any) -> str | None:
    """A trace's id that an exemplar can hold, else None."""
    return value if isinstance(value, str) and _TRACE_ID.match(value) else None


def failed(status: Any) -> bool:
    """Whether a status says error, in the words of a run, a span or a log."""
    return status in _FAILED if isinstance(status, str) else False
