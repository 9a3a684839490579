# SPDX-License-Identifier: Apache-2.0
"""Exchanges with git are few at once, and end if nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest

from gitprompt.errors import Unavailable
from gitprompt.server.git import bounds
from gitprompt.server.git.bounds import Patience, Places

T = TypeVar("T")


def told(story: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        return await asyncio.wait_for(story(), 20)

    return asyncio.run(whole())


def test_a_key_and_all_of_them_have_so_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_WAIT", 0.05)

    async def story() -> None:
        places = Places(of_a_key=2, in_all=3)
        async with AsyncExitStack() as stack:
            for key in (1, 1, 2):
                await stack.enter_async_context(places.taken(key))
            for key in (1, 2, 3):
                with pytest.raises(Unavailable, match="too many fetches and pushes") as caught:
                    await stack.enter_async_context(places.taken(key))
                assert caught.value.headers["Retry-After"] == "5"
        async with places.taken(1), places.taken(1):
            pass

    told(story)


def test_whoever_waits_gets_the_place_that_is_left() -> None:
    async def story() -> list[str]:
        places = Places(of_a_key=1, in_all=5)
        seen: list[str] = []

        async def exchange(name: str) -> None:
            async with places.taken(1):
                seen.append(f"{name} begins")
                await asyncio.sleep(0.01)
                seen.append(f"{name} ends")

        await asyncio.gather(exchange("a"), exchange("b"), exchange("c"))
        return seen

    assert told(story) == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


def test_an_exchange_in_which_nothing_moves_is_ended_and_one_that_moves_is_not() -> None:
    async def story(*, moves: bool) -> None:
        async with Patience(30.0, idle=0.2) as patience:
            for _ in range(6):
                await asyncio.sleep(0.1)
                if moves:
                    patience.moved()

    told(lambda: story(moves=True))
    with pytest.raises(Unavailable, match="nothing moved"):
        told(lambda: story(moves=False))


def test_an_exchange_has_an_end_however_much_moves() -> None:
    async def story() -> None:
        async with Patience(0.2) as patience:
            while True:
                await asyncio.sleep(0.01)
                patience.moved()

    with pytest.raises(Unavailable, match="took too long"):
        told(story)
