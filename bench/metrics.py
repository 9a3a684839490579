# SPDX-License-Identifier: Apache-2.0
"""What metrics cost: a call of each instrument, a scrape of 1,500 series, and how late the server's
event loop runs while it is scraped under load.

python bench/metrics.py [--seconds 4] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import ingest
import measure
import uvicorn
from prometheus_client import CollectorRegistry, Counter, Histogram
from sidecar import Running
from starlette.types import Receive, Scope, Send

from gitprompt import keys
from gitprompt.config import ServerSettings
from gitprompt.metrics import Metrics, families, instruments
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.server.listening.serve import settle_memory

CONNECTIONS = 8
CALLS = 20_000
SERIES = 1_500
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def per_call(make: Callable[[], AbstractContextManager[object]]) -> float:
    """Microseconds for an empty block."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        with make():
            pass
    return (time.perf_counter() - begin) / CALLS * 1e6


def whole_call(metrics: Metrics) -> float:
    """Microseconds for a call of a model that says its tokens and its cost."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        with instruments.ProviderCall(metrics, "openai", "gpt-4o") as call:
            call.tokens(input=100, output=50, cached=20)
            call.cost(0.05)
    return (time.perf_counter() - begin) / CALLS * 1e6


class Official:
    """The same six numbers with the client library's own classes."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        names = ["provider", "model"]
        bounds = families.PROVIDER_DURATION.buckets
        self.duration = Histogram("duration", "d", names, registry=registry, buckets=bounds)
        self.requests = Counter("requests", "r", [*names, "status"], registry=registry)
        self.tokens = Counter("tokens", "t", [*names, "type"], registry=registry)
        self.cost = Counter("cost", "c", names, registry=registry)

    def calls(self) -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            start = time.perf_counter()
            self.duration.labels("openai", "gpt-4o").observe(time.perf_counter() - start)
            self.requests.labels("openai", "gpt-4o", "success").inc()
            for kind, number in (("input", 100), ("output", 50), ("cached", 20)):
                self.tokens.labels("openai", "gpt-4o", kind).inc(number)
            self.cost.labels("openai", "gpt-4o").inc(0.05)
        return (time.perf_counter() - begin) / CALLS * 1e6


def instruments_table(rounds: int) -> None:
    metrics = Metrics()
    kinds: dict[str, Callable[[], float]] = {
        "provider_call with tokens and cost": lambda: whole_call(metrics),
        "stage": lambda: per_call(lambda: instruments.Stage(metrics, "s", "t")),
        "tool_call": lambda: per_call(lambda: instruments.ToolCall(metrics, "t")),
        "validator": lambda: per_call(lambda: instruments.Validator(metrics, "v", "t")),
        "pipeline": lambda: per_call(lambda: instruments.Pipeline(metrics)),
    }
    *found, official = measure.median_of(rounds, *kinds.values(), Official().calls)
    rows = [
        (name, f"{value:.2f}", measure.verdict(value, 5))
        for name, value in zip(kinds, found, strict=True)
    ]
    rows.append(("six series of prometheus_client's own classes", f"{official:.2f}", ""))
    measure.table("An instrument, µs a call", ("instrument", "µs", "target"), rows)


class Lateness:
    """How much later than asked a timer of the event loop fires, in milliseconds."""

    def __init__(self) -> None:
        self.late: list[float] = []

    def beside(self, application: Sidecar) -> Any:
        """The application, with the timer in its loop."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            timer = asyncio.ensure_future(self._run()) if scope["type"] == "lifespan" else None
            try:
                await application(scope, receive, send)
            finally:
                if timer is not None:
                    timer.cancel()

        return app

    async def _run(self) -> None:
        while True:
            wanted = time.perf_counter() + 0.002
            await asyncio.sleep(0.002)
            self.late.append((time.perf_counter() - wanted) * 1000)

    def p99(self) -> float:
        """Since the last call."""
        late, self.late = self.late, []
        return statistics.quantiles(late, n=100)[98]


@contextmanager
def in_process(application: Sidecar) -> Iterator[tuple[str, Lateness]]:
    """The server in a thread of this process, with a timer in its loop."""
    lateness = Lateness()

    config = uvicorn.Config(
        lateness.beside(application),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        port=0,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", lateness
    server.should_exit = True
    thread.join()


def fill(application: Sidecar) -> int:
    """Series until there are as many as wanted; returns the number of samples."""
    metrics = application.context.metrics
    number = 0
    while _samples(metrics) < SERIES:
        metrics.record_provider_call(
            "openai", f"m{number}", failed=False, seconds=number / 10, input=1, cost=0.1,
            trace_id="0af7651916cd43dd8448eb211c80319c",
        )  # fmt: skip
        number += 1
    return _samples(metrics)


def _samples(metrics: Metrics) -> int:
    return sum(len(family.samples) for family in metrics.collect())


def scrape(url: str) -> float:
    """Milliseconds."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": OPENMETRICS})
    begin = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        response.read()
    return (time.perf_counter() - begin) * 1000


def scraped(url: str, seconds: float) -> list[float]:
    """Scrapes, ten a second: a hundred times as often as usual."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(scrape(url))
        time.sleep(0.1)
    return found


def server_table(rounds: int, seconds: float) -> None:
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as data,
        sidecar(ServerSettings(data=data, log_level="error")) as application,
        in_process(application) as (url, lateness),
        ProcessPoolExecutor(1, mp_context=spawn) as elsewhere,
    ):
        settle_memory()
        context = application.context
        _, key = keys.create(
            context.database, context.salt, name="bench", workspace="*", scopes="read,write,admin",
            expires_in_days=None, clock=context.clock,
        )  # fmt: skip
        server = Running(url, key, os.getpid(), data)
        ingest.make_trace(server)
        samples = fill(application)
        elsewhere.submit(scraped, url, 1).result()
        found: dict[str, list[float]] = {name: [] for name in ("idle", "load", "scraped", "both")}
        times: dict[str, list[float]] = {"scraped": [], "both": []}
        for _ in range(rounds):
            for name, late in found.items():
                scraping = elsewhere.submit(scraped, url, seconds) if name in times else None
                lateness.late = []
                if name in ("load", "both"):
                    path = f"/v1/traces/{ingest.TRACE}/spans"
                    ingest.post(url, path, ingest.SPAN, server.key, CONNECTIONS, seconds)
                else:
                    time.sleep(seconds)
                late.append(lateness.p99())
                if scraping is not None:
                    times[name] += scraping.result()
    median = {name: statistics.median(late) for name, late in found.items()}
    rows = [
        ("nothing", f"{median['idle']:.2f}", ""),
        (f"{CONNECTIONS} connections post spans", f"{median['load']:.2f}", ""),
        ("scrapes", measure.verdict(median["scraped"], 5), _scrapes(times["scraped"])),
        ("both", measure.verdict(median["both"], 5), _scrapes(times["both"])),
    ]
    title = f"A scrape of {samples:,} series (OpenMetrics), ten a second"
    measure.table(title, ("meanwhile", "event loop late, p99 ms", "scrape, median ms"), rows)


def _scrapes(times: list[float]) -> str:
    return measure.verdict(statistics.median(times), 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    instruments_table(options.rounds)
    server_table(options.rounds, options.seconds)


if __name__ == "__main__":
    main()
