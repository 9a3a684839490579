# SPDX-License-Identifier: Apache-2.0
"""Reads against a bare Starlette route that answers with the same bytes; and memory.

python bench/read.py [--seconds 2] [--rounds 3] [--versions 100000]
"""

from __future__ import annotations

import argparse
import base64
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import measure
import psutil
from load import Load, load
from sidecar import Running, sidecar

PROMPT = "team-0/prompt-0"
QUERIES = {
    "by label, rendered": f"/v1/prompts/{PROMPT}?label=production&variables%5Bquestion%5D=Where%3F",
    "by version, rendered": f"/v1/prompts/{PROMPT}?version=1.3.0&variables%5Bquestion%5D=Where%3F",
    "by label, 1,000 different questions": "",
    "list": "/v1/prompts?limit=50",
}


def bare(port: int, path: str) -> None:
    """The baseline, in a process of its own: one route whose function returns the bytes."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    with open(path, "rb") as file:
        body = file.read()
    headers = {"content-type": "application/json", "etag": '"0123456789abcdef"'}

    async def endpoint(request: Request) -> Response:
        return Response(body, headers=headers)

    app = Starlette(routes=[Route("/v1/prompts/{name:path}", endpoint)])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_config=None)


@contextmanager
def baseline(body: bytes) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        process = subprocess.Popen([sys.executable, __file__, "bare", str(port), file.name])
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/v1/prompts/x").close()
                break
            except OSError:
                time.sleep(0.05)
        try:
            yield url
        finally:
            process.terminate()
            process.wait()


def fetch(running: Running, path: str) -> bytes:
    request = urllib.request.Request(running.url + path, headers={"X-API-Key": running.key})
    with urllib.request.urlopen(request) as response:
        body: bytes = response.read()
    return body


def compare(running: Running, path: str, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Rows of rate and p99 for 1, 8 and 64 connections, both servers in turn."""
    headers = {"X-API-Key": running.key}
    with baseline(fetch(running, path)) as other:
        for connections in (1, 8, 64):
            ours: list[Load] = []
            theirs: list[Load] = []
            for _ in range(options.rounds):
                arguments = {"connections": connections, "seconds": options.seconds}
                ours.append(load(running.url + path, headers, **arguments))
                theirs.append(load(f"{other}/v1/prompts/x?a=b", headers, **arguments))
            a, b = (statistics.median(r.rate for r in loads) for loads in (ours, theirs))
            p, q = (statistics.median(r.p99 for r in loads) for loads in (ours, theirs))
            yield (
                str(connections), f"{a:,.0f}", f"{b:,.0f}",
                measure.verdict(a / b, 0.7, at_most=False), f"{p:.2f}", f"{q:.2f}",
                measure.verdict(p / q, 3),
            )  # fmt: skip


def varied(running: Running) -> float:
    """Requests per second, one connection, when no two of 1,000 requests are the same."""
    import http.client

    host = running.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    begin = time.perf_counter()
    for number in range(1_000):
        path = f"/v1/prompts/{PROMPT}?label=production&variables%5Bquestion%5D=q{number}"
        connection.request("GET", path, headers={"X-API-Key": running.key})
        assert connection.getresponse().read()
    connection.close()
    return 1_000 / (time.perf_counter() - begin)


def lists(options: argparse.Namespace) -> None:
    """Telemetry lists, one connection: the first page against page 10,000, by cursor and by number;
    a trace with 100 spans."""
    from gitprompt.store.engines.sqlite import Sqlite
    from gitprompt.store.tables.rows import add_to_tally, insert_numbered
    from gitprompt.store.tables.traces import SPAN_COLUMNS

    trace = "550e8400-e29b-41d4-a716-446655440000"
    deep, rows = 10_000 * 50, 600_000
    with tempfile.TemporaryDirectory() as data:
        with sidecar(data):
            pass
        db = Sqlite(os.path.join(data, "telemetry.db")).writer()
        with db.transaction():
            logs = "workspace, prompt_name, version_tag, created_at"
            for at in range(0, rows, 10_000):
                stored = [
                    ("default", "welcome", "1.0.0", 1_700_000_000 + number)
                    for number in range(at, at + 10_000)
                ]
                insert_numbered(db, "log", logs, stored)
            add_to_tally(db, "log", ["default"], rows)
            insert_numbered(db, "trace", "workspace, trace_id, created_at", [("default", trace, 1)])
            spans = [
                ("default", 1, str(n), None, "llm-call", "ok", n, n + 1, '{"model": "gpt-4o"}', 1)
                for n in range(100)
            ]
            insert_numbered(db, "span", f"workspace, trace, {SPAN_COLUMNS}", spans)
        db.close()
        cursor = base64.urlsafe_b64encode(f"[{rows - deep + 51}]".encode()).decode()
        paths = {
            "page 1 by cursor": "/v1/logs?cursor=",
            "page 10,000 by cursor": f"/v1/logs?cursor={cursor}",
            "page 10,000 by number": "/v1/logs?page=10000",
            "a trace with 100 spans": f"/v1/traces/{trace}",
        }
        with sidecar(data) as running:
            headers = {"X-API-Key": running.key}
            rates: dict[str, list[float]] = {what: [] for what in paths}
            for _ in range(options.rounds):
                for what, path in paths.items():
                    done = load(running.url + path, headers, connections=1, seconds=options.seconds)
                    rates[what].append(done.rate)
    costs = {what: 1e3 / statistics.median(found) for what, found in rates.items()}
    first = costs["page 1 by cursor"]
    measure.table(
        f"Telemetry of {rows:,} logs, one connection",
        ("what", "ms", "against page 1"),
        [
            (what, f"{cost:.2f}",
             measure.verdict(cost / first, 1.5) if "10,000 by cursor" in what else f"{cost / first:.2f}")
            for what, cost in costs.items()
        ],
    )  # fmt: skip


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--versions", type=int, default=100_000)
    options = parser.parse_args()
    columns = (
        "connections",
        "gitprompt/s",
        "bare route/s",
        "ratio",
        "p99 ms",
        "bare p99 ms",
        "ratio",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = measure.repository(os.path.join(folder, "r.git"), 10_000, shape="commit")
        tag = (
            measure.git(path, "rev-parse", f"refs/tags/prompts/{PROMPT}/1.5.0^{{}}")
            .decode()
            .strip()
        )
        measure.git(path, "update-ref", f"refs/labels/{PROMPT}@production", tag)
        with sidecar(os.path.join(folder, "data"), "--repo", path) as running:
            for what, query in QUERIES.items():
                if query:
                    measure.table(f"GET {what}", columns, compare(running, query, options))
            print(
                f"\n1,000 different renders, Python client, one connection: {varied(running):,.0f}/s"
            )
        rows = []
        with sidecar(os.path.join(folder, "idle")) as running:
            fetch(running, "/v1/prompts")
            rows.append(("idle", measure.verdict(memory(running.pid), 80)))
        large = measure.repository(os.path.join(folder, "l.git"), options.versions, shape="blob")
        with sidecar(os.path.join(folder, "large"), "--repo", large) as running:
            fetch(running, "/v1/prompts")
            rows.append(
                (f"{options.versions:,} versions", measure.verdict(memory(running.pid), 250))
            )
        measure.table("Memory of the server", ("state", "MB"), rows)
    lists(options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        bare(int(sys.argv[2]), sys.argv[3])
    else:
        main()
