# SPDX-License-Identifier: Apache-2.0
"""How many bytes requests hold: their bodies, as they come and until they are answered.

A body of telemetry is several times its size while it is decoded and stored, so that each byte counts
for some. Whoever finds no room is told to come again, and nothing is kept of what they sent.
"""

from __future__ import annotations

from starlette.types import Scope

from gitprompt.errors import Unavailable

_WEIGHT = 4  # bytes of memory for a byte of a body
_KEY = "gitprompt.held"  # in the scope: what a request holds
_RETRY = 2  # seconds


class Held:
    """`limit` is in bytes of memory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0

    def take(self, scope: Scope, count: int) -> None:
        """Hold so many more bytes of a request's body. Raises Unavailable."""
        weight = count * _WEIGHT
        if self.size + weight > self.limit and self.size:
            raise Unavailable("too much is being sent at once", retry_after=_RETRY)
        self.size += weight
        scope[_KEY] = scope.get(_KEY, 0) + weight

    def let_go(self, scope: Scope) -> None:
        """The request is answered."""
        self.size -= scope.pop(_KEY, 0)
