# SPDX-License-Identifier: Apache-2.0
"""Durable ingest: against a bare Starlette route that stores nothing, against a bare loop that
inserts the same rows, and whether a large table slows it down.

python bench/ingest.py [--seconds 3] [--rounds 3] [--rows 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import measure
from load import Load, load
from sidecar import Running, sidecar

TRACE = "550e8400-e29b-41d4-a716-446655440000"
SPAN = {
    "name": "llm-call", "status": "ok", "start_time": 1000, "end_time": 2500,
    "metadata": {"model": "gpt-4o", "provider": "openai", "tokens_in": 120, "tokens_out": 340,
                 "note": measure.prose("span", 20)},
}  # fmt: skip
LOG = {
    "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
    "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500, "cost_usd": 0.0042, "status": "ok",
    "metadata": {"note": measure.prose("log", 20)},
}  # fmt: skip


def bare() -> None:
    """In a process of its own: a Starlette route that parses the body and answers 202."""
    import msgspec
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def take(request: Request) -> Response:
        msgspec.json.decode(await request.body())
        return Response(b'{"status":"accepted"}', 202, media_type="application/json")

    app = Starlette(routes=[Route("/{rest:path}", take, methods=["POST"])])
    uvicorn.run(
        app, port=int(sys.argv[2]), loop="uvloop", http="httptools", log_level="error",
        access_log=False,
    )  # fmt: skip


@contextmanager
def bare_server(port: int) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "bare", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        while subprocess.run(["curl", "-s", "-o", "/dev/null", url], check=False).returncode:
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def post(server: str, path: str, body: object, key: str, connections: int, seconds: float) -> Load:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return load(
        server + path, headers, connections=connections, seconds=seconds,
        method="POST", body=json.dumps(body),
    )  # fmt: skip


def make_trace(server: Running) -> None:
    body = {"trace_id": TRACE, "prompt_name": "welcome", "version_tag": "1.0.0"}
    subprocess.run(
        ["curl", "-sf", "-o", "/dev/null", f"{server.url}/v1/traces", "-H", f"X-API-Key: {server.key}",
         "-H", "Content-Type: application/json", "-d", json.dumps(body)],
        check=True,
    )  # fmt: skip


class BareLoop:
    """A loop that inserts the same spans, in transactions of the same size, into the same schema and
    indexes. Like the server's, its database grows from round to round."""

    def __init__(self, folder: str) -> None:
        from gitprompt.store.engines.sqlite import Sqlite
        from gitprompt.store.tables.traces import SPAN_COLUMNS

        path = os.path.join(folder, f"{uuid.uuid4()}.db")
        self._connection = Sqlite(path).writer()
        self._db = self._connection.db
        self._db.execute(
            "INSERT INTO trace (workspace, id, trace_id, created_at) VALUES ('default', 1, ?, 1)",
            (TRACE,),
        )
        self._sql = (
            f"INSERT INTO span (workspace, trace, id, {SPAN_COLUMNS})"
            " VALUES ('default', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )

    def run(self, size: int, seconds: float) -> float:
        """Rows per second."""
        metadata = json.dumps(SPAN["metadata"])
        begin, count = time.perf_counter(), 0
        while (now := time.perf_counter()) < begin + seconds:
            with self._db:
                ids = self._connection.numbers("span", size)
                self._db.executemany(
                    self._sql,
                    [(number, f"{random.getrandbits(64):016x}", None, "llm-call", "ok", 1000, 2500,
                      metadata, 1) for number in ids],
                )  # fmt: skip
            count += size
        return count / (now - begin)


def fill(data: str, rows: int) -> None:
    """Logs that are there already, written straight into the database of a server that is down."""
    from gitprompt.store.engines.sqlite import Sqlite
    from gitprompt.store.tables.logs import COLUMNS
    from gitprompt.store.tables.rows import add_to_tally, insert_numbered

    row = ("default", None, "welcome", "1.0.0", "openai", "gpt-4o", 120, 340, None, 1500, 0.0042,
           None, None, None, "ok", None, json.dumps(LOG["metadata"]), None, None, 1_700_000_000)  # fmt: skip
    db = Sqlite(os.path.join(data, "telemetry.db")).writer()
    with db.transaction():
        for at in range(0, rows, 10_000):
            insert_numbered(db, "log", COLUMNS, [row] * min(10_000, rows - at))
        add_to_tally(db, "log", ["default"], rows)
    db.db.pragma("wal_checkpoint", "TRUNCATE")
    db.close()


def single(options: argparse.Namespace) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as data, sidecar(data) as server, bare_server(3990) as other:
        make_trace(server)
        for what, path, body, target in (
            ("span", f"/v1/traces/{TRACE}/spans", SPAN, 0.35),
            ("log", "/v1/logs", LOG, 0.35),
            ("trace", "/v1/traces", {"prompt_name": "welcome", "version_tag": "1.0.0"}, 0.35),
        ):
            for connections in (1, 8, 64):
                ours, theirs = [], []
                for _ in range(options.rounds):
                    ours.append(
                        post(server.url, path, body, server.key, connections, options.seconds)
                    )
                    theirs.append(post(other, path, body, server.key, connections, options.seconds))
                a = statistics.median(one.rate for one in ours)
                b = statistics.median(one.rate for one in theirs)
                ratio = a / b
                told = (
                    measure.verdict(ratio, target, at_most=False)
                    if connections == 64
                    else f"{ratio:.2f}"
                )
                p99 = statistics.median(one.p99 for one in ours)
                rows.append((what, str(connections), f"{a:,.0f}", f"{b:,.0f}", told, f"{p99:.1f}"))
    measure.table(
        "One durable row a request, against a bare route that stores nothing",
        ("what", "connections", "gitprompt/s", "bare/s", "ratio", "p99 ms"),
        rows,
    )


def arrays(options: argparse.Namespace) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as data, sidecar(data) as server:
        make_trace(server)
        for size in (10, 100):
            ours, theirs = [], []
            loop = BareLoop(data)
            for _ in range(options.rounds):
                done = post(
                    server.url, f"/v1/traces/{TRACE}/spans", [SPAN] * size, server.key, 8,
                    options.seconds,
                )  # fmt: skip
                ours.append(done.rate * size)
                theirs.append(loop.run(size, options.seconds))
            a, b = statistics.median(ours), statistics.median(theirs)
            told = measure.verdict(a / b, 0.6, at_most=False) if size == 100 else f"{a / b:.2f}"
            rows.append((str(size), f"{a:,.0f}", f"{b:,.0f}", told))
    measure.table(
        "Arrays of spans over HTTP, against a bare loop of inserts",
        ("spans a request", "gitprompt spans/s", "bare loop spans/s", "ratio"),
        rows,
    )


def flat(options: argparse.Namespace) -> None:
    counts = (0, options.rows // 10, options.rows)
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            data = os.path.join(folder, str(count))
            with sidecar(data):
                pass
            fill(data, count)
        rates: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(options.rounds):
            for count in counts:
                with sidecar(os.path.join(folder, str(count))) as server:
                    done = post(server.url, "/v1/logs", LOG, server.key, 64, options.seconds)
                    rates[count].append(done.rate)
    base = statistics.median(rates[0])
    rows = [
        (f"{count:,}", f"{statistics.median(found):,.0f}",
         measure.verdict(statistics.median(found) / base, 0.9, at_most=False))
        for count, found in rates.items()
    ]  # fmt: skip
    measure.table("POST log, 64 connections", ("rows there already", "logs/s", "ratio"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    single(options)
    arrays(options)
    flat(options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        bare()
    else:
        main()
