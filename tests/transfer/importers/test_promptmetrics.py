# SPDX-License-Identifier: Apache-2.0
"""What a server of the REST contract answers comes back the same."""

from __future__ import annotations

import uuid

from tests.server.client import Client, fresh
from tests.transfer.moving_in import House
from tests.world import Server


def filled(client: Client) -> str:
    trace_id = str(uuid.uuid4())
    for version in ("1.0.0", "1.1.0"):
        client.post(
            "/v1/prompts",
            {
                "name": "a",
                "version": version,
                "messages": [{"role": "user", "content": f"Hi {version} {{{{x}}}}"}],
            },
        )
    client.post("/v1/prompts/a/labels", {"name": "production", "version_tag": "1.0.0"})
    span = {
        "span_id": "s",
        "name": "n",
        "start_time": 10,
        "end_time": 30,
        "metadata": {"kind": "llm", "model": "m", "tokens_in": 3},
    }
    client.post(
        "/v1/traces",
        {
            "trace_id": trace_id,
            "prompt_name": "a",
            "version_tag": "1.0.0",
            "metadata": {"k": {"x": 1}},
            "timestamp": 1_700_000_000,
        },
    )
    client.post(f"/v1/traces/{trace_id}/spans", span)
    client.post(
        "/v1/logs",
        {
            "prompt_name": "a",
            "version_tag": "1.0.0",
            "model": "m",
            "tokens_in": 5,
            "timestamp": 1_700_000_100,
        },
    )
    client.post(
        "/v1/runs",
        {
            "run_id": str(uuid.uuid4()),
            "workflow_name": "w",
            "status": "completed",
            "trace_id": trace_id,
        },
    )
    return trace_id


def test_one_server_moves_to_another_by_its_api(house: House, server: Server) -> None:
    other = fresh("from")
    source = Client(server, **{"X-Workspace-Id": other})
    trace_id = filled(source)
    live = ("--url", server.url, "--key", server.key(workspace=other), "--rate", "0")
    for new in (True, False):
        report = house.migrate(house="promptmetrics", options=live)
        assert report["counts"]["prompt versions"] == {"new": 2 * new, "there": 2 * (not new)}
        assert report["counts"]["spans"]["new"] == int(new)
    assert (
        house.client.get("/v1/prompts/a?label=production&render=false")["content"]["messages"]
        == source.get("/v1/prompts/a?label=production&render=false")["content"]["messages"]
    )
    trace = house.client.get(f"/v1/traces/{trace_id}")
    assert (trace["created_at"], trace["metadata"]["k"], trace["spans"][0]["start_time"]) == (
        1_700_000_000,
        {"x": 1},
        10,
    )
    for path in ("/v1/logs", "/v1/runs"):
        (mine,), (theirs,) = house.client.get(path)["items"], source.get(path)["items"]
        assert mine["created_at"] == theirs["created_at"]
    assert house.client.get("/v1/logs")["total"] == house.client.get("/v1/runs")["total"] == 1
