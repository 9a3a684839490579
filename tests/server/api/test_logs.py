# SPDX-License-Identifier: Apache-2.0
"""/v1/logs."""

from __future__ import annotations

import uuid

from tests.server.client import SPAN, Client, fresh


def test_post_logs_and_get_logs(client: Client) -> None:
    name = fresh("logged")
    body = {
        "prompt_name": name, "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
        "tokens_in": 0, "tokens_out": 340, "latency_ms": 0, "cost_usd": 0, "status": "ok",
        "metadata": {"deep": {"er": [1, None]}}, "ollama_options": {"num_ctx": 1}, "unknown": 1,
    }  # fmt: skip
    answer = client.post("/v1/logs", body)
    assert answer == {"id": answer["id"], "status": "accepted"}
    (stored,) = client.get("/v1/logs", prompt_name=name)["items"]
    body.pop("unknown")
    assert {key: stored[key] for key in body} == body
    assert (stored["id"], stored["workspace_id"]) == (answer["id"], "default")
    assert client.get("/v1/logs", prompt_name=name, status="error")["total"] == 0
    assert client.get("/v1/logs", prompt_name=name, since=stored["created_at"] + 1)["total"] == 0
    assert client.refused("GET", "/v1/logs", since="yesterday")[0] == 422


def test_a_log_sent_again_is_the_same_log(client: Client) -> None:
    body = {"prompt_name": fresh("again"), "version_tag": "1", "log_id": fresh("log")}
    first = client.post("/v1/logs", {**body, "metadata": {"a": 1, "b": 2}})
    assert client.post("/v1/logs", {**body, "metadata": {"b": 2, "a": 1}}) == first
    assert client.get("/v1/logs", prompt_name=body["prompt_name"])["total"] == 1
    assert client.refused("POST", "/v1/logs", {**body, "model": "other"})[0] == 409


def test_a_call_counts_once_however_its_trace_is_spelled(client: Client) -> None:
    name, trace_id = fresh("spelled"), str(uuid.uuid4())
    client.post(
        "/v1/traces", {"trace_id": trace_id.upper(), "prompt_name": name, "version_tag": "1"}
    )
    client.post(f"/v1/traces/{trace_id.upper()}/spans", {**SPAN, "span_id": "call"})
    call = {"prompt_name": name, "version_tag": "1", "span_id": "call"}
    client.post("/v1/logs", {**call, "trace_id": trace_id.replace("-", "")})
    (found,) = client.get("/v1/metrics/summary", prompt_name=name)["items"]
    assert found["calls"] == 1
