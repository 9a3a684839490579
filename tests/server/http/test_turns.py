# SPDX-License-Identifier: Apache-2.0
"""Whose body is next: many at once, few beside reads, and no turn is lost."""

from __future__ import annotations

import asyncio

from gitprompt.server.http.turns import ALONE, BESIDE_READS, Turns


class Crowd:
    """Callers that hold their turn until they are let go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.entered: list[int] = []
        self.go = asyncio.Event()

    def come(self, numbers: range) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._one(number)) for number in numbers]

    async def _one(self, number: int) -> None:
        async with self.turns:
            self.entered.append(number)
            await self.go.wait()


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _beside_reads(number: int) -> tuple[Crowd, list[asyncio.Task[None]]]:
    """So many callers, just after a read."""
    turns = Turns()
    turns.since_read = 0
    crowd = Crowd(turns)
    return crowd, crowd.come(range(number))


def test_many_at_once_where_nobody_reads_and_the_others_in_order() -> None:
    async def story() -> None:
        crowd = Crowd(Turns())
        tasks = crowd.come(range(ALONE + 10))
        await _settled()
        assert crowd.entered == list(range(ALONE))
        crowd.go.set()
        await asyncio.gather(*tasks)
        assert crowd.entered == list(range(ALONE + 10))

    asyncio.run(story())


def test_few_at_once_beside_reads() -> None:
    async def story() -> None:
        crowd, tasks = _beside_reads(30)
        await _settled()
        assert crowd.entered == list(range(BESIDE_READS))
        crowd.go.set()
        await asyncio.gather(*tasks)
        assert len(crowd.entered) == 30

    asyncio.run(story())


def test_whoever_gives_up_takes_no_turn_with_him() -> None:
    async def story() -> None:
        crowd, tasks = _beside_reads(30)
        await _settled()
        for task in (*tasks[:2], *tasks[10:20]):  # some inside, some that wait
            task.cancel()
        await _settled()
        tasks[9].cancel()
        crowd.go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        crowd.turns.since_read = 0
        later = Crowd(crowd.turns)
        more = later.come(range(BESIDE_READS))
        await _settled()
        assert len(later.entered) == BESIDE_READS
        later.go.set()
        await asyncio.gather(*more)

    asyncio.run(story())


def test_a_turn_that_was_given_to_one_who_gave_up_is_passed_on() -> None:
    async def story() -> None:
        crowd, tasks = _beside_reads(BESIDE_READS + 2)
        await _settled()
        crowd.go.set()
        await asyncio.sleep(0)  # the first have left and given their turns
        tasks[BESIDE_READS].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert crowd.entered[-1] == BESIDE_READS + 1
        async with crowd.turns:
            pass

    asyncio.run(story())
