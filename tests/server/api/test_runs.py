# SPDX-License-Identifier: Apache-2.0
"""/v1/runs."""

from __future__ import annotations

import uuid

from tests.server.client import Client, fresh


def test_runs(client: Client) -> None:
    made = client.post(
        "/v1/runs", {"workflow_name": "headline", "input": {"topic": "AI"}, "metadata": {"a": 1}}
    )
    assert (made["workflow_name"], made["status"]) == ("headline", "running")
    path = f"/v1/runs/{made['run_id']}"
    assert client.call("PATCH", path, {}) == {"message": "No changes"}
    assert client.call("PATCH", path, {"status": "completed", "output": {"h": 1}}) == {
        "run_id": made["run_id"], "status": "updated",
    }  # fmt: skip
    found = client.get(path)
    assert (found["status"], found["input"], found["output"]) == (
        "completed",
        {"topic": "AI"},
        {"h": 1},
    )
    assert found["end_time"] >= found["start_time"]
    assert client.get("/v1/runs", workflow_name="headline")["total"] >= 1
    assert client.call("DELETE", path) is None
    for method in ("GET", "DELETE"):
        assert client.refused(method, path) == (404, "Run not found")
    assert client.refused("PATCH", path, {"status": "failed"}) == (404, "Run not found")


def test_a_run_sent_again_and_a_run_of_an_unknown_trace(client: Client) -> None:
    body = {"workflow_name": "w", "run_id": fresh("run")}
    for _ in range(2):
        assert client.post("/v1/runs", body)["run_id"] == body["run_id"]
    assert client.refused("POST", "/v1/runs", {**body, "workflow_name": "x"})[0] == 409
    unknown = {"workflow_name": "w", "trace_id": str(uuid.uuid4())}
    assert client.refused("POST", "/v1/runs", unknown) == (404, "Trace not found")
