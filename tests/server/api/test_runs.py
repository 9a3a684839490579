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


def test_a_run_says_what_it_is_about_and_names_its_trace_in_any_spelling(client: Client) -> None:
    trace = client.post("/v1/traces", {})["trace_id"]
    about = {
        "session_id": fresh("session"), "user_id": fresh("user"), "environment": fresh("env"),
        "release": fresh("release"),
    }  # fmt: skip
    said = {
        "workflow_name": "w", "run_id": fresh("run"), **about, "tags": [fresh("tag")],
        "trace_id": trace.replace("-", "").upper(), "timestamp": 1_700_000_000,
    }  # fmt: skip
    for _ in range(2):
        run_id = client.post("/v1/runs", said)["run_id"]
    run = client.get(f"/v1/runs/{run_id}")
    assert {key: run[key] for key in (*about, "tags", "trace_id", "created_at")} == {
        **about, "tags": said["tags"], "trace_id": trace, "created_at": 1_700_000_000,
    }  # fmt: skip
    assert run["start_time"] == 1_700_000_000_000
    found_by = (
        *about.items(),
        ("tag", said["tags"][0]),
        ("trace_id", trace),
        ("trace_id", trace.upper()),
    )
    for name, value in found_by:
        assert [one["run_id"] for one in client.get("/v1/runs", **{name: value})["items"]] == [
            run_id
        ]
    assert client.refused("POST", "/v1/runs", {**said, "user_id": "other"})[0] == 409
