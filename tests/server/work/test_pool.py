# SPDX-License-Identifier: Apache-2.0
"""A few processes at once, one for each workspace. What pushes ask of them: `git/test_judges`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitprompt.errors import Unavailable
from gitprompt.server.work.pool import Pool

ASKED = b'{"documents": [], "severities": {}, "has_fragments": false}'


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(memory=2_000_000_000, at_once=2)
    yield pool
    pool.close()


def test_a_process_is_kept_for_the_next(pool: Pool) -> None:
    pool.warm()
    with pool.taken("a") as first:
        assert first.ask("check", ASKED, 10.0, what="this") == b"[]\n"
    with pool.taken("b") as second:
        assert second is first


def test_a_workspace_waits_for_itself_and_others_do_not(pool: Pool) -> None:
    with ThreadPoolExecutor(2) as threads, pool.taken("a"):
        is_done = threading.Event()

        def take(workspace: str) -> None:
            with pool.taken(workspace, is_done.is_set):
                pass

        assert threads.submit(take, "b").result(timeout=10) is None
        waiting = threads.submit(take, "a")
        assert not waiting.done()
        is_done.set()
        with pytest.raises(Unavailable, match="given up"):
            waiting.result(timeout=10)


def test_what_takes_too_long_or_too_much_is_killed_and_the_next_is_answered(pool: Pool) -> None:
    with pool.taken("a") as process, pytest.raises(Unavailable, match="it takes more than 0"):
        process.ask("check", b'{"documents": [%s null]}' % (b"0," * 2_000_000), 0.01, what="it")
    assert process.is_gone
    with pool.taken("a") as process, pytest.raises(Unavailable, match="it was given up, or takes"):
        process.ask("nothing", b"{}", 10.0, what="it")
    with pool.taken("a") as process:
        assert process.ask("check", ASKED, 10.0, what="it") == b"[]\n"


def test_a_pool_that_is_closed_answers_nobody(pool: Pool) -> None:
    with pool.taken("a") as process:
        pool.close()
        assert process.is_gone
        with pytest.raises(Unavailable, match="it was given up"):
            process.ask("check", ASKED, 10.0, what="it")
    with pytest.raises(Unavailable, match="stopping"), pool.taken("a"):
        pass
