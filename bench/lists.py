# SPDX-License-Identifier: Apache-2.0
"""Lists of traces, runs and scores, narrowed by what they are about, at ten thousand and a million rows:
python bench/lists.py [--rows 1000000]."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gitprompt.store.database import Database
from gitprompt.store.engines import Connection
from gitprompt.store.tables import scores, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Listing, Page, Window
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.scores import NewScores, ScoreRow
from gitprompt.store.tables.traces import TraceInsertion, TraceRow

ACTOR = Actor("default", "bench")
BATCH = 2_000
# What lists are narrowed by: something rare, and something that nearly every row has.
LISTS: tuple[tuple[str, Listing, tuple[Condition, ...]], ...] = (
    ("traces", traces.LISTING, ()),
    ("traces of a session", traces.LISTING, (Condition("session_id", "s7"),)),
    ("traces of a user", traces.LISTING, (Condition("user_id", "u7"),)),
    ("traces of an environment", traces.LISTING, (Condition("environment", "production"),)),
    ("traces with a rare tag", traces.LISTING, (Condition("tag", "t7", "has"),)),
    ("traces with a common tag", traces.LISTING, (Condition("tag", "beta", "has"),)),
    ("scores of a trace", scores.LISTING, (Condition("trace_id", "7", "spells"),)),
    ("scores of a name", scores.LISTING, (Condition("name", "tone"),)),
)


def batches(start: int, stop: int) -> Iterator[range]:
    for at in range(start, stop, BATCH):
        yield range(at, min(at + BATCH, stop))


class Fill(NamedTuple):
    """Rows of such numbers."""

    numbers: range

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            new = [
                TraceRow(
                    "default", str(at), "p", "1.0.0", None, 1_700_000_000 + at // 10, "chat",
                    f"s{at % 20_000}", f"u{at % 20_000}", "production", "1.2.3",
                    json.dumps(["beta", f"t{at % 20_000}"]),
                )
                for at in item.numbers
            ]  # fmt: skip
            entry = ACTOR.did("trace:create", 0)
            traces.insert_traces(db, [TraceInsertion(row, entry) for row in new])
            said = [
                ScoreRow("default", "tone", "numeric", row.created_at, score_id=row.trace_id,
                         number=0.5, trace_id=row.trace_id, prompt_name="p", version_tag="1.0.0")
                for row in new
            ]  # fmt: skip
            scores.insert(db, NewScores(said, 0, entry))
        return [None] * len(items)


def times(database: Database, rounds: int) -> dict[str, float]:
    """Milliseconds of a page of 20, the median of some rounds."""
    taken: dict[str, list[float]] = {name: [] for name, _, _ in LISTS}
    for _ in range(rounds):
        for name, listing, conditions in LISTS:
            begun = time.perf_counter()
            database.read_now(Page(listing, "default", Window(20), conditions))
            taken[name].append((time.perf_counter() - begun) * 1000)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        database = Database(str(Path(folder) / "telemetry.db"))
        done = 0
        for rows in (options.rows // 100, options.rows):
            for numbers in batches(done, rows):
                database.write_now(Fill(numbers))
            done = rows
            columns.append(times(database, options.rounds))
        database.close()
    print(f"| a page of 20, ms | {options.rows // 100:,} rows | {options.rows:,} rows | |")
    print("| --- | ---: | ---: | ---: |")
    for name, _, _ in LISTS:
        few, many = columns[0][name], columns[1][name]
        print(f"| {name} | {few:.2f} | {many:.2f} | {many / few:.1f} × |")


if __name__ == "__main__":
    main()
