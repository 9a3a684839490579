# SPDX-License-Identifier: Apache-2.0
"""Telemetry that is posted, and what /metrics then says: once a row, after its commit."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitprompt.counting import Counting
from gitprompt.ingest import Ingest
from gitprompt.metrics import Registry, SidecarMetrics
from gitprompt.metrics.exposition import expose
from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.logs import LogRow
from gitprompt.store.tables.retention import OldRows
from tests.scraping import OPENMETRICS, Posting, read, scrape
from tests.world import Server, eventually

LOG = {
    "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
    "tokens_in": 120, "tokens_out": 340, "tokens_cached": 20, "latency_ms": 1500,
    "cost_usd": 0.25, "status": "ok",
}  # fmt: skip


@pytest.fixture
def posting(server: Server) -> Posting:
    return Posting(server)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small caps, another namespace, and another price table."""
    folder = tmp_path_factory.mktemp("small")
    prices = folder / "prices.yaml"
    prices.write_text(
        'as_of: "2026-01-31"\nprices:\n  acme:\n    large: {input: 10, output: 20, cached: 1}\n'
    )
    server = Server(
        folder / "data", "--metrics-namespace", "promptkit", "--metrics-caps", "model=5;tool=3",
        "--prices", str(prices), "--metrics-run-expiry", "1",
        "--metrics-buckets", "tool_call_duration_seconds=0.5,7",
    )  # fmt: skip
    yield server.start()
    server.stop()


def test_a_log_counts_as_a_call_of_its_model(posting: Posting) -> None:
    posting.post("/v1/logs", LOG)
    posting.post("/v1/logs", {**LOG, "status": "error", "latency_ms": 40_000, "cost_usd": 0})
    added = posting.added()
    labels = {"provider": "openai", "model": "gpt-4o"}
    for status in ("success", "error"):
        assert added("provider_requests_total", status=status, **labels) == 1
    for type, tokens in (("input", 200), ("cached", 40), ("output", 680)):
        assert added("provider_tokens_total", type=type, **labels) == tokens
    assert added("provider_cost_total", **labels) == 0.25
    assert added("provider_request_duration_seconds_count", **labels) == 2
    assert added("provider_request_duration_seconds_sum", **labels) == 41.5
    assert added("provider_request_duration_seconds_bucket", le="2.5", **labels) == 1
    assert added("provider_request_duration_seconds_bucket", le="60.0", **labels) == 2
    assert added("provider_unpriced_requests_total", **labels) == 0
    assert added("ingest_events_total", kind="log", result="stored") == 2
    assert added("ingest_commit_duration_seconds_count") >= 1


TIMED = {"status": "ok", "start_time": 1_000, "end_time": 1_500}


def counted(posting: Posting, *spans: dict[str, Any]) -> Any:
    """What the metrics say more after these spans of half a second."""
    posting.post(f"/v1/traces/{posting.trace()}/spans", [{**TIMED, **span} for span in spans])
    return posting.added()


def test_a_call_of_a_model_counts_with_its_cost(posting: Posting) -> None:
    metadata = {"model": "claude", "provider": "anthropic", "tokens_in": 10, "tokens_out": 5,
                "cost_usd": 0.5}  # fmt: skip
    added = counted(posting, {"name": "llm-call", "metadata": metadata})
    labels = {"provider": "anthropic", "model": "claude"}
    assert added("provider_requests_total", **labels, status="success") == 1
    assert added("provider_cost_total", **labels) == 0.5


def test_a_tool_counts_under_its_own_name_or_the_spans(posting: Posting) -> None:
    added = counted(
        posting,
        {"name": "search-call", "metadata": {"kind": "tool", "tool": "web_search"}},
        {"name": "lookup", "status": "error", "metadata": {"type": "tool"}},
    )
    assert added("tool_calls_total", tool="web_search", status="success") == 1
    assert added("tool_calls_total", tool="lookup", status="error") == 1
    assert added("tool_call_duration_seconds_sum", tool="web_search") == 0.5


def test_a_validator_counts_as_passed_or_failed(posting: Posting) -> None:
    added = counted(
        posting,
        {"name": "schema", "metadata": {"kind": "validator", "validator_type": "output"}},
        {"name": "pii", "metadata": {"kind": "validator", "passed": False}},
    )
    schema = {"validator": "schema", "validator_type": "output", "status": "passed"}
    pii = {"validator": "pii", "validator_type": "other"}
    assert added("validations_total", **schema) == 1
    assert added("validations_total", **pii, status="failed") == 1
    assert added("validation_duration_seconds_sum", **pii) == 0.5


def test_any_other_span_counts_as_a_stage(posting: Posting) -> None:
    added = counted(
        posting,
        {"name": "parse", "metadata": {"stage_type": "transform"}},
        {"name": "retrieve", "metadata": {"kind": "retriever"}},
        {"name": "plain", "status": "error"},
    )
    assert added("stage_elements_total", stage="parse", status="success") == 1
    assert added("stage_duration_seconds_count", stage="parse", stage_type="transform") == 1
    assert added("stage_duration_seconds_count", stage="retrieve", stage_type="retriever") == 1
    assert added("stage_elements_total", stage="plain", status="error") == 1
    assert added("stage_duration_seconds_count", stage="plain", stage_type="other") == 1
    assert added.changed["stage_elements_total"] == 3


def test_each_span_is_one_stored_event_whatever_it_is(posting: Posting) -> None:
    kinds = ("tool", "validator", "retriever", "llm")
    added = counted(posting, *({"name": kind, "metadata": {"kind": kind}} for kind in kinds))
    assert added("ingest_events_total", kind="span", result="stored") == 4


def test_a_batch_that_is_sent_twice_counts_once(posting: Posting) -> None:
    trace = posting.trace()
    batch = [
        {"span_id": f"s{number}", "name": "again", "start_time": 0, "end_time": 100,
         "metadata": {"kind": "tool"}}
        for number in range(5)
    ]  # fmt: skip
    log = {**LOG, "log_id": str(uuid.uuid4())}
    for _ in range(3):
        posting.post(f"/v1/traces/{trace}/spans", batch)
        posting.post("/v1/logs", log)
    posting.post(f"/v1/traces/{trace}/spans", [*batch, {**batch[0], "span_id": "new"}])
    added = posting.added()
    assert added("tool_calls_total", tool="again", status="success") == 6
    assert added("tool_call_duration_seconds_sum", tool="again") == 0.6
    assert added.changed["provider_requests_total"] == 1
    assert added("ingest_events_total", kind="span", result="stored") == 6
    assert added("ingest_events_total", kind="span", result="duplicate") == 15
    assert added("ingest_events_total", kind="log", result="duplicate") == 2


def test_a_call_that_is_logged_and_traced_counts_once(posting: Posting) -> None:
    """Whichever comes first; and a log that knows more than the span adds what it knows more."""
    metadata = {"kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens_in": 100}
    for first in ("log", "span"):
        trace = posting.trace()
        log = {**LOG, "trace_id": trace, "span_id": "call", "tokens_cached": 0}
        steps = [
            lambda log=log: posting.post("/v1/logs", log),
            lambda trace=trace: posting.span(
                trace, "call", span_id="call", metadata={**metadata, "cost_usd": 0.1}
            ),
        ]
        for step in steps if first == "log" else reversed(steps):
            step()
        added = posting.added()
        labels = {"provider": "openai", "model": "gpt-4o"}
        assert added.changed["provider_requests_total"] == 1, first
        assert added.changed["provider_request_duration_seconds_count"] == 1
        assert added("provider_tokens_total", type="input", **labels) == 120
        assert added("provider_tokens_total", type="output", **labels) == 340
        assert added("provider_cost_total", **labels) == 0.25


SPAN = {"span_id": "call", "name": "call", "status": "ok", "start_time": 0, "end_time": 2_000}


@pytest.mark.parametrize("first", ["log", "span"])
@pytest.mark.parametrize(
    ("log", "span", "expected"),
    [
        # the price table's cost of the first, the cost sent with the second, and neither twice
        ({"tokens_in": 1_000_000, "cost_usd": 2.5}, {"tokens_in": 1_000_000},
         {"provider_cost_total": 2.5}),
        ({"tokens_in": 1_000_000}, {}, {"provider_cost_total": 2.5}),
        ({}, {"tokens_in": 500, "tokens_out": 7, "cost_usd": 1.5},
         {"provider_cost_total": 1.5, "provider_tokens_total": 507}),
        ({"tokens_in": 10, "latency_ms": 3_000}, {"tokens_in": 4, "tokens_cached": 4},
         {"provider_tokens_total": 14}),
    ],
)  # fmt: skip
def test_the_second_to_tell_of_a_call_adds_what_it_knows_more(
    posting: Posting, first: str, log: Any, span: Any, expected: Mapping[str, float]
) -> None:
    trace = posting.trace()
    model = {"provider": "openai", "model": "gpt-4o"}
    steps = {
        "log": ("/v1/logs", {"prompt_name": "p", "version_tag": "1", "trace_id": trace,
                             "span_id": "call", "status": "ok", **model, **log}),
        "span": (f"/v1/traces/{trace}/spans", {**SPAN, "metadata": {"kind": "llm", **model, **span}}),
    }  # fmt: skip
    for name in sorted(steps, key=lambda name: name != first):
        posting.post(*steps[name])
    changed = posting.added().changed
    assert changed["provider_requests_total"] == 1
    assert changed["provider_request_duration_seconds_count"] == 1
    for name, value in expected.items():
        assert changed[name] == pytest.approx(value), name


def test_a_tool_that_contains_a_logged_call_counts_all_the_same(posting: Posting) -> None:
    """A log that is written inside a tool's span carries the id of that span."""
    trace = posting.trace()
    posting.post("/v1/logs", {**LOG, "trace_id": trace, "span_id": "outer"})
    spans = [
        {"span_id": "outer", "name": "outer", "status": "error", "metadata": {"kind": "tool"}},
        {"span_id": "inner", "name": "inner", "metadata": {"kind": "llm", "model": "gpt-4o"}},
    ]
    posting.post(f"/v1/traces/{trace}/spans", spans)
    added = posting.added()
    assert added("tool_calls_total", tool="outer", status="error") == 1
    assert added.changed["provider_requests_total"] == 2


def test_a_call_that_failed_twice_makes_no_series(posting: Posting) -> None:
    trace = posting.trace()
    failed = {"provider": "openai", "model": "typo-1", "status": "error"}
    posting.post(
        f"/v1/traces/{trace}/spans",
        {**SPAN, "status": "error", "metadata": {"kind": "llm", **failed}},
    )
    posting.post("/v1/logs", {**LOG, **failed, "trace_id": trace, "span_id": "call"})
    added = posting.added()
    assert added.changed["provider_requests_total"] == 1
    assert "typo-1" not in added.after.labels("provider_requests_total", "model")


def test_failures_cannot_take_all_places_of_providers(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    posting = Posting(server)
    for number in range(40):
        posting.post("/v1/logs", {**LOG, "provider": f"junk{number}", "status": "error"})
    posting.post("/v1/logs", {**LOG, "provider": "mistral", "model": "large"})
    added = posting.added()
    server.stop()
    labels = {"provider": "mistral", "model": "large", "status": "success"}
    assert added("provider_requests_total", **labels) == 1


def test_each_exemplar_has_the_trace_of_its_own_call(posting: Posting) -> None:
    """Many calls of one transaction, quick and slow ones: a dot must lead to what it shows."""
    calls = {str(uuid.uuid4()): seconds for seconds in (0.1, 400.0) * 10}

    def post(call: tuple[str, float]) -> None:
        trace, seconds = call
        latency = round(seconds * 1000)
        posting.post("/v1/logs", {**LOG, "model": "dots", "trace_id": trace, "latency_ms": latency})

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(post, calls.items()))
    found = scrape(posting.server, accept=OPENMETRICS)
    dots = [one for key, one in found.exemplars.items() if ("model", "dots") in key[1]]
    assert len(dots) == 2
    assert all(calls[one.labels["trace_id"]] == one.value for one in dots)


def test_a_run_counts_once_however_often_it_ends(posting: Posting) -> None:
    run = posting.post("/v1/runs", {"workflow_name": "w", "start_time": 10_000})["run_id"]
    assert posting.added()("pipelines_active") == 1
    path = f"/v1/runs/{run}"
    for status in ("completed", "completed", "failed", "running", "completed"):
        posting.post(path, {"status": status, "end_time": 12_000}, method="PATCH")
    added = posting.added()
    assert added("pipelines_active") == -1
    assert added("pipeline_duration_seconds_count", status="success") == 1
    assert added("pipeline_duration_seconds_sum", status="success") == 2
    assert added("pipeline_duration_seconds_count", status="error") == 0


def test_a_run_that_is_posted_as_it_ended_counts(posting: Posting) -> None:
    run = {"run_id": str(uuid.uuid4()), "workflow_name": "w", "status": "failed",
           "start_time": 0, "end_time": 250}  # fmt: skip
    for _ in range(2):
        posting.post("/v1/runs", run)
    added = posting.added()
    assert added("pipelines_active") == 0
    assert added("pipeline_duration_seconds_count", status="error") == 1
    assert added("pipeline_duration_seconds_sum", status="error") == 0.25
    assert added("ingest_events_total", kind="run", result="duplicate") == 1


def test_a_run_that_is_deleted_is_not_active(posting: Posting) -> None:
    run = posting.post("/v1/runs", {"workflow_name": "w"})["run_id"]
    assert posting.added()("pipelines_active") == 1
    posting.server.request(f"/v1/runs/{run}", method="DELETE")
    assert posting.added()("pipelines_active") == -1


def test_a_clock_that_jumps_back_makes_0_seconds(posting: Posting) -> None:
    run = posting.post("/v1/runs", {"workflow_name": "w", "start_time": 10_000})["run_id"]
    posting.post(f"/v1/runs/{run}", {"status": "completed", "end_time": 4_000}, method="PATCH")
    posting.span(posting.trace(), "jumped", start_time=2_000, end_time=1_000)
    added = posting.added()
    assert added("pipeline_duration_seconds_count", status="success") == 1
    assert added("pipeline_duration_seconds_sum", status="success") == 0
    assert added("stage_duration_seconds_sum", stage="jumped", stage_type="other") == 0


def test_results_of_a_suite_pass_by_its_criteria(posting: Posting) -> None:
    posting.post(
        "/v1/prompts", {"name": "judged", "version": "1.0.0",
                        "messages": [{"role": "user", "content": "Hi"}]},
    )  # fmt: skip
    for name, criteria in (("strict", {"min_score": 0.8}), ("loose", {})):
        posting.post(
            "/v1/evaluations", {"name": name, "prompt_name": "judged", "criteria": criteria}
        )
    posting.added()
    for score in (0.9, 0.8, 0.5):
        result = {"score": score, "result_id": str(score)}
        for _ in range(2):
            posting.post("/v1/evaluations/strict/results", result)
    posting.post("/v1/evaluations/loose/results", {"score": 0.3})
    posting.post("/v1/evaluations/strict/results", {"metadata": {}})
    added = posting.added()
    strict = {"validator": "strict", "validator_type": "eval"}
    assert added("evals_total", suite="strict", status="passed") == 2
    assert added("evals_total", suite="strict", status="failed") == 1
    assert added("evals_total", suite="strict", status="unjudged") == 1
    assert added("evals_total", suite="loose", status="unjudged") == 1
    assert added("eval_score_sum", suite="strict") == 2.2
    assert added("eval_score_count", suite="strict") == 3
    assert added("validations_total", status="passed", **strict) == 2
    assert added("validations_total", status="failed", **strict) == 1
    assert added("ingest_events_total", kind="result", result="duplicate") == 3


def test_what_is_refused_is_counted_as_rejected_and_as_nothing_else(posting: Posting) -> None:
    trace = posting.trace()
    posting.added()
    assert posting.refused("/v1/logs", {"status": "ok"}) == 422
    assert posting.refused("/v1/logs", b"{") == 400
    assert posting.refused(f"/v1/traces/{trace}/spans", [{"name": 1}, {}]) == 422
    assert posting.refused("/v1/traces/none/spans", [{"name": "a"}, {"name": "b"}]) == 404
    posting.span(trace, "a", span_id="same")
    conflict = {"name": "b", "span_id": "same"}
    assert posting.refused(f"/v1/traces/{trace}/spans", conflict) == 409
    added = posting.added()
    assert added("ingest_events_total", kind="log", result="rejected") == 2
    assert added("ingest_events_total", kind="span", result="rejected") == 1 + 2 + 1
    assert added("ingest_events_total", kind="span", result="stored") == 1
    assert added.changed["stage_elements_total"] == 1
    assert "provider_requests_total" not in added.changed


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-1", "1e400", "null", '"1"'])
def test_no_number_poisons_a_sum(posting: Posting, number: str) -> None:
    """What the interface takes is counted as 0, and what it refuses not at all."""
    trace = posting.trace()
    log = '{"prompt_name":"p","version_tag":"1","provider":"openai","model":"sane",'
    for path, body in (
        ("/v1/logs", log + '"cost_usd":%s}'),
        ("/v1/logs", log + '"latency_ms":%s}'),
        (f"/v1/traces/{trace}/spans", '{"name":"s","start_time":0,"end_time":%s}'),
        (f"/v1/traces/{trace}/spans", '{"name":"s","metadata":{"model":"m","tokens_in":%s}}'),
        (f"/v1/traces/{trace}/spans", '{"name":"s","metadata":{"kind":"llm","cost_usd":%s}}'),
    ):
        content = body.replace("%s", number).encode()
        response = posting.server.request(
            path, method="POST", headers={"Content-Type": "application/json"}, content=content
        )
        assert response.status_code < 500
    after = posting.added().after
    assert all(value == value and 0 <= value < 1e12 for value in after.values.values())
    assert scrape(posting.server, accept=OPENMETRICS)("pipelines_active") >= 0


def test_names_that_cannot_be_labels_are_cleaned(posting: Posting) -> None:
    """A lone surrogate, an empty name, none at all, quotes and newlines, 5,000 letters."""
    trace = posting.trace()
    for name in (
        '"\\ud800"',
        '""',
        "null",
        '"a\\"b\\nc\\\\"',
        '"é→"',
        json.dumps("x" * 5_000),
        "7",
    ):
        tool = '[{"name":"s","metadata":{"kind":"tool","tool":%s}},{"name":%s}]'
        body = tool.replace("%s", name)
        headers = {"Content-Type": "application/json"}
        for content in (body.encode(), body.partition(",{")[0].encode() + b"]"):
            posting.server.request(
                f"/v1/traces/{trace}/spans", method="POST", headers=headers, content=content
            )
    tools = posting.added().after.labels("tool_calls_total", "tool")
    assert {'a"b\nc\\', "é→", "x" * 128} <= tools
    assert not {"", "None"} & tools
    assert max(map(len, tools)) <= 128


def test_10000_models_become_as_many_as_the_cap(small: Server) -> None:
    posting = Posting(small, "promptkit")
    trace = posting.trace()
    for at in range(0, 10_000, 1_000):
        batch = [
            {"name": "c", "metadata": {"provider": "acme", "model": f"m{at + n}", "tokens_in": 1}}
            for n in range(1_000)
        ]
        posting.post(f"/v1/traces/{trace}/spans", batch)
    found = scrape(small, namespace="promptkit")
    models = found.labels("provider_requests_total", "model")
    assert models == {"m0", "m1", "m2", "m3", "m4", "other"}
    assert (
        found("provider_requests_total", provider="acme", model="other", status="success") == 9_995
    )
    assert found("metrics_label_overflow_total", name="model") >= 1
    assert found.total("provider_tokens_total") == 10_000


def test_a_model_that_only_ever_failed_has_no_series(posting: Posting) -> None:
    posting.post("/v1/logs", {**LOG, "model": "gpt-typo", "status": "error"})
    added = posting.added()
    assert added("provider_requests_total", provider="openai", model="other", status="error") == 1
    assert "gpt-typo" not in added.after.labels("provider_requests_total", "model")
    posting.post("/v1/logs", {**LOG, "model": "gpt-typo"})
    posting.post("/v1/logs", {**LOG, "model": "gpt-typo", "status": "error"})
    assert (
        posting.added()(
            "provider_requests_total", provider="openai", model="gpt-typo", status="error"
        )
        == 1
    )


def test_costs_come_from_the_table_where_nobody_sent_them(small: Server) -> None:
    posting = Posting(small, "promptkit")
    log = {**LOG, "provider": "Acme", "model": "Large-2026-01-01"}
    del log["cost_usd"]
    posting.post("/v1/logs", log)
    posting.post("/v1/logs", {**log, "model": "unknown"})
    changed = posting.added().changed
    assert changed["provider_cost_total"] == (100 * 10 + 340 * 20 + 20 * 1) / 1_000_000
    assert changed["provider_unpriced_requests_total"] == 1


def test_settings_reach_the_metrics(small: Server) -> None:
    posting = Posting(small, "promptkit")
    posting.span(posting.trace(), "t", metadata={"kind": "tool"}, start_time=0, end_time=6_000)
    posting.post("/v1/runs", {"workflow_name": "w"})
    found = scrape(small, namespace="promptkit")
    assert found.labels("tool_call_duration_seconds_bucket", "le") == {"0.5", "7.0", "+Inf"}
    assert found("tool_call_duration_seconds_bucket", tool="t", le="7.0") == 1
    eventually(lambda: scrape(small, namespace="promptkit")("pipelines_active") == 0)


def test_exemplars_lead_to_traces_and_an_id_that_would_not_fit_is_refused(
    posting: Posting,
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    posting.post("/v1/logs", {**LOG, "trace_id": trace, "model": "traced"})
    assert posting.refused("/v1/logs", {**LOG, "trace_id": "l" * 200}) == 422
    posting.post("/v1/runs", {"workflow_name": "w", "status": "completed"})
    found = scrape(posting.server, accept=OPENMETRICS)
    traces = {
        dict(key[1])["model"]: exemplar.labels["trace_id"]
        for key, exemplar in found.exemplars.items()
        if key[0] == "provider_request_duration_seconds_bucket"
    }
    assert traces["traced"] == trace


def test_after_a_restart_runs_are_active_and_series_are_at_0(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    posting = Posting(server)
    posting.post("/v1/logs", LOG)
    posting.post("/v1/runs", {"workflow_name": "w"})
    posting.span(posting.trace(), "search", metadata={"kind": "tool"})
    server.stop(9)
    found = scrape(server.start())
    server.stop()
    assert found("pipelines_active") == 1
    labels = {"provider": "openai", "model": "gpt-4o"}
    assert found("provider_requests_total", status="error", **labels) == 0
    assert found("provider_tokens_total", type="cached", **labels) == 0
    assert found("tool_calls_total", tool="search", status="error") == 0


def test_an_otlp_export_counts_its_spans_once(posting: Posting) -> None:
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat",
        "startTimeUnixNano": "1000000000", "endTimeUnixNano": "3000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.system", "value": {"stringValue": "mistral"}},
            {"key": "gen_ai.response.model", "value": {"stringValue": "large"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
        ],
    }  # fmt: skip
    tool = {
        **span, "spanId": "eee19b7ec3c1b175", "status": {"code": 2},
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "gen_ai.tool.name", "value": {"stringValue": "calculator"}},
        ],
    }  # fmt: skip
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span, tool]}]}]}
    for _ in range(2):
        posting.post("/v1/traces", body)
    added = posting.added()
    assert added("provider_tokens_total", provider="mistral", model="large", type="input") == 7
    assert added("provider_request_duration_seconds_sum", provider="mistral", model="large") == 2
    assert added("tool_calls_total", tool="calculator", status="error") == 1
    assert added("ingest_events_total", kind="trace", result="stored") == 1
    assert added("ingest_events_total", kind="span", result="duplicate") == 2


def test_retention_lowers_no_counter(tmp_path: Path) -> None:
    """What is forgotten was counted; a counter that falls would read as a restart."""
    metrics = SidecarMetrics()
    registry = Registry()
    registry.register(metrics)
    database = Database(
        str(tmp_path / "telemetry.db"), on_commit=[Counting(metrics, lambda: 1_000)]
    )
    row = LogRow("default", None, "p", "1", "a", "m", 1, 1, 0, 10, 0.5, None, None, None, "ok",
                 None, None, None, None, None, 0)  # fmt: skip

    async def story() -> int:
        await Ingest(database, lambda: 1_000).log(Actor("default", "t"), row)
        return await database.write(OldRows(2_000, 100))

    assert asyncio.run(story()) > 0
    database.close()
    found = read(b"".join(expose(registry, "").body).decode())
    assert found("provider_cost_total", provider="a", model="m") == 0.5
