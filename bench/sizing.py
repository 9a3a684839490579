# SPDX-License-Identifier: Apache-2.0
"""What a node takes: memory, disk and time by how many versions it serves and how much telemetry it keeps.

python bench/sizing.py [--versions 10000] [--spans 100000]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

import httpx
import measure
from memory import resident
from sidecar import Running, sidecar

_BATCH = 512


def database(data: str, name: str) -> float:
    """Megabytes of a SQLite file and of what is not yet in it."""
    path = os.path.join(data, name)
    return (
        sum(os.path.getsize(file) for file in (path, f"{path}-wal") if os.path.exists(file)) / 1e6
    )


def started(data: str) -> tuple[float, float]:
    """Seconds until it serves, and megabytes that it holds then."""
    command = [sys.executable, "-m", "gitprompt", "serve", "--data", data, "--port", "0"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        server.stdout.readline()  # it says so as soon as it serves
        seconds, memory = time.perf_counter() - begin, resident(server.pid, "VmRSS")
        server.terminate()
    return seconds, memory


def versions(count: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        os.makedirs(os.path.join(data, "repos"))
        if count:
            measure.repository(os.path.join(data, "repos", "default.git"), count, shape="commit")
        cold, memory = started(data)
        warm, _ = started(data)
        index = database(data, "index.db")
    return f"{count:,}", f"{memory:.0f}", f"{index:.1f}", f"{cold:.1f}", f"{warm:.1f}"


def send_spans(server: Running, count: int) -> None:
    headers = {
        "X-API-Key": server.key,
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        for start in range(0, count, _BATCH):
            spans = [
                measure.exported_call(f"{at // 5 + 1:032x}", at)
                for at in range(start, min(start + _BATCH, count))
            ]
            body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
            client.post("/otlp/v1/traces", content=gzip.compress(body.encode())).raise_for_status()


def telemetry(count: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        data, archive = os.path.join(folder, "data"), os.path.join(folder, "b.tar")
        with sidecar(data) as server:
            before = database(data, "telemetry.db")
            send_spans(server, count)
            memory = resident(server.pid)
            grown = database(data, "telemetry.db") - before
            begin = time.perf_counter()
            command = [sys.executable, "-m", "gitprompt", "backup", archive, "--without-salt"]
            subprocess.run([*command, "--data", data], check=True, capture_output=True)
            seconds = time.perf_counter() - begin
    return (
        f"{count:,}",
        f"{memory:.0f}",
        f"{grown:.0f}",
        f"{grown * 1e6 / count:.0f}",
        f"{seconds:.1f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--spans", type=int, default=100_000)
    options = parser.parse_args()
    measure.table(
        "What is served",
        ("versions", "memory, MB", "index.db, MB", "first start, s", "next start, s"),
        [versions(count) for count in (0, options.versions // 10, options.versions)],
    )
    measure.table(
        "What is kept",
        ("spans", "memory at most, MB", "telemetry.db, MB", "bytes of each", "backup, s"),
        [telemetry(options.spans // 10), telemetry(options.spans)],
    )


if __name__ == "__main__":
    main()
