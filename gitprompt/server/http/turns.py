# SPDX-License-Identifier: Apache-2.0
"""How many bodies are decoded and stored at once: many, but few while prompts are being read.

A round of the event loop answers whatever is ready. With all of 64 posts in it, a read between them
would wait for all; with few at once, each transaction holds less, and ingest is slower.
"""

from __future__ import annotations

import asyncio
from collections import deque

ALONE = 64
BESIDE_READS = 4
_MEMORY = 200  # bodies; whoever reads this often is reading still


class Turns:
    """`async with` waits for a turn, in the order of asking. asyncio.Semaphore would not do: it asks
    for the running loop each time, which is a system call."""

    def __init__(self) -> None:
        self.since_read = _MEMORY  # bodies; whoever reads prompts puts it to 0
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> None:
        self.since_read += 1
        if self._inside < self._at_once and not self._waiting:
            self._inside += 1
            return
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given, and nobody takes it
                await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        while self._waiting and self._inside < self._at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._inside += 1

    @property
    def _at_once(self) -> int:
        return ALONE if self.since_read > _MEMORY else BESIDE_READS
