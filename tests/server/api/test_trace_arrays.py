# SPDX-License-Identifier: Apache-2.0
"""An array of traces with their spans over HTTP: an item for each, and nothing that stops the rest."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.server.client import Client

CALL = {
    "kind": "llm", "model": "gpt-4o", "tokens_in": 10, "tokens_out": 5, "cost_usd": 0.5,
    "prompt_name": "arrays", "prompt_version": "1.0.0",
}  # fmt: skip


def send(client: Client, *traces: Any) -> list[Any]:
    items: list[Any] = client.post("/v1/traces", list(traces))["items"]
    return items


def test_traces_come_with_their_spans_and_are_completed_later(client: Client) -> None:
    trace_id = str(uuid.uuid4())
    span = {
        "name": "call",
        "span_id": "a",
        "status": "ok",
        "metadata": CALL,
        "timestamp": 1_700_000_000,
    }
    (made,) = send(client, {"trace_id": trace_id, "timestamp": 1_700_000_000, "spans": [span]})
    assert made == {"status": 201, "trace_id": trace_id, "spans": 1, "refused": []}
    told = {"trace_id": trace_id.upper(), "name": "chat", "metadata": {"a": 1}, "output": {"x": 1}}
    (there,) = send(client, {**told, "spans": [span, {**span, "span_id": "b"}]})
    assert (there["status"], there["spans"], there["kept"]) == (200, 1, [])
    assert there["metadata"] == {"a": 1}
    (other,) = send(
        client,
        {
            **told,
            "metadata": {"a": 2, "b": 3},
            "output": {"x": 2},
            "spans": [{**span, "name": "x"}],
        },
    )
    assert (other["status"], other["kept"]) == (200, ["output", "metadata.a"])
    assert other["refused"] == [{"span_id": "a", "error": "Span a exists with other content"}]
    found = client.get(f"/v1/traces/{trace_id}")
    assert (found["created_at"], found["name"], found["output"]) == (
        1_700_000_000,
        "chat",
        {"x": 1},
    )
    assert found["metadata"] == {"a": 1, "b": 3}
    assert [one["name"] for one in found["spans"]] == ["call", "call"]


def test_what_is_wrong_stops_nothing_else(client: Client) -> None:
    good = str(uuid.uuid4())
    later = int(time.time()) + 100_000
    items = send(
        client,
        {"trace_id": "legacy-1"},
        7,
        {"trace_id": str(uuid.uuid4()), "timestamp": later},
        {"trace_id": good, "spans": [{"name": "x", "span_id": "x", "timestamp": later}, {"name": "y"}]},
        {"spans": [{"name": ""}]},
    )  # fmt: skip
    assert [item["status"] for item in items] == [422, 422, 422, 201, 422]
    assert [item.get("code") for item in items[:3]] == ["VALIDATION_FAILED"] * 3
    assert (items[3]["spans"], items[3]["refused"][0]["span_id"]) == (1, "x")
    assert "$.spans[0].name" in items[4]["details"]["fields"][0]


def test_the_same_trace_twice_in_one_array_is_one(client: Client) -> None:
    trace = {"trace_id": str(uuid.uuid4()), "name": "n", "spans": [{"name": "a", "span_id": "a"}]}
    first, second = send(client, trace, {**trace, "release": "r"})
    assert (first["status"], second["status"], second["kept"]) == (201, 200, [])
    found = client.get(f"/v1/traces/{trace['trace_id']}")
    assert (found["release"], len(found["spans"])) == ("r", 1)


def test_an_array_has_a_bound_and_may_be_empty(client: Client) -> None:
    status, said = client.refused("POST", "/v1/traces", [{}] * 1_001)
    assert (status, said) == (413, "1001 traces in one request; at most 1000 are taken")
    assert send(client) == []
