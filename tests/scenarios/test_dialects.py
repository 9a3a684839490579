# SPDX-License-Identifier: Apache-2.0
"""One call, sent in each vocabulary: the same row in GET, the summary, `stats`, the rollups made again, and
Prometheus."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import RollupRebuild, StatisticsQuery
from tests import databases
from tests.core.telemetry.test_dialects import CALLS
from tests.world import Server

COST = 0.00022  # 6 × 2.50, 4 × 1.25 and 20 × 10.00 USD a million
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("dialects") / "data", "--metrics-auth", "none").start()
    yield server
    server.stop()


def workspace_of(dialect: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in dialect.lower()).strip("-")


def sent(server: Server, key: str, path: str, value: Any) -> Any:
    answer = server.request(
        path, key=key, method="POST", headers=JSON, content=json.dumps(value).encode()
    )
    assert answer.status_code < 300, answer.text
    return answer.json()


def counted(server: Server) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in server.request("/metrics").text.splitlines()]
    return {
        name: sum(float(value) for series, _, value in lines if series.startswith(f"gitprompt_{name}{{"))
        for name in ("provider_requests_total", "provider_cost_total", "provider_unpriced_requests_total")
    }  # fmt: skip


def export(attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    trace = uuid.uuid4().hex
    said = {**attributes, "gitprompt.prompt.name": "welcome", "gitprompt.prompt.version": "1.0.0"}
    kinds = {int: "intValue", str: "stringValue", float: "doubleValue"}
    pairs = [{"key": name, "value": {kinds[type(value)]: value}} for name, value in said.items()]
    now = time.time_ns()
    span = {
        "traceId": trace, "spanId": "1" * 16, "name": "call", "attributes": pairs,
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 900_000_000),
    }  # fmt: skip
    return trace, {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


@pytest.mark.parametrize("dialect", CALLS)
def test_every_figure_of_a_call_is_the_same(server: Server, dialect: str) -> None:
    key = server.key(workspace=workspace_of(dialect))
    document = {
        "name": "welcome",
        "version": "1.0.0",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    sent(server, key, "/v1/prompts", document)
    before = counted(server)
    trace, body = export(CALLS[dialect])
    assert sent(server, key, "/otlp/v1/traces", body) == {"partialSuccess": {}}

    (span,) = server.request(f"/v1/traces/{trace}", key=key).json()["spans"]
    assert span["facts"] == {
        "kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens_in": 10, "tokens_out": 20,
        "tokens_cached": 4, "cost_usd": COST, "prompt_name": "welcome", "prompt_version": "1.0.0",
    }  # fmt: skip
    (summed,) = server.request("/v1/metrics/summary", key=key).json()["items"]
    path = "/v1/prompts/welcome/versions?stats=true"
    stats = server.request(path, key=key).json()["items"][0]["stats"]
    for figures in (summed, stats):
        assert {name: figures[name] for name in ("calls", "tokens_in", "tokens_out", "tokens_cached",
                                                 "unpriced", "latency_p50_ms")} == {
            "calls": 1, "tokens_in": 10, "tokens_out": 20, "tokens_cached": 4, "unpriced": 0,
            "latency_p50_ms": 900,
        }  # fmt: skip
        assert figures["cost_usd"] == COST
    after = counted(server)
    assert after["provider_requests_total"] - before["provider_requests_total"] == 1
    assert after["provider_cost_total"] - before["provider_cost_total"] == pytest.approx(COST)
    assert after["provider_unpriced_requests_total"] == before["provider_unpriced_requests_total"]


def test_a_call_that_nobody_can_price_has_no_cost_anywhere(server: Server) -> None:
    key = server.key(workspace="unpriced")
    trace, body = export({**CALLS["OpenTelemetry, newest"], "gen_ai.request.model": "mine",
                          "gen_ai.response.model": "mine"})  # fmt: skip
    before = counted(server)
    sent(server, key, "/otlp/v1/traces", body)
    (span,) = server.request(f"/v1/traces/{trace}", key=key).json()["spans"]
    assert "cost_usd" not in span["facts"]
    (summed,) = server.request("/v1/metrics/summary", key=key).json()["items"]
    assert (summed["calls"], summed["cost_usd"], summed["unpriced"]) == (1, None, 1)
    log = {"prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
           "tokens_in": 10, "tokens_out": 20, "tokens_cached": 4}  # fmt: skip
    sent(server, key, "/v1/logs", log)
    (listed,) = server.request("/v1/logs", key=key).json()["items"]
    assert listed["cost_usd"] == COST
    (summed,) = server.request("/v1/metrics/summary", key=key).json()["items"]
    assert (summed["calls"], summed["cost_usd"], summed["unpriced"]) == (2, COST, 1)
    after = counted(server)
    assert (
        after["provider_unpriced_requests_total"] - before["provider_unpriced_requests_total"] == 1
    )


def test_the_rollups_made_again_are_those_that_were_kept(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    workspaces = [workspace_of(dialect) for dialect in CALLS]
    for dialect, workspace in zip(CALLS, workspaces, strict=True):
        _, body = export(CALLS[dialect])
        sent(server, server.key(workspace=workspace), "/otlp/v1/traces", body)
    server.stop()
    database = Database(databases.location(server.data))
    kept = [database.read_now(StatisticsQuery(workspace)) for workspace in workspaces]
    database.write_now(RollupRebuild(0))
    assert [database.read_now(StatisticsQuery(workspace)) for workspace in workspaces] == kept
    database.close()
    assert [(row.calls, row.cost_usd) for rows in kept for row in rows] == [(1, COST)] * len(CALLS)
