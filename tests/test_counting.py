# SPDX-License-Identifier: Apache-2.0
"""Telemetry that is posted, and what /metrics then says: once a row, after its commit."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitprompt.counting import Counting
from gitprompt.ingest import Ingest
from gitprompt.metrics import Registry, SidecarMetrics
from gitprompt.metrics.exposition import expose
from gitprompt.store import retention
from gitprompt.store.audit import Actor
from gitprompt.store.logs import LogRow
from gitprompt.store.telemetry import Telemetry
from tests.scraping import OPENMETRICS, Samples, read, scrape
from tests.world import WELCOME, Clone, Refused, Server, eventually

LOG = {
    "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
    "tokens_in": 120, "tokens_out": 340, "tokens_cached": 20, "latency_ms": 1500,
    "cost_usd": 0.25, "status": "ok",
}  # fmt: skip


class Posting:
    """Posts to a server of its own, and says what a post has added to a series."""

    def __init__(self, server: Server, namespace: str = "gitprompt") -> None:
        self.server = server
        self.namespace = namespace
        self.before = scrape(server, namespace=namespace)

    def post(self, path: str, body: Any, method: str = "POST") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = self.server.request(path, method=method, headers=headers, content=content)
        assert response.status_code < 300, response.text
        return response.json()

    def refused(self, path: str, body: Any) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = self.server.request(path, method="POST", headers=headers, content=content)
        assert response.status_code >= 400, response.text
        return response.status_code

    def trace(self, **more: Any) -> str:
        made: str = self.post("/v1/traces", {"prompt_name": "welcome", **more})["trace_id"]
        return made

    def span(self, trace: str, name: str, **more: Any) -> Any:
        body = {"name": name, "status": "ok", "start_time": 1000, "end_time": 1500, **more}
        return self.post(f"/v1/traces/{trace}/spans", body)

    def added(self) -> Added:
        """What there is more than at the last call."""
        before, self.before = self.before, scrape(self.server, namespace=self.namespace)
        return Added(before, self.before)


class Added:
    def __init__(self, before: Samples, after: Samples) -> None:
        self.before = before
        self.after = after

    def __call__(self, name: str, /, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return round(self.after.values[key] - self.before.values.get(key, 0.0), 9)

    @property
    def changed(self) -> dict[str, float]:
        """Totals by name, of the application's metrics that changed at all."""
        names = {name for name, _ in self.after.values}
        totals = {name: self.after.total(name) - self.before.total(name) for name in names}
        families = ("pipeline", "stage", "provider", "tool", "validation", "eval")
        return {
            name: round(total, 9)
            for name, total in totals.items()
            if total and name.startswith(families) and not name.endswith("_bucket")
        }


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


def test_a_new_server_has_everything_at_0(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    found = scrape(server)
    server.stop()
    for status in ("success", "error"):
        assert found("pipeline_duration_seconds_count", status=status) == 0
        assert found("sync_runs_total", driver="filesystem", result=status) >= 0
    assert found("pipelines_active") == 0
    assert found("moved_tags") == found("rejected_refs") == found("index_versions") == 0
    assert found("metrics_label_overflow_total", name="model") == 0
    assert found("ingest_events_total", kind="span", result="rejected") == 0
    assert found("db_size_bytes", db="telemetry") > 0
    assert found("process_open_fds") > 0


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


def test_every_kind_of_span_counts_as_what_it_is(posting: Posting) -> None:
    trace = posting.trace()
    spans: list[dict[str, Any]] = [
        {"name": "llm-call", "metadata": {"model": "claude", "provider": "anthropic",
                                          "tokens_in": 10, "tokens_out": 5, "cost_usd": 0.5}},
        {"name": "search-call", "metadata": {"kind": "tool", "tool": "web_search"}},
        {"name": "lookup", "status": "error", "metadata": {"type": "tool"}},
        {"name": "schema", "metadata": {"kind": "validator", "validator_type": "output"}},
        {"name": "pii", "metadata": {"kind": "validator", "passed": False}},
        {"name": "parse", "metadata": {"stage_type": "transform"}},
        {"name": "retrieve", "metadata": {"kind": "retriever"}},
        {"name": "plain", "status": "error"},
    ]  # fmt: skip
    posting.post(f"/v1/traces/{trace}/spans",
                 [{"status": "ok", "start_time": 1000, "end_time": 1500, **span} for span in spans])  # fmt: skip
    added = posting.added()
    assert (
        added("provider_requests_total", provider="anthropic", model="claude", status="success")
        == 1
    )
    assert added("provider_cost_total", provider="anthropic", model="claude") == 0.5
    assert added("tool_calls_total", tool="web_search", status="success") == 1
    assert added("tool_calls_total", tool="lookup", status="error") == 1
    assert added("tool_call_duration_seconds_sum", tool="web_search") == 0.5
    assert (
        added("validations_total", validator="schema", validator_type="output", status="passed")
        == 1
    )
    assert added("validations_total", validator="pii", validator_type="other", status="failed") == 1
    assert added("validation_duration_seconds_sum", validator="pii", validator_type="other") == 0.5
    assert added("stage_elements_total", stage="parse", status="success") == 1
    assert added("stage_duration_seconds_count", stage="parse", stage_type="transform") == 1
    assert added("stage_duration_seconds_count", stage="retrieve", stage_type="retriever") == 1
    assert added("stage_elements_total", stage="plain", status="error") == 1
    assert added("stage_duration_seconds_count", stage="plain", stage_type="other") == 1
    assert added.changed["stage_elements_total"] == 3
    assert added("ingest_events_total", kind="span", result="stored") == 8


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
        posting.server.request(
            path, method="POST", headers={"Content-Type": "application/json"}, content=content
        )
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


def test_prompts_labels_and_moves_are_told(clone: Clone, tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    clone.commit("Add welcome", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    clone.push_all(server.remote())
    for version in ("1.0.0", "1.1.0"):
        if version == "1.1.0":
            clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
            clone.tag("welcome", version)
            clone.push_all(server.remote())
        server.request("/v1/prompts/welcome/labels/production", method="PUT",
                       headers={"Content-Type": "application/json"},
                       content=json.dumps({"version_tag": version}).encode())  # fmt: skip
    path = "/v1/prompts/welcome?label=production&variables[name]=A"
    etag = server.request(path).headers["etag"]
    assert server.request(path, headers={"If-None-Match": etag}).status_code == 304
    assert server.request("/v1/prompts/welcome?label=production").status_code == 400
    assert server.request("/v1/prompts/welcome?label=none").status_code == 404
    assert server.request("/v1/prompts/ghost").status_code == 404
    found = scrape(server)
    where = {"workspace": "default"}
    assert {key[1] for key in found.values if key[0] == "label_version_info"} == {
        frozenset({**where, "prompt": "welcome", "label": "production", "version": "1.1.0"}.items())
    }
    assert found("label_moves_total", label="production", **where) == 2
    results = {"ok": 1, "not_modified": 1, "invalid": 1, "not_found": 1}
    for result, number in results.items():
        assert found("prompt_requests_total", prompt="welcome", result=result, **where) == number
    assert found("prompt_requests_total", prompt="other", result="not_found", **where) == 1
    assert found("index_versions") == 2
    assert found("http_request_duration_seconds_count",
                 method="GET", route="/v1/prompts/{name}", status="304") == 1  # fmt: skip
    assert found("http_request_duration_seconds_count", method="POST", status="200",
                 route="/git/{workspace}.git/git-receive-pack") == 2  # fmt: skip
    assert found("http_request_duration_seconds_count", method="PUT", status="200",
                 route="/v1/prompts/{name}/labels/{label}") == 2  # fmt: skip
    server.stop()
    again = scrape(server.start())
    assert again("label_moves_total", label="production", **where) == 0
    server.stop()


def test_routes_are_templates_whatever_is_asked(server: Server) -> None:
    for path in ("/v1/traces/x/y/z", "/v1/runs/a/b", "/nothing", "/v1/prompts/a/labels/b/c/d",
                 "/git/x.git/HEAD", "/v1/prompts/a/labels/b/history", "/v1/evaluations/e/results"):  # fmt: skip
        server.request(path)
    server.request("/health", method="BREW")
    found = scrape(server)
    routes = found.labels("http_request_duration_seconds_count", "route")
    assert {"other", "/git/other", "/v1/prompts/other", "/v1/runs/{run_id}",
            "/v1/prompts/{name}/labels/{label}/history"} <= routes  # fmt: skip
    assert all("/a" not in route and "/x" not in route for route in routes)
    assert found.labels("http_request_duration_seconds_count", "method") <= {
        "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "other",
    }  # fmt: skip


def test_metrics_are_answered_without_a_redirect_and_with_the_format_asked_for(
    server: Server,
) -> None:
    plain = server.request("/metrics", key=None)
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    for accept in (OPENMETRICS, "text/html, application/openmetrics-text;q=0.5"):
        asked = server.request("/metrics", key=None, headers={"Accept": accept})
        assert asked.headers["content-type"].startswith(
            "application/openmetrics-text; version=1.0.0"
        )
        assert asked.text.endswith("# EOF\n")
    head = server.request("/metrics", method="HEAD", key=None)
    assert (head.status_code, head.content) == (200, b"")
    assert server.request("/metrics", method="POST", key=None).status_code == 405
    assert "_created" not in plain.text


def test_metrics_elsewhere_than_on_loopback_need_a_token(tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--host", "0.0.0.0", env={"GITPROMPT_METRICS_TOKEN": "s3cret-token"}
    ).start()
    refused = server.request("/metrics", key=None)
    assert refused.status_code == 401
    assert "GITPROMPT_METRICS_TOKEN" in refused.text
    assert "--metrics-auth" in refused.text
    assert server.request("/metrics", key=server.key("read")).status_code == 401
    assert server.request("/metrics", key=server.key("read", "*")).status_code == 200
    bearer = {"Authorization": "Bearer s3cret-token"}
    assert server.request("/metrics", key=None, headers=bearer).status_code == 200
    wrong = {"Authorization": "Bearer s3cret-tokem"}
    assert server.request("/metrics", key=None, headers=wrong).status_code == 401
    server.stop()
    assert "s3cret" not in server.logged()


def test_metrics_can_have_an_address_of_their_own(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--metrics-addr", "127.0.0.1:0").start()
    assert server.process is not None
    assert server.process.stdout is not None
    said = [server.process.stdout.readline() for _ in range(3)]
    url = said[-1].split()[-1].removesuffix("/metrics")
    assert url != server.url
    assert server.request("/metrics").status_code == 404
    apart = Server(tmp_path / "x")
    apart.url = url
    assert scrape(apart)("build_info", version="0.1.0") == 1
    assert apart.request("/health", key=None).status_code == 200
    assert apart.request("/v1/prompts", key=server.key()).status_code == 404
    server.stop()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--metrics-namespace", "1x", "namespace"),
        ("--metrics-buckets", "pipeline_duration_seconds=5,1", "ascend"),
        ("--metrics-buckets", "pipeline_duration_seconds=1,inf", "finite"),
        ("--metrics-buckets", "nothing=1", "no histogram"),
        ("--metrics-buckets", "pipeline_duration_seconds", "name=value"),
        ("--metrics-caps", "model=0", "between 1 and"),
        ("--metrics-caps", "user=5", "no capped label"),
        ("--metrics-caps", "model=many", "Such as model=300"),
        ("--metrics-caps", "model=1;model=2", "stands twice"),
        ("--metrics-auth", "maybe", "not auto, none or token"),
        ("--metrics-addr", "here", "host:port"),
        ("--prices", "nowhere.yaml", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_told_at_the_start(
    tmp_path: Path, option: str, value: str, says: str
) -> None:
    with pytest.raises(Refused) as refused:
        Server(tmp_path / "data", option, value).start()
    assert says in refused.value.said
    assert "Traceback" not in refused.value.said


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
    telemetry = Telemetry(
        str(tmp_path / "telemetry.db"), on_commit=[Counting(metrics, lambda: 1_000)]
    )
    row = LogRow("default", None, "p", "1", "a", "m", 1, 1, 0, 10, 0.5, None, None, None, "ok",
                 None, None, None, None, 0)  # fmt: skip

    async def story() -> int:
        await Ingest(telemetry, lambda: 1_000).log(Actor("default", "t"), row)
        forgotten: int = await telemetry.write(retention.forget_some, (2_000, 100))
        return forgotten

    assert asyncio.run(story()) > 0
    telemetry.close()
    found = read(b"".join(expose(registry, "").body).decode())
    assert found("provider_cost_total", provider="a", model="m") == 0.5


def test_a_port_for_the_metrics_that_is_in_use_is_told(server: Server, tmp_path: Path) -> None:
    taken = server.url.removeprefix("http://")
    with pytest.raises(Refused, match=r"in use[\s\S]*--metrics-addr"):
        Server(tmp_path / "data", "--metrics-addr", taken).start()
