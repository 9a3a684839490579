# SPDX-License-Identifier: Apache-2.0
"""How many exchanges with git there are at once, of one key and of all, and how long one may take."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitprompt.errors import Unavailable

_OF_A_KEY = 16
_IN_ALL = 64
_WAIT = 10.0  # seconds for a place
_RETRY = 5  # seconds
_IDLE = 60.0  # seconds in which not a byte comes or goes


class Places:
    """Each exchange is a git process. Whoever finds no place waits for one, and then is told to come
    again."""

    def __init__(self, *, of_a_key: int = _OF_A_KEY, in_all: int = _IN_ALL) -> None:
        self._of_a_key = of_a_key
        self._in_all = in_all
        self._taken: Counter[int] = Counter()
        self._left = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, key: int) -> AsyncIterator[None]:
        """A place for an exchange of a key. Raises Unavailable."""
        if not self._is_free(key):
            await self._wait(key)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
            async with self._left:
                self._left.notify_all()

    def _is_free(self, key: int) -> bool:
        return self._taken[key] < self._of_a_key and self._taken.total() < self._in_all

    async def _wait(self, key: int) -> None:
        try:
            async with asyncio.timeout(_WAIT), self._left:
                await self._left.wait_for(lambda: self._is_free(key))
        except TimeoutError:
            raise Unavailable("too many fetches and pushes at once", retry_after=_RETRY) from None


class Patience:
    """Ends an exchange in which nothing moves any more, or that takes too long in all."""

    def __init__(self, seconds: float, *, idle: float = _IDLE) -> None:
        self._idle = idle
        self._limit = asyncio.timeout(None)
        self._end = asyncio.get_running_loop().time() + seconds

    async def __aenter__(self) -> Patience:
        await self._limit.__aenter__()
        self.moved()
        return self

    async def __aexit__(self, *raised: object) -> None:
        try:
            await self._limit.__aexit__(*raised)  # type: ignore[arg-type]
        except TimeoutError:
            raise Unavailable(
                "the exchange was given up: nothing moved, or it took too long"
            ) from None

    def moved(self) -> None:
        """A byte came or went."""
        now = asyncio.get_running_loop().time()
        self._limit.reschedule(min(now + self._idle, self._end))
