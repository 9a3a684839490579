# SPDX-License-Identifier: Apache-2.0
"""What ingest does to reads: the latency of reads by label, with and without 64 connections that
store spans as fast as they can.

python bench/mixed.py [--seconds 4] [--rounds 5]
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing

import ingest
import measure
from load import Load, load
from publish import publish_one
from sidecar import Running, sidecar


def read(server: Running, connections: int, seconds: float) -> Load:
    path = "/v1/prompts/team-0/prompt-0?variables%5Bquestion%5D=why"
    headers = {"X-API-Key": server.key}
    return load(server.url + path, headers, connections=connections, seconds=seconds)


def stored(server: Running) -> int:
    """How many spans are in the database."""
    with closing(sqlite3.connect(f"{server.data}/telemetry.db")) as db:
        found: tuple[int] = db.execute("SELECT coalesce(max(id), 0) FROM span").fetchone()
    return found[0]


def beside_ingest(server: Running, connections: int, seconds: float) -> tuple[Load, float]:
    """Reads, and the spans a second that were stored meanwhile."""
    path = f"/v1/traces/{ingest.TRACE}/spans"

    def store() -> None:
        ingest.post(server.url, path, ingest.SPAN, server.key, 64, seconds + 2)

    thread = threading.Thread(target=store)
    thread.start()
    time.sleep(1)  # past the moment in which 64 clients connect at once
    before = stored(server)
    found = read(server, connections, seconds)
    rate = (stored(server) - before) / seconds
    thread.join()
    return found, rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as data, sidecar(data) as server:
        ingest.make_trace(server)
        publish_one(server)
        for connections in (8, 64):
            alone, beside, rates = [], [], []
            for _ in range(options.rounds):
                alone.append(read(server, connections, options.seconds))
                found, rate = beside_ingest(server, connections, options.seconds)
                beside.append(found)
                rates.append(rate)
            a, b = (statistics.median(one.p99 for one in loads) for loads in (alone, beside))
            p, q = (statistics.median(one.p50 for one in loads) for loads in (alone, beside))
            rows.append(
                (str(connections), f"{p:.2f}", f"{q:.2f}", f"{a:.2f}", f"{b:.2f}",
                 measure.verdict(b / a, 2), f"{statistics.median(rates):,.0f}")
            )  # fmt: skip
    measure.table(
        "Reads by name, rendered, beside 64 connections that store spans",
        ("read connections", "p50 ms", "p50 beside", "p99 ms", "p99 beside", "ratio", "spans/s"),
        rows,
    )


if __name__ == "__main__":
    main()
