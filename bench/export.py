# SPDX-License-Identifier: Apache-2.0
"""OTLP exports of one trace and of many: python bench/export.py [--spans 512] [--rounds 9]."""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import measure
from sidecar import Running, sidecar

_MOST = 2.0


def _body(traces: Iterator[str], number: int) -> bytes:
    spans = [measure.exported_call(next(traces), at) for at in range(number)]
    return gzip.compress(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    )


def _one() -> Iterator[str]:
    trace = uuid.uuid4().hex
    while True:
        yield trace


def _many() -> Iterator[str]:
    while True:
        yield uuid.uuid4().hex


def exported(client: httpx.Client, traces: Callable[[], Iterator[str]], number: int) -> float:
    """Milliseconds until an export is acknowledged."""
    body = _body(traces(), number)
    begin = time.perf_counter()
    answer = client.post("/otlp/v1/traces", content=body)
    seconds = time.perf_counter() - begin
    assert answer.json() == {"partialSuccess": {}}, answer.text
    return seconds * 1000


def exports(server: Running, number: int, rounds: int) -> None:
    headers = {
        "X-API-Key": server.key, "Content-Type": "application/json", "Content-Encoding": "gzip",
    }  # fmt: skip
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        one, many = measure.median_of(
            rounds,
            partial(exported, client, _one, number),
            partial(exported, client, _many, number),
        )
    rows = [(f"{one:.0f}", f"{many:.0f}", measure.verdict(many / one, _MOST))]
    columns = (f"one trace of {number} spans, ms", f"{number} traces of one, ms", "ratio")
    measure.table("An OTLP export", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sidecar(f"{folder}/data") as server:
        exports(server, options.spans, options.rounds)


if __name__ == "__main__":
    main()
