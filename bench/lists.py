# SPDX-License-Identifier: Apache-2.0
"""Lists of traces, runs and scores, narrowed by what they are about, at ten thousand and a million rows:
python bench/lists.py [--rows 1000000]."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import measure

from gitprompt.config import database_location
from gitprompt.store.database import Database
from gitprompt.store.engines import Connection
from gitprompt.store.tables import scores, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Listing, Part, Window
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.scores import NewScores, ScoreRow
from gitprompt.store.tables.traces import TraceInsertion, TraceRow

ACTOR = Actor("default", "bench")
_BATCH = 2_000
_MOST = 2.0
# What lists are narrowed by: something rare, and something that nearly every row has.
LISTS: tuple[tuple[str, Listing, tuple[Condition, ...]], ...] = (
    ("traces", traces.LISTING, ()),
    ("traces of a session", traces.LISTING, (Condition("session_id", "s7"),)),
    ("traces of a user", traces.LISTING, (Condition("user_id", "u7"),)),
    ("traces of an environment", traces.LISTING, (Condition("environment", "production"),)),
    ("traces with a rare tag", traces.LISTING, (Condition("tag", "t7", "has"),)),
    ("traces with a common tag", traces.LISTING, (Condition("tag", "beta", "has"),)),
    ("scores of a trace", scores.LISTING, (Condition("trace_id", f"{7:032x}", "spells"),)),
    ("scores of a name", scores.LISTING, (Condition("name", "tone"),)),
)


class Fill(NamedTuple):
    """Rows of such numbers."""

    numbers: range

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            new = [
                TraceRow(
                    "default", f"{at:032x}", "p", "1.0.0", None, 1_700_000_000 + at // 10, "chat",
                    f"s{at % 400}", f"u{at % 400}", "production", "1.2.3",
                    json.dumps(["beta", f"t{at % 400}"]),
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


def page(database: Database, listing: Listing, conditions: Sequence[Condition]) -> float:
    """Milliseconds of a page of 20, with how many there are."""
    begun = time.perf_counter()
    rows = database.read_now(Part(listing, "default", Window(20), conditions)).rows
    assert rows
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        database = Database(database_location(folder, ""))
        contenders = [partial(page, database, listing, how) for _, listing, how in LISTS]
        done = 0
        for rows in (options.rows // 100, options.rows):
            for start in range(done, rows, _BATCH):
                database.write_now(Fill(range(start, min(start + _BATCH, rows))))
            done = rows
            columns.append(measure.median_of(options.rounds, *contenders))
        database.close()
    measure.table(
        "A page of 20, with how many there are",
        ("list", f"of {options.rows // 100:,}, ms", f"of {options.rows:,}, ms", "ratio"),
        [
            (name, f"{few:.2f}", f"{many:.2f}", measure.verdict(many / few, _MOST))
            for (name, _, _), few, many in zip(LISTS, *columns, strict=True)
        ],
    )


if __name__ == "__main__":
    main()
