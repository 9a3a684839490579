# SPDX-License-Identifier: Apache-2.0
"""Spans into PostgreSQL: with their audit row, sums and idempotence, against a raw COPY of the same rows, and
against SQLite.

python bench/postgres.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

import measure

sys.path.insert(0, os.path.dirname(measure.HERE))  # the server that the tests start

from gitprompt.config import database_location
from gitprompt.core.telemetry.usage import read_span
from gitprompt.ingest import SentSpan, _new_span
from gitprompt.store.database import Database
from gitprompt.store.engines import engine_at
from gitprompt.store.engines.postgres import PostgresConnection
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.traces import (
    EnsuredTrace,
    NewSpans,
    TraceInsertion,
    TraceRow,
)
from tests.postgres import Cluster

ACTOR = Actor("default", "bench")
CALL = {"kind": "llm", "model": "gpt-4o", "provider": "openai", "tokens_in": 120, "tokens_out": 340,
        "note": measure.prose("span", 20)}  # fmt: skip
_LEAST = 0.5


def spans(number: int) -> NewSpans:
    counted = [
        _new_span(
            "default",
            SentSpan(uuid.uuid4().hex[:16], None, "llm", "ok", 1_000, 2_500, CALL, None, read_span(CALL)),
            1_700_000_000,
            None,
        )
        for _ in range(number)
    ]  # fmt: skip
    return NewSpans("default", "t", counted, ACTOR.did("span:create", 1))


def trace() -> TraceRow:
    return TraceRow("default", "t", "welcome", "1.0.0", None, 1_700_000_000)


def stored(database: Database, number: int) -> float:
    """Spans a second that are stored, in one transaction."""
    item = spans(number)
    begun = time.perf_counter()
    database.write_now(item)
    return number / (time.perf_counter() - begun)


def copied(db: PostgresConnection, number: int) -> float:
    """The same rows by COPY, and nothing else."""
    rows = [("default", 1, *span.row, 1, at) for at, span in enumerate(spans(number).spans)]
    columns = (
        "workspace, trace, span_id, parent_id, name, status, start_time, end_time, metadata, facts,"
        " created_at, counted, id"
    )
    begun = time.perf_counter()
    with db.transaction():
        db.insert("span", columns, rows)
    return number / (time.perf_counter() - begun)


def ingest(cluster: Cluster, folder: str, rounds: int) -> None:
    url = cluster.url(cluster.database())
    postgres, sqlite = Database(url), Database(database_location(folder, ""))
    for database in (postgres, sqlite):
        database.write_now(EnsuredTrace(*TraceInsertion(trace(), ACTOR.did("trace:create", 1))))
    raw = engine_at(url).writer()
    assert isinstance(raw, PostgresConnection)
    rows = []
    for number in (1, 8, 64, 512, 2_000):
        contenders: Sequence[Callable[[], float]] = (
            partial(stored, postgres, number), partial(copied, raw, number),
            partial(stored, sqlite, number),
        )  # fmt: skip
        ours, bare, local = measure.median_of(rounds, *contenders)
        share = (
            measure.verdict(ours / bare, _LEAST, at_most=False)
            if number >= 64
            else f"{ours / bare:.2f}"
        )
        rows.append((f"{number:,}", f"{ours:,.0f}", f"{bare:,.0f}", share, f"{local:,.0f}"))
    measure.table(
        "Spans a second, in transactions of so many",
        ("spans", "PostgreSQL", "raw COPY", "share", "SQLite"),
        rows,
    )
    raw.close()
    for database in (postgres, sqlite):
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    cluster = Cluster(fsync=True)
    with tempfile.TemporaryDirectory() as folder:
        ingest(cluster, folder, options.rounds)
    cluster.remove()


if __name__ == "__main__":
    main()
