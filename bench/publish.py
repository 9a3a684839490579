# SPDX-License-Identifier: Apache-2.0
"""Publishing over REST: does the 10,000th cost what the 10th did? And reads beside ingest.

python bench/publish.py [--count 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time

import httpx
import measure
from sidecar import Running, sidecar

SAMPLE = 100  # publishes that are timed at each point


async def publish(client: httpx.AsyncClient, index: int) -> None:
    prompt, number = divmod(index, 10)
    name = f"team-{prompt // 100}/prompt-{prompt}"
    body = json.loads(measure.document(name, number))
    response = await client.post("/v1/prompts", json=body)
    assert response.status_code == 201, response.text


def publish_one(server: Running) -> None:
    """One prompt, for benches that read."""

    async def once() -> None:
        headers = {"X-API-Key": server.key}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            await publish(client, 0)

    asyncio.run(once())


async def several(client: httpx.AsyncClient, first: int, count: int, in_flight: int) -> float:
    """Publishes per second."""
    indexes = iter(range(first, first + count))

    async def worker() -> None:
        for index in indexes:
            await publish(client, index)

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return count / (time.perf_counter() - begin)


async def measured(server: Running, points: list[int]) -> list[tuple[int, float, float]]:
    found, at = [], 0
    headers = {"X-API-Key": server.key}
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, timeout=60, limits=limits
    ) as client:
        for point in points:
            if point > at:
                await several(client, at, point - at, 8)
                at = point
            one = await several(client, at, SAMPLE, 1)
            eight = await several(client, at + SAMPLE, SAMPLE, 8)
            at += 2 * SAMPLE
            found.append((point, one, eight))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    points = [10, options.count // 10, options.count]
    with tempfile.TemporaryDirectory() as data, sidecar(data) as server:
        found = asyncio.run(measured(server, points))
    base_one, base_eight = found[0][1:]
    measure.table(
        "POST /v1/prompts, ten versions of each prompt",
        ("publishes before", "1 in flight /s", "against the first", "8 in flight /s", "against the first"),
        [
            (f"{point:,}", f"{one:.0f}", f"{one / base_one:.2f}", f"{eight:.0f}",
             f"{eight / base_eight:.2f}")
            for point, one, eight in found
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
