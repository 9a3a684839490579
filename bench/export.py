# SPDX-License-Identifier: Apache-2.0
"""OTLP exports of one trace and of many, and lists of traces narrowed by what they are about.

python bench/export.py [--spans 512] [--rounds 9] [--rows 1000000]
"""

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

from gitprompt.store.database import Database, in_folder
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Page, Window
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.traces import LISTING, TraceInsertion, TraceRow

_MOST = 2.0
_CHUNK = 5_000


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


def fill(database: Database, first: int, until: int) -> None:
    entry = Actor("default", "bench").did("trace:create", 1)
    for start in range(first, until, _CHUNK):
        items = [
            TraceInsertion(
                TraceRow("default", f"{at:032x}", None, None, None, 1_700_000_000 + at, f"n{at % 50}",
                         f"s{at % 5_000}", f"u{at % 1_000}", "production", f"1.{at % 100}"), entry
            )
            for at in range(start, min(start + _CHUNK, until))
        ]  # fmt: skip
        database.writer.call(partial(TraceInsertion.apply, items=items))


def _listed(database: Database, column: str, value: str) -> float:
    """Milliseconds of a page of the newest, without the count that goes with it."""
    begin = time.perf_counter()
    page = database.read_now(Page(LISTING, "default", Window(50), [Condition(column, value)]))
    assert page.rows
    return (time.perf_counter() - begin) * 1000


def lists(folder: str, number: int) -> None:
    database = Database(in_folder(folder))
    filters = {"session_id": "s7", "user_id": "u7", "name": "n7", "release": "1.7"}
    filled, times = 0, []
    for rows in (number // 100, number):
        fill(database, filled, rows)
        filled = rows
        times.append(
            measure.median_of(9, *(partial(_listed, database, *pair) for pair in filters.items()))
        )
    database.close()
    table = [
        (name, f"{few:.2f}", f"{many:.2f}") for name, few, many in zip(filters, *times, strict=True)
    ]
    columns = ("filter", f"of {number // 100:,} traces, ms", f"of {number:,}, ms")
    measure.table("A page of traces, with how many there are", columns, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with sidecar(f"{folder}/data") as server:
            exports(server, options.spans, options.rounds)
        lists(f"{folder}/data", options.rows)


if __name__ == "__main__":
    main()
