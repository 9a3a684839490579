# SPDX-License-Identifier: Apache-2.0
"""The time, in Unix seconds. Passed to what needs it, so that tests can set it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def now() -> int:
    return int(time.time())


def now_ms() -> int:
    """Unix milliseconds, for what is measured rather than dated."""
    return time.time_ns() // 1_000_000
