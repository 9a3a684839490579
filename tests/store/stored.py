# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests of the store."""

from __future__ import annotations

import json
from typing import Any

from gitprompt.core.telemetry.usage import Usage
from gitprompt.store.database import Database
from gitprompt.store.tables import rollups
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.logs import LogInsertion, LogRow
from gitprompt.store.tables.rollups import StatisticsQuery, VersionStatistics
from gitprompt.store.tables.runs import RunInsertion, RunRow
from gitprompt.store.tables.scores import NewScores, ResultInsertion, ScoreRow
from gitprompt.store.tables.suites import NumberedSuites, SuiteNames
from gitprompt.store.tables.traces import CountedSpan, NewSpans, SpanRow, TraceInsertion, TraceRow


def new_log(workspace: str = "default", **fields: Any) -> LogInsertion:
    empty = dict.fromkeys(LogRow._fields)
    row = LogRow(**{**empty, "workspace": workspace, "prompt_name": "p", "version_tag": "1",
                    "created_at": 7_200, **fields})  # fmt: skip
    usage = rollups.of_log([getattr(row, name) for name in rollups.LOGGED.split(", ")])
    return LogInsertion(row, usage, Actor(workspace, "test").did("log:create", 7_200))


def new_trace(
    trace: str, workspace: str = "default", *, prompt: str | None = "p"
) -> TraceInsertion:
    version = "1" if prompt else None
    row = TraceRow(workspace, trace, prompt, version, None, 7_200)
    return TraceInsertion(row, Actor(workspace, "test").did("trace:create", 7_200))


def new_spans(
    trace: str, *ids: str, workspace: str = "default", name: str = "n", tokens_in: int | None = None
) -> NewSpans:
    """Spans of a trace; with `tokens_in` calls of a model, of the prompt that the trace names."""
    metadata = None if tokens_in is None else json.dumps({"kind": "llm", "tokens_in": tokens_in})
    usage = None
    if tokens_in is not None:
        usage = Usage(workspace, "", "", 2, 0, tokens_in, 0, 0, 0, 1)
    spans = [
        CountedSpan(SpanRow(one, None, name, "ok", 1, 2, metadata, None, 7_200), usage)
        for one in ids
    ]
    return NewSpans(workspace, trace, spans, Actor(workspace, "test").did("span:create", 7_200))


def new_run(run: str, *, timed: bool = False, **fields: Any) -> RunInsertion:
    empty = dict.fromkeys(RunRow._fields)
    row = RunRow(**{**empty, "workspace": "default", "run_id": run, "workflow_name": "w",
                    "status": "running", "start_time": 1, "created_at": 2, "updated_at": 3,
                    **fields})  # fmt: skip
    return RunInsertion(row, timed, Actor("default", "test").did("run:create", 2))


def new_suite(database: Database, name: str = "q", workspace: str = "default") -> int:
    """The number of a suite, which gets one if it has none."""
    database.write_now(SuiteNames(workspace, [name], 9))
    return database.read_now(NumberedSuites(workspace))[name].id


def new_result(suite: int, score: float | None = 0.5, **fields: Any) -> ResultInsertion:
    values = {"prompt_name": "p", "version_tag": "1", **fields}
    row = ScoreRow("default", "q", "numeric", 7_200, suite, number=score, **values)
    return ResultInsertion(row, Actor("default", "test").did("result:create", 7_200), None)


def new_scores(*scores: dict[str, Any], now: int = 7_200) -> NewScores:
    """Scores of no suite, by the fields that they have beside a name and a type."""
    rows = [
        ScoreRow(**{"workspace": "default", "name": "tone", "type": "numeric", "created_at": 0,
                    "score_id": f"s{at}", **fields})
        for at, fields in enumerate(scores)
    ]  # fmt: skip
    return NewScores(rows, now, Actor("default", "test").did("score:create", now))


def statistics_of(database: Database) -> list[VersionStatistics]:
    return database.read_now(StatisticsQuery("default"))
