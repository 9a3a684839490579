# SPDX-License-Identifier: Apache-2.0
"""Telemetry in, asked without HTTP: what is stored, what is written down, and what a retry does."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import pytest

from gitprompt import ingest, statistics
from gitprompt.errors import Conflict, GitpromptError, Invalid, NotFound
from gitprompt.ingest import Ingest, SentSpan
from gitprompt.server.facades.otlp_spans import OtlpTrace
from gitprompt.store.database import Database
from gitprompt.store.tables import audit, logs
from gitprompt.store.tables.audit import Actor, AuditRow
from gitprompt.store.tables.logs import LogRow
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.points import PointRow
from gitprompt.store.tables.retention import OldRows
from gitprompt.store.tables.rollups import RollupRebuild, StatisticsQuery, VersionStatistics
from gitprompt.store.tables.rows import Tally
from gitprompt.store.tables.runs import OneRun, RunRow
from gitprompt.store.tables.scores import ScoreRow
from gitprompt.store.tables.suites import NumberedSuites, SuiteNames, SuiteRemoval
from tests import databases

NOW = 1_700_000_000
CALL = {"kind": "llm", "model": "m", "tokens_in": 10, "cost_usd": 0.5}


class Desk:
    """Telemetry of one client, in a workspace of its own."""

    def __init__(self, database: Database, workspace: str) -> None:
        self.database = database
        self.now = NOW
        self.by = Actor(workspace, "ci", "10.0.0.1")
        self.ingest = Ingest(database, lambda: self.now)

    def do(self, story: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(story)

    def log(self, **fields: Any) -> int:
        empty = dict.fromkeys(LogRow._fields)
        values = {"prompt_name": "p", "version_tag": "1", "created_at": 0, "status": "ok", **fields}
        row = LogRow(**{**empty, "workspace": self.by.workspace, **values})
        return int(self.do(self.ingest.log(self.by, row)))

    def trace(self, trace_id: str | None = None, prompt: str | None = "p") -> str:
        return str(
            self.do(
                self.ingest.trace(
                    self.by, trace_id=trace_id, prompt_name=prompt,
                    version_tag="1" if prompt else None, metadata=None,
                )
            )
        )  # fmt: skip

    def spans(self, trace: str, *spans: SentSpan) -> list[str]:
        return list(self.do(self.ingest.spans(self.by, trace, spans)))

    def run(self, **fields: Any) -> RunRow:
        options: dict[str, Any] = {
            "run_id": None, "workflow_name": "w", "status": "running", "input": None,
            "output": None, "trace_id": None, "metadata": None, "start_time": None,
            "end_time": None, "now_ms": 5_000, **fields,
        }  # fmt: skip
        return self.stored_run(self.do(self.ingest.run(self.by, **options)))

    def change(self, run_id: str, **fields: Any) -> RunRow:
        options: dict[str, Any] = {
            "status": None, "output": None, "metadata": None, "end_time": None, "now_ms": 9_000,
            **fields,
        }  # fmt: skip
        self.do(self.ingest.change_run(self.by, run_id, **options))
        return self.stored_run(run_id)

    def stored_run(self, run_id: str) -> RunRow:
        row = self.database.read_now(OneRun(self.by.workspace, run_id))
        assert row is not None
        return row

    def result(self, **fields: Any) -> tuple[int, int]:
        row = ScoreRow(self.by.workspace, fields.pop("name", "tone"), "numeric", 0, **fields)
        number, at = self.do(self.ingest.result(self.by, row, min_score=0.5))
        return int(number), int(at)

    def used(self, *, version: str = "1") -> VersionStatistics | None:
        rows: Mapping[str, VersionStatistics] = asyncio.run(
            statistics.of_versions(self.database, self.by.workspace, "p", [version])
        )
        return rows.get(version)

    def count(self, kind: str) -> int:
        return self.database.read_now(Tally(self.by.workspace, kind))

    @property
    def audit(self) -> list[AuditRow]:
        """Oldest first."""
        page, *_ = self.database.read_now(Part(audit.LISTING, self.by.workspace, Window(100)))
        return [AuditRow(*row[1:]) for row in reversed(page)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(databases.location(tmp_path_factory.mktemp("database")))
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Database, request: pytest.FixtureRequest) -> Desk:
    return Desk(database, request.node.originalname)


def span(**fields: Any) -> SentSpan:
    metadata = fields.pop("metadata", None)
    document = json.dumps(metadata) if metadata is not None else None
    values = {
        "span_id": "s", "name": "call", "status": "ok", "metadata": metadata, "timestamp": 0, **fields,
    }  # fmt: skip
    return SentSpan(**{**dict.fromkeys(SentSpan._fields), "document": document, **values})


# Ids


def test_ids_are_those_of_the_standards_and_never_come_twice() -> None:
    traces = {ingest.new_id() for _ in range(1_000)}
    spans = {ingest.new_span_id() for _ in range(1_000)}
    assert (len(traces), len(spans)) == (1_000, 1_000)
    assert {uuid.UUID(trace).version for trace in traces} == {4}
    assert all(re.fullmatch("[0-9a-f]{16}", span) for span in spans)


# Logs


def test_a_log_is_dated_by_the_server_counted_and_written_down(desk: Desk) -> None:
    number = desk.log(log_id="l", tokens_in=3, cost_usd=0.25, latency_ms=40, created_at=7)
    assert number == desk.log(log_id="l", tokens_in=3, cost_usd=0.25, latency_ms=40)
    used = desk.used()
    assert used is not None
    assert (used.calls, used.tokens_in, used.cost_usd, used.latency_p50_ms) == (1, 3, 0.25, 40)
    assert desk.audit == [
        AuditRow(desk.by.workspace, "log:create", "p", "1", "ci", "10.0.0.1", "l", NOW, "done")
    ]


def test_a_log_without_an_id_is_another_each_time(desk: Desk) -> None:
    assert desk.log() != desk.log()
    assert desk.count("log") == 2


# What a retry does


def conflicting(desk: Desk) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Each kind of row that has an id, stored with one content or another under one id."""
    trace = desk.trace("t")
    yield "log", lambda content: desk.log(log_id="x", model=content)
    yield "trace", lambda content: desk.trace("x", prompt=content)
    yield "span", lambda content: desk.spans(trace, span(span_id="x", name=content))
    yield "run", lambda content: desk.run(run_id="x", workflow_name=content).run_id


def test_the_same_again_is_no_second_row_and_other_content_is_a_conflict(desk: Desk) -> None:
    for kind, store in conflicting(desk):
        first = store("one")
        rows = len(desk.audit)
        desk.now += 60
        assert store("one") == first, kind
        with pytest.raises(Conflict, match="exists with other content"):
            store("other")
        assert len(desk.audit) == rows, kind


def test_an_id_is_taken_in_its_workspace_alone(desk: Desk, database: Database) -> None:
    other = Desk(database, "other")
    desk.trace("t", prompt="one")
    assert other.trace("t", prompt="two") == "t"
    with pytest.raises(NotFound, match="Trace not found"):
        other.spans("elsewhere", span())
    assert desk.count("trace") == other.count("trace") == 1


# Traces and spans


def test_a_trace_without_an_id_gets_one_and_is_deleted_with_what_it_holds(desk: Desk) -> None:
    trace = desk.trace()
    desk.spans(trace, span(metadata=CALL))
    assert desk.used() is not None
    desk.do(desk.ingest.delete_trace(desk.by, trace))
    assert (desk.count("trace"), desk.used()) == (0, None)
    with pytest.raises(NotFound, match="Trace not found"):
        desk.do(desk.ingest.delete_trace(desk.by, trace))
    assert [row.action for row in desk.audit] == ["trace:create", "span:create", "trace:delete"]


def test_a_trace_of_an_exporter_may_be_there_and_takes_a_prompt_that_comes_later(
    desk: Desk,
) -> None:
    desk.do(desk.ingest.export(desk.by, [OtlpTrace("t", None, None, [])]))
    desk.spans("t", span(metadata=CALL))
    assert desk.used() is None
    for name in ("p", "another"):
        desk.do(desk.ingest.export(desk.by, [OtlpTrace("t", name, "1", [])]))
    used = desk.used()
    assert used is not None
    assert (used.calls, desk.count("trace")) == (1, 1)


def test_spans_of_one_batch_are_stored_together_or_not_at_all(desk: Desk) -> None:
    trace = desk.trace()
    desk.spans(trace, span(span_id="taken", name="one"))
    batch = [span(span_id="new", metadata=CALL), span(span_id="taken", name="other")]
    with pytest.raises(Conflict):
        desk.spans(trace, *batch)
    assert desk.used() is None
    assert desk.spans(trace, batch[0]) == ["new"]


def test_a_span_without_an_id_gets_one_and_only_a_call_of_a_model_is_used(desk: Desk) -> None:
    trace = desk.trace()
    calls = [span(span_id=None, metadata=CALL, start_time=0, end_time=20, status="error")] * 2
    ids = desk.spans(trace, *calls, span(span_id=None, metadata={"kind": "tool"}))
    assert len(set(ids)) == 3
    used = desk.used()
    assert used is not None
    assert (used.calls, used.errors, used.tokens_in, used.latency_p95_ms) == (2, 2, 20, 20)


# Runs


def test_a_run_that_names_no_times_has_the_servers(desk: Desk) -> None:
    running = desk.run()
    ended = desk.run(status="completed")
    dated = desk.run(status="failed", start_time=1, end_time=2)
    times = [(run.start_time, run.end_time) for run in (running, ended, dated)]
    assert times == [(5_000, None), (5_000, 5_000), (1, 2)]


def test_a_change_replaces_what_it_names_and_an_end_is_the_first(desk: Desk) -> None:
    run = desk.run(output='"draft"')
    desk.now += 60
    ended = desk.change(run.run_id, status="completed")
    assert ended == run._replace(status="completed", end_time=9_000, updated_at=NOW + 60)
    again = desk.change(run.run_id, status="failed", metadata="{}", now_ms=20_000)
    assert (again.end_time, again.metadata, again.output) == (9_000, "{}", '"draft"')


def test_what_is_not_there_is_neither_changed_deleted_nor_built_on(desk: Desk) -> None:
    stories: list[tuple[Callable[[], Any], str]] = [
        (lambda: desk.change("none", status="failed"), "Run not found"),
        (lambda: desk.do(desk.ingest.delete_run(desk.by, "none")), "Run not found"),
        (lambda: desk.run(trace_id="none"), "Trace not found"),
        (lambda: desk.result(suite=99, number=1.0), "Evaluation not found"),
    ]
    for story, message in stories:
        with pytest.raises(GitpromptError) as error:
            story()
        assert (type(error.value), error.value.message) == (NotFound, message)
    assert desk.audit == []


# Results and points


def test_a_result_is_of_what_its_run_has_traced(desk: Desk) -> None:
    desk.database.write_now(SuiteNames(desk.by.workspace, ["tone"], NOW))
    number = desk.database.read_now(NumberedSuites(desk.by.workspace))["tone"].id
    run = desk.run(trace_id=desk.trace())
    desk.now += 60
    first = desk.result(suite=number, score_id="r", run_id=run.run_id, number=0.75)
    assert first[1] == NOW + 60
    desk.now += 60
    assert desk.result(suite=number, score_id="r", run_id=run.run_id, number=0.75) == first
    with pytest.raises(Conflict, match="Result r exists with other content"):
        desk.result(suite=number, score_id="r", number=0.1)
    used = desk.used()
    assert used is not None
    assert (used.scores, used.mean_score) == (1, 0.75)


def test_points_are_counted_and_named_by_the_first(desk: Desk) -> None:
    points = [
        PointRow(desk.by.workspace, name, 1.0, "gauge", "{}", None, None, 1_000) for name in "ab"
    ]
    assert desk.do(desk.ingest.points(desk.by, points)) == 2
    assert [(row.action, row.target_id) for row in desk.audit] == [("metric:create", "a")]


# When it happened


def test_what_comes_late_counts_in_the_hour_in_which_it_happened(desk: Desk) -> None:
    """Logs, spans of an export, and those of our own; never a span's own clock."""
    then = NOW - 100 * 3_600
    desk.log(prompt_name="p", version_tag="1", created_at=then)
    export = OtlpTrace("t", "p", "1", [span(span_id="a", metadata=CALL, timestamp=then)])
    assert desk.do(desk.ingest.export(desk.by, [export])) == []
    desk.spans("t", span(span_id="b", metadata=CALL, timestamp=then + 60))
    desk.spans("t", span(span_id="c", metadata=CALL, start_time=1, end_time=2))
    rows = desk.database.read_now(StatisticsQuery(desk.by.workspace))
    assert [row.calls for row in rows] == [4]
    lately = desk.database.read_now(StatisticsQuery(desk.by.workspace, since=NOW - 3_600))
    assert [row.calls for row in lately] == [1]
    desk.database.write_now(RollupRebuild(0))
    assert desk.database.read_now(StatisticsQuery(desk.by.workspace)) == rows
    assert desk.database.read_now(StatisticsQuery(desk.by.workspace, since=NOW - 3_600)) == lately


def test_what_is_yet_to_come_is_refused(desk: Desk) -> None:
    desk.log(created_at=NOW + 86_400)
    with pytest.raises(Invalid, match="more than 24 hours ahead"):
        desk.log(created_at=NOW + 86_401)
    early = [span(span_id="a", timestamp=NOW + 90_000), span(span_id="b", timestamp=NOW)]
    said = desk.do(desk.ingest.export(desk.by, [OtlpTrace("t", None, None, early)]))
    assert said == ["timestamp: it is more than 24 hours ahead"]
    with pytest.raises(Conflict):
        desk.spans("t", span(span_id="b", name="another"))


def test_lists_and_retention_go_by_when_it_happened(desk: Desk) -> None:
    for at in (NOW - 5, NOW - 500, NOW - 50):
        desk.log(created_at=at)
    listed, seen = [], None
    while True:
        page = desk.database.read_now(Part(logs.LISTING, desk.by.workspace, Window(1, 0, seen)))
        if not page.rows:
            break
        listed += [row[-1] for row in page.rows]
        seen = logs.LISTING.place_of(page.rows[-1])
    assert listed == [NOW - 5, NOW - 50, NOW - 500]
    assert desk.database.write_now(OldRows(NOW - 40, 100)) >= 2
    page = desk.database.read_now(Part(logs.LISTING, desk.by.workspace, Window(9)))
    assert [row[-1] for row in page.rows] == [NOW - 5]


def test_exports_that_come_at_once_find_their_traces_in_one_group(desk: Desk) -> None:
    exports = [
        [OtlpTrace(f"t{at}-{part}", "p", "1", [span(metadata=CALL)]) for part in range(4)]
        for at in range(200)
    ]

    async def story() -> list[list[str]]:
        return await asyncio.gather(*(desk.ingest.export(desk.by, export) for export in exports))

    assert asyncio.run(story()) == [[]] * 200
    used = desk.used()
    assert used is not None
    assert (used.calls, desk.count("trace")) == (800, 800)


def test_scores_of_several_suites_have_no_mean_together(desk: Desk) -> None:
    workspace = desk.by.workspace
    desk.database.write_now(SuiteNames(workspace, ["accuracy", "csat"], 1))
    numbers = {
        name: suite.id for name, suite in desk.database.read_now(NumberedSuites(workspace)).items()
    }
    for score in (0.5, 1.0):
        desk.result(
            suite=numbers["accuracy"],
            name="accuracy",
            number=score,
            prompt_name="p",
            version_tag="1",
        )
    used = desk.used()
    assert used is not None
    assert (used.scores, used.mean_score) == (2, 0.75)
    desk.result(suite=numbers["csat"], name="csat", number=4.0, prompt_name="p", version_tag="1")
    used = desk.used()
    assert used is not None
    assert (used.scores, used.mean_score) == (3, None)
    assert used.scores_by_suite == {
        "accuracy": {"scores": 2, "mean": 0.75}, "csat": {"scores": 1, "mean": 4.0},
    }  # fmt: skip
    desk.database.write_now(RollupRebuild(0))
    assert desk.used() == used
    desk.database.write_now(SuiteRemoval(workspace, numbers["csat"]))
    used = desk.used()
    assert used is not None
    assert (used.scores, used.mean_score) == (2, 0.75)
