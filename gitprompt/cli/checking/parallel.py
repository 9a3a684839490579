# SPDX-License-Identifier: Apache-2.0
"""Spreads many small jobs over the cores by forking: what is imported is there already."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from gitprompt.cli.outcome import use_color

Item = TypeVar("Item")
Result = TypeVar("Result")
_BAR_FROM = 2_000


def spread(items: Sequence[Item], work: Callable[[Item], list[Result]]) -> list[Result]:
    """The results of all items, in order. Raises ChildProcessError if a worker died."""
    count = max(1, min(os.cpu_count() or 1, len(items) // 100, 8))
    size = -(-len(items) // count)
    shares = [items[start : start + size] for start in range(0, len(items), size)]
    children = [_fork(share, work) for share in shares[1:]]
    results = _with_bar(shares[0], work, shares=len(shares))
    for pid, pipe in children:
        with open(pipe, "rb") as file:
            data = file.read()
        _, status = os.waitpid(pid, 0)
        if status:
            raise ChildProcessError(f"a worker ended with status {status}")
        results += pickle.loads(data)  # noqa: S301 - our own child wrote it
    return results


def _fork(share: Sequence[Item], work: Callable[[Item], list[Result]]) -> tuple[int, int]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        results = [result for item in share for result in work(item)]
        with open(writing, "wb") as file:
            file.write(pickle.dumps(results))
        status = 0
    finally:
        os._exit(status)


def _with_bar(
    share: Sequence[Item], work: Callable[[Item], list[Result]], *, shares: int
) -> list[Result]:
    """This process's share, with a bar on a terminal if it takes a while."""
    if len(share) * shares < _BAR_FROM or not use_color(sys.stderr):
        return [result for item in share for result in work(item)]
    from gitprompt.cli.output import progress

    results: list[Result] = []
    with progress("validating", len(share) * shares) as advance:
        for item in share:
            results += work(item)
            advance(shares)
    return results
