# SPDX-License-Identifier: Apache-2.0
"""Rate limits: so many requests a minute for each key, counted in memory."""

from __future__ import annotations

from gitprompt.clock import Clock
from gitprompt.errors import RateLimited
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.wire import RawHeaders

_WINDOW = 60  # seconds


class Limiter:
    """Counts each request of a key once, in windows of a minute. `limit` 0 is no limit."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit = limit
        self._clock = clock
        self._window = 0
        self._counts: dict[tuple[int, str], int] = {}

    def admit(self, principal: Principal) -> RawHeaders:
        """The headers that say what is left; raises RateLimited with them where nothing is."""
        if not self.limit:
            return []
        now = self._clock()
        window = now // _WINDOW
        if window != self._window:
            self._window = window
            self._counts.clear()
        who = principal.key_id, principal.key_name  # a user of a proxy has no key
        count = self._counts[who] = self._counts.get(who, 0) + 1
        reset = (window + 1) * _WINDOW - now
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - count)),
            "RateLimit-Reset": str(reset),
        }
        if count > self.limit:
            raise RateLimited(
                "Too many requests", headers={**headers, "Retry-After": str(max(1, reset))}
            )
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
