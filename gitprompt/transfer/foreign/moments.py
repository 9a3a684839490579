# SPDX-License-Identifier: Apache-2.0
"""When something happened, in whatever way a system writes it: ISO 8601, or seconds, milliseconds, microseconds or
nanoseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from gitprompt.core.telemetry.numbers import number_of

_SHORT = re.compile(
    r"(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2})([.,]\d+)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?\Z", re.I
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999  # milliseconds: the end of the year 9999


def milliseconds(value: Any) -> int | None:
    """Unix milliseconds, None for what is no time. A time without a zone is UTC, as all who write such mean it."""
    number = number_of(value)
    if number is not None:
        return _of_number(number)
    if not isinstance(value, str):
        return None
    match = _SHORT.match(value.strip())
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    if zone is None or zone.upper() in ("Z", "UTC"):
        zone = "+00:00"
    try:
        moment = datetime.fromisoformat(f"{seconds.replace(' ', 'T')}{zone}")
    except ValueError:
        return None
    part = int(((fraction or ".0")[1:] + "000")[:3])
    found = (moment - _EPOCH) // timedelta(seconds=1) * 1000 + part
    return found if 0 <= found <= _LAST else None


def _of_number(number: float) -> int | None:
    """By its size: whoever counts seconds is not in the year 5000."""
    for above, factor in ((10**17, 10**-6), (10**14, 10**-3), (10**11, 1), (0, 1000)):
        if number >= above:
            found = int(number * factor) if factor != 10**-6 else int(number) // 10**6
            return found if found <= _LAST else None
    return None
