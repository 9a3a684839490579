# SPDX-License-Identifier: Apache-2.0
"""/v1/metrics: custom points, and how each version does."""

from __future__ import annotations

from tests.server.client import SPAN, Client, fresh, publish


def test_custom_metrics(client: Client) -> None:
    name = fresh("thumbs").replace("-", "_")
    points = [
        {"name": name, "value": v, "timestamp": 60_000 * at} for at, v in ((1, 2), (1, 4), (3, 5))
    ]
    assert client.post("/v1/metrics", points) == {"accepted": 3}
    assert client.post("/v1/metrics", {"name": name, "value": 1, "labels": {"a": "b"}}) == {
        "accepted": 1
    }
    found = client.get("/v1/metrics", name=name, until=1_000_000, step=60_000)
    assert found["points"] == [
        {"timestamp": 60_000, "value": 3.0, "points": 2},
        {"timestamp": 180_000, "value": 5.0, "points": 1},
    ]
    last = client.get("/v1/metrics", name=name, until=1_000_000, step=1_000_000, agg="last")
    assert last["points"][0]["value"] == 5.0
    assert client.refused("GET", "/v1/metrics")[0] == 422
    assert client.refused("GET", "/v1/metrics", name=name, agg="magic")[0] == 422


def test_statistics_say_how_a_version_did(client: Client) -> None:
    name = fresh("measured")
    publish(client, name, "1.2.0", "a")
    publish(client, name, "1.3.0", "b")
    for latency in range(1, 101):
        client.post("/v1/logs", {"prompt_name": name, "version_tag": "1.3.0", "latency_ms": latency,
                                 "tokens_in": 10, "tokens_out": 1, "cost_usd": 0.01,
                                 "status": "error" if latency > 90 else "ok"})  # fmt: skip
    trace = client.post("/v1/traces", {"prompt_name": name, "version_tag": "1.2.0"})["trace_id"]
    client.post(f"/v1/traces/{trace}/spans", {**SPAN, "span_id": "call"})
    call = {"prompt_name": name, "version_tag": "1.2.0", "trace_id": trace, "span_id": "call",
            "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500}  # fmt: skip
    client.post("/v1/logs", call)  # the same call: it counts once
    run_id = client.post("/v1/runs", {"workflow_name": "w", "trace_id": trace})["run_id"]
    suite = fresh("suite")
    client.post("/v1/evaluations", {"name": suite, "prompt_name": name})
    for score in (0.5, 1.0):
        client.post(f"/v1/evaluations/{suite}/results", {"run_id": run_id, "score": score})
    versions = client.get(f"/v1/prompts/{name}/versions", stats="true")["items"]
    stats = {version["version_tag"]: version["stats"] for version in versions}
    assert (stats["1.3.0"]["calls"], stats["1.3.0"]["errors"], stats["1.3.0"]["error_rate"]) == (
        100,
        10,
        0.1,
    )
    assert (stats["1.3.0"]["latency_p50_ms"], stats["1.3.0"]["latency_p95_ms"]) == (50, 95)
    assert (stats["1.3.0"]["tokens_in"], stats["1.3.0"]["cost_usd"]) == (1000, 1.0)
    assert (stats["1.2.0"]["calls"], stats["1.2.0"]["tokens_out"]) == (1, 340)
    assert (stats["1.2.0"]["scores"], stats["1.2.0"]["mean_score"]) == (2, 0.75)
    assert list(stats["1.2.0"]["scores_by_suite"].values()) == [{"scores": 2, "mean": 0.75}]
    summary = client.get("/v1/metrics/summary", window="1h", prompt_name=name)["items"]
    assert {item["version_tag"]: item for item in summary} == stats
    assert client.refused("GET", "/v1/metrics/summary", window="1y")[0] == 422


def test_statistics_stay_with_versions(client: Client) -> None:
    name = fresh("plain")
    publish(client, name)
    client.post(f"/v1/prompts/{name}/labels", {"name": "production"})
    response = client.http.get(f"/v1/prompts/{name}", params={"stats": "true"})
    assert response.status_code == 400  # statistics change: they stay with the list of versions
    response = client.http.get(f"/v1/prompts/{name}")
    assert response.headers["etag"]
    (label,) = client.get(f"/v1/prompts/{name}/labels")["items"]
    assert "stats" not in label
