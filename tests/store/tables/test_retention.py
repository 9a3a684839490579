# SPDX-License-Identifier: Apache-2.0
"""Old rows go, and the sums stay."""

from __future__ import annotations

from gitprompt.store.database import Database
from gitprompt.store.tables import rollups
from gitprompt.store.tables.retention import OldRows
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.rows import Tally
from tests.store.stored import new_log


def test_retention_forgets_old_rows_and_keeps_the_sums(database: Database) -> None:
    for number in range(25):
        database.writer.run(new_log(created_at=number * 3_600, latency_ms=1))
    before = database.read_now(StatisticsQuery("default"))
    removed: list[int] = []
    while not removed or removed[-1]:
        removed.append(database.writer.run(OldRows(10 * 3_600, 4)))
    assert removed == [4, 4, 2, 0]
    assert database.read_now(Tally("default", "log")) == 15
    assert database.read_now(StatisticsQuery("default")) == before
    database.writer.call(lambda db: rollups.rebuild(db, since=10 * 3_600))
    assert database.read_now(StatisticsQuery("default")) == before
