# SPDX-License-Identifier: Apache-2.0
"""Scores of traces, spans, sessions and runs. The results of a suite are those that have one: a result
stays as it was sent, any other score is replaced by one with its id."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.usage import HOUR
from gitprompt.errors import Conflict, GitpromptError, NotFound
from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, rollups, rows, trace_ids
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.pages import Listing
from gitprompt.store.tables.rollups import CountedScore


class ScoreRow(NamedTuple):
    """`suite` is the number of the one that gave it, `name` the suite's or its own. `type` is numeric,
    boolean, categorical or text; `number` is 0 or 1 for a boolean, `text` the category or what was said.
    `metadata` is JSON; prompt and version are what was scored."""

    workspace: str
    name: str
    type: str
    created_at: int
    suite: int | None = None
    score_id: str | None = None
    number: float | None = None
    text: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    session_id: str | None = None
    run_id: str | None = None
    comment: str | None = None
    source: str | None = None
    metadata: str | None = None
    prompt_name: str | None = None
    version_tag: str | None = None


class ResultInsertion(NamedTuple):
    """A result of a suite; if its run's trace names a prompt version, that is what was scored.
    `min_score` is what passes, None if the suite does not say."""

    row: ScoreRow
    audit: AuditRow
    min_score: float | None

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[StoredResult | GitpromptError]:
        return [_insert_result(db, item) for item in items]


class StoredResult(NamedTuple):
    """`created_at` is when it was first stored, in Unix seconds."""

    id: int
    is_new: bool
    created_at: int


class NewScores(NamedTuple):
    """Scores of no suite. One whose `created_at` is 0 happened when it came: at `now`, or when the one that
    it replaces did."""

    rows: Sequence[ScoreRow]
    now: int
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Sequence[StoredScore]]:
        return [insert(db, item) for item in items]


class StoredScore(NamedTuple):
    """A score as it is now. `is_new`: it was not so before."""

    id: int
    row: ScoreRow
    is_new: bool


class ScoreDeletion(NamedTuple):
    workspace: str
    score_id: str
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[GitpromptError | None]:
        return [_delete(db, item) for item in items]


class OneScore(NamedTuple):
    """The (id, *columns) of a score of no suite."""

    workspace: str
    score_id: str

    def answer(self, db: Connection) -> tuple[Any, ...] | None:
        return _one(db, *self)


COLUMNS = ", ".join(ScoreRow._fields)
LISTING = Listing("score", COLUMNS, None, "created_at")
_OF_RESULT = ("suite", "score_id", "run_id", "number", "metadata")


def insert(db: Connection, item: NewScores) -> list[StoredScore]:
    """What became of each score. The same id with the same content is the same score."""
    stored = [_insert(db, row, item.now) for row in item.rows]
    if any(score.is_new for score in stored):
        audit.insert(db, [item.audit])
    return stored


def _insert(db: Connection, row: ScoreRow, now: int) -> StoredScore:
    before = None if row.score_id is None else _one(db, row.workspace, row.score_id)
    if before is not None:
        old = ScoreRow(*before[1:])
        row = row._replace(created_at=row.created_at or old.created_at)
        row = _named(db, row)
        if not rows.differs(old, row, ScoreRow._fields, ["metadata"]):
            return StoredScore(before[0], old, False)
        _remove(db, before[0], old)
    else:
        row = _named(db, row._replace(created_at=row.created_at or now))
    (number,) = rows.insert_numbered(db, "score", COLUMNS, [row])
    _count(db, row)
    return StoredScore(number, row, True)


def _named(db: Connection, row: ScoreRow) -> ScoreRow:
    """A score of what its trace, or that of its run, names, if it does not say so itself."""
    if row.prompt_name is not None:
        return row
    prompt, version = _of_trace(db, row) or _of_run(db, row) or (None, None)
    return row._replace(prompt_name=prompt, version_tag=version)


def _of_trace(db: Connection, row: ScoreRow) -> tuple[Any, ...] | None:
    if row.trace_id is None:
        return None
    return db.row(
        "SELECT prompt_name, version_tag FROM trace WHERE prompt_name IS NOT NULL"
        f" AND trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2",
        (row.workspace, trace_ids.key_of(row.trace_id)),
    )


def _of_run(db: Connection, row: ScoreRow) -> tuple[Any, ...] | None:
    if row.run_id is None:
        return None
    return db.row(
        "SELECT trace.prompt_name, trace.version_tag FROM run JOIN trace"
        " ON trace.workspace = run.workspace AND trace.trace_id = run.trace_id"
        " WHERE run.workspace = $1 AND run.run_id = $2 AND trace.prompt_name IS NOT NULL",
        (row.workspace, row.run_id),
    )


def _count(db: Connection, row: ScoreRow, *, sign: int = 1) -> None:
    if row.number is not None:
        prompt, version, hour = row.prompt_name or "", row.version_tag or "", row.created_at // HOUR
        of_suite = int(row.suite is not None)
        score = CountedScore(row.workspace, prompt, version, hour, row.name, of_suite, row.number)
        rollups.add_scores(db, [score], sign=sign)


def _remove(db: Connection, number: int, row: ScoreRow) -> None:
    _count(db, row, sign=-1)
    sql = "DELETE FROM score WHERE workspace = $1 AND id = $2"
    db.execute(sql, (row.workspace, number))


def _one(db: Connection, workspace: str, score_id: str) -> tuple[Any, ...] | None:
    sql = (
        f"SELECT id, {COLUMNS} FROM score WHERE workspace = $1 AND score_id = $2 AND suite IS NULL"
    )
    return db.row(sql, (workspace, score_id))


def _delete(db: Connection, item: ScoreDeletion) -> GitpromptError | None:
    before = _one(db, item.workspace, item.score_id)
    if before is None:
        return NotFound("Score not found")
    _remove(db, before[0], ScoreRow(*before[1:]))
    audit.insert(db, [item.audit])
    return None


def name_prompts(db: Connection, named: Iterable[tuple[str, str, str, str | None]]) -> None:
    """Scores came before their trace said what prompt it is of: (workspace, trace_id, prompt, version)."""
    prompts = {
        (workspace, trace_ids.key_of(trace_id)): (prompt, version)
        for workspace, trace_id, prompt, version in named
    }
    key = trace_ids.sql_of("score.trace_id")
    also = "score.trace_id IS NOT NULL AND prompt_name IS NULL AND suite IS NULL"
    sql = f"{key}, id, {COLUMNS} FROM score"
    for _, (trace, number, *columns) in list(
        rows.of_keys(db, sql, "score.workspace", key, prompts, also=also)
    ):
        before = ScoreRow(*columns)
        prompt, version = prompts[before.workspace, trace]
        _count(db, before, sign=-1)
        _count(db, before._replace(prompt_name=prompt, version_tag=version))
        db.execute(
            "UPDATE score SET prompt_name = $1, version_tag = $2 WHERE workspace = $3 AND id = $4",
            (prompt, version, before.workspace, number),
        )


# Results of suites


def _insert_result(db: Connection, item: ResultInsertion) -> StoredResult | GitpromptError:
    row = item.row
    suite = row.workspace, row.suite
    if db.row("SELECT 1 FROM suite WHERE workspace = $1 AND id = $2", suite) is None:
        return NotFound("Evaluation not found")
    if row.score_id is not None:
        before = db.row(
            f"SELECT id, created_at, {', '.join(_OF_RESULT)} FROM score"
            " WHERE workspace = $1 AND suite = $2 AND score_id = $3",
            (*suite, row.score_id),
        )
        if before is not None:
            sent = [getattr(row, name) for name in _OF_RESULT]
            if rows.differs(before[2:], sent, _OF_RESULT, ["metadata"]):
                return Conflict(f"Result {row.score_id} exists with other content")
            return StoredResult(int(before[0]), False, int(before[1]))
    scored = _of_run(db, row)
    if scored is not None:
        row = row._replace(prompt_name=scored[0], version_tag=scored[1])
    (result,) = rows.insert_numbered(db, "score", COLUMNS, [row])
    audit.insert(db, [item.audit])
    _count(db, row)
    return StoredResult(result, True, row.created_at)


class VersionResults(NamedTuple):
    """The results of a suite for one version that are numbers. `deviation` is that of the sample; `passed` counts
    those that reach what passes, if that is known."""

    version: str
    number: int
    mean: float
    least: float
    deviation: float
    passed: int
    last_at: int


class ResultsByVersion(NamedTuple):
    """The results of a suite by version since a Unix time; `min_score` is what passes."""

    workspace: str
    suite: int
    since: int
    min_score: float | None

    def answer(self, db: Connection) -> list[VersionResults]:
        passes = 0.0 if self.min_score is None else self.min_score
        rows = db.query(
            "SELECT coalesce(version_tag, ''), count(*), avg(number), min(number), avg(number * number),"
            " sum(CASE WHEN number >= $1 THEN 1 ELSE 0 END), max(created_at) FROM score"
            " WHERE workspace = $2 AND suite = $3 AND created_at >= $4 AND number IS NOT NULL GROUP BY 1",
            (passes, self.workspace, self.suite, self.since),
        )
        return [
            VersionResults(
                version, count, mean, least, _deviation(count, mean, square), int(passed), last
            )
            for version, count, mean, least, square, passed, last in rows
        ]


def _deviation(count: int, mean: float, square: float) -> float:
    if count < 2:
        return 0.0
    return math.sqrt(max(square - mean * mean, 0.0) * count / (count - 1))


class DayOfScores(NamedTuple):
    """`day` counts days since the epoch."""

    version: str
    day: int
    scores: int
    mean: float


class ScoresByDay(NamedTuple):
    """The scores of a suite, or of a name of none, by version and day since a Unix time, from the rollups."""

    workspace: str
    prompt_name: str
    name: str
    since: int
    of_suite: int = 1

    def answer(self, db: Connection) -> list[DayOfScores]:
        rows = db.query(
            "SELECT version_tag, hour / 24, CAST(sum(scores) AS BIGINT), CAST(sum(total) AS BIGINT)"
            " FROM score_rollup WHERE workspace = $1 AND prompt_name = $2 AND name = $3 AND hour >= $4"
            " AND of_suite = $5 GROUP BY 1, 2 HAVING sum(scores) > 0 ORDER BY 2, 1",
            (self.workspace, self.prompt_name, self.name, self.since // HOUR, self.of_suite),
        )
        return [
            DayOfScores(version, day, number, total / number / rollups.MILLION)
            for version, day, number, total in rows
        ]
