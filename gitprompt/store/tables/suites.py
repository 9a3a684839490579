# SPDX-License-Identifier: Apache-2.0
"""The numbers of suites, which are files in Git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection
from gitprompt.store.tables import rollups, rows
from gitprompt.store.tables.rollups import CountedScore


class NumberedSuite(NamedTuple):
    id: int
    name: str
    created_at: int


class SuiteNames(NamedTuple):
    """Suites, each of which gets a number if it has none. A number is never used twice."""

    workspace: str
    names: Sequence[str]
    now: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        suites = [(workspace, name, now) for workspace, names, now in items for name in names]
        numbers = db.numbers("suite", len(suites))
        db.insert(
            "suite",
            "id, workspace, name, created_at",
            [(number, *suite) for number, suite in zip(numbers, suites, strict=True)],
            keep="workspace, name",
        )
        return [None] * len(items)


class NumberedSuites(NamedTuple):
    """The numbered suites of a workspace by name, those whose file is gone too."""

    workspace: str

    def answer(self, db: Connection) -> Mapping[str, NumberedSuite]:
        rows = db.query("SELECT id, name, created_at FROM suite WHERE workspace = $1", self)
        return {row[1]: NumberedSuite(*row) for row in rows}


class SuiteRemoval(NamedTuple):
    """A suite's number goes, and its results, from the rollups too."""

    workspace: str
    number: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        return _forget(db, items)


def _forget(db: Connection, suites: Sequence[SuiteRemoval]) -> list[None]:
    for workspace, suite in suites:
        scores = db.query(
            f"SELECT {rollups.SCORED} FROM score"
            " WHERE workspace = $1 AND suite = $2 AND number IS NOT NULL",
            (workspace, suite),
        )
        rollups.add_scores(db, [CountedScore(*row) for row in scores], sign=-1)
        db.execute("DELETE FROM suite WHERE workspace = $1 AND id = $2", (workspace, suite))
    return [None] * len(suites)


class RecentSuites(NamedTuple):
    """Names of suites, newest first, as many of each workspace."""

    limit: int

    def answer(self, db: Connection) -> list[str]:
        suites = rows.newest_of_each(
            db,
            self.limit,
            "SELECT name FROM suite WHERE workspace = $1 ORDER BY id DESC LIMIT $2",
        )
        return [row[0] for row in suites]
