# SPDX-License-Identifier: Apache-2.0
"""The numbers of suites, which are files in Git, and the results of their evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.usage import HOUR
from gitprompt.errors import Conflict, GitpromptError, NotFound
from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, rollups, rows
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.rollups import Score
from gitprompt.store.tables.rows import Listing


class NumberedSuite(NamedTuple):
    id: int
    name: str
    created_at: int


class ResultRow(NamedTuple):
    """`suite` is its number; prompt and version are what was scored."""

    workspace: str
    suite: int
    result_id: str | None
    run_id: str | None
    score: float | None
    metadata: str | None
    prompt_name: str | None
    version_tag: str | None
    created_at: int


class ResultInsertion(NamedTuple):
    """A result of a suite; if its run's trace names a prompt version, that is what was scored.
    `min_score` is what passes, None if the suite does not say."""

    row: ResultRow
    audit: AuditRow
    suite_name: str
    min_score: float | None

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[StoredResult | GitpromptError]:
        return insert(db, items)


class StoredResult(NamedTuple):
    """`created_at` is when it was first stored, in Unix seconds."""

    id: int
    is_new: bool
    created_at: int


COLUMNS = ", ".join(ResultRow._fields)
LISTING = Listing("result", COLUMNS, None, "created_at")
_SAID = ("workspace", "suite", "result_id", "run_id", "score", "metadata")


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


def insert(db: Connection, items: Sequence[ResultInsertion]) -> list[StoredResult | GitpromptError]:
    """What became of each result. The same `result_id` with the same content is the same result."""
    return [_insert(db, item) for item in items]


def _insert(db: Connection, item: ResultInsertion) -> StoredResult | GitpromptError:
    row = item.row
    suite = db.row("SELECT name FROM suite WHERE workspace = $1 AND id = $2", row[:2])
    if suite is None:
        return NotFound("Evaluation not found")
    if row.result_id is not None:
        before = db.row(
            f"SELECT id, created_at, {', '.join(_SAID)} FROM result"
            " WHERE workspace = $1 AND suite = $2 AND result_id = $3",
            row[:3],
        )
        if before is not None:
            if rows.differs(before[2:], row[: len(_SAID)], _SAID, ["metadata"]):
                return Conflict(f"Result {row.result_id} exists with other content")
            return StoredResult(int(before[0]), False, int(before[1]))
    scored = _scored(db, row.workspace, row.run_id)
    if scored is not None:
        row = row._replace(prompt_name=scored[0], version_tag=scored[1])
    (result,) = rows.insert_numbered(db, "result", COLUMNS, [row])
    audit.insert(db, [item.audit])
    if row.score is not None:
        hour = row.created_at // HOUR
        prompt, version = row.prompt_name or "", row.version_tag or ""
        rollups.add_scores(db, [Score(row.workspace, prompt, version, hour, suite[0], row.score)])
    return StoredResult(result, True, row.created_at)


def _scored(db: Connection, workspace: str, run_id: str | None) -> tuple[Any, ...] | None:
    """Prompt and version of the trace of a run, if it names them."""
    if run_id is None:
        return None
    return db.row(
        "SELECT trace.prompt_name, trace.version_tag FROM run JOIN trace"
        " ON trace.workspace = run.workspace AND trace.trace_id = run.trace_id"
        " WHERE run.workspace = $1 AND run.run_id = $2 AND trace.prompt_name IS NOT NULL",
        (workspace, run_id),
    )


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
            "SELECT coalesce(result.prompt_name, ''), coalesce(result.version_tag, ''),"
            " result.created_at / 3600, suite.name, result.score FROM result JOIN suite"
            " ON suite.workspace = result.workspace AND suite.id = result.suite"
            " WHERE result.workspace = $1 AND result.suite = $2 AND result.score IS NOT NULL",
            (workspace, suite),
        )
        rollups.add_scores(db, [Score(workspace, *row) for row in scores], sign=-1)
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
