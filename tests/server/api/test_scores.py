# SPDX-License-Identifier: Apache-2.0
"""/v1/scores: how traces, spans, sessions and runs went."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client, fresh
from tests.world import Server

TRACE = "550e8400-e29b-41d4-a716-446655440000"


def score(**fields: Any) -> dict[str, Any]:
    return {"name": "user feedback", "value": -1.5, "trace_id": TRACE, **fields}


def test_a_score_comes_back_as_it_was_sent(client: Client) -> None:
    body = score(
        score_id=fresh("s"), span_id="b" * 16, comment="too short", source="human",
        metadata={"by": "ada"}, timestamp=1_700_000_000, session_id="chat 7",
    )  # fmt: skip
    created = client.post("/v1/scores", body)
    timestamp = body.pop("timestamp")
    assert {key: created[key] for key in body} == body
    assert (created["type"], created["created_at"], created["suite"]) == (
        "numeric",
        timestamp,
        None,
    )
    assert created.pop("is_new") is True
    assert client.get(f"/v1/scores/{body['score_id']}") == created
    assert created in client.get("/v1/scores", limit=100)["items"]


@pytest.mark.parametrize(
    ("value", "sent", "type", "back"),
    [
        (0.25, None, "numeric", 0.25), (True, None, "boolean", True), (0, "boolean", "boolean", False),
        ("good", None, "categorical", "good"), ("well said", "text", "text", "well said"),
        (True, "numeric", "numeric", 1.0),
    ],
)  # fmt: skip
def test_a_score_has_the_type_of_its_value(
    client: Client, value: object, sent: str | None, type: str, back: object
) -> None:
    created = client.post("/v1/scores", score(value=value, type=sent))
    assert (created["type"], created["value"]) == (type, back)
    assert isinstance(created["value"], bool) == (type == "boolean")
    assert created.pop("is_new") is True
    assert client.get(f"/v1/scores/{created['score_id']}") == created


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "x", "type": "numeric"}, "value: a numeric score is a number"),
        ({"value": 2, "type": "boolean"}, "value: a boolean score is true, false, 1 or 0"),
        ({"value": 2, "type": "text"}, "value: a text score is text"),
        ({"trace_id": None}, "say what is scored"),
        ({"trace_id": None, "session_id": "s", "span_id": "x"}, "a span is part of a trace"),
        ({"version_tag": "1"}, "a version is one of a prompt"),
        ({"value": 1e7}, "1000000"), ({"value": None}, "value"), ({"name": ""}, "name"),
        ({"timestamp": 1 << 39}, "more than 24 hours ahead"),
    ],
)  # fmt: skip
def test_what_is_no_score_is_refused(client: Client, fields: dict[str, Any], said: str) -> None:
    response = client.http.post("/v1/scores", json=score(**fields))
    assert response.status_code == 422, response.text
    assert said in response.text


def test_an_array_is_stored_as_one_or_not_at_all(client: Client) -> None:
    session = fresh("session")
    several = [score(trace_id=None, session_id=session, value=value) for value in (1, 2, 3)]
    assert len(client.post("/v1/scores", several)) == 3
    several[1]["value"], several[1]["type"] = "x", "boolean"
    response = client.http.post("/v1/scores", json=several)
    assert response.status_code == 422
    assert "[1] value" in response.text
    assert client.get("/v1/scores", session_id=session)["total"] == 3


def test_a_score_with_the_same_id_takes_the_place(client: Client) -> None:
    key = fresh("s")
    client.post("/v1/scores", score(score_id=key, value=1))
    second = score(score_id=key, value="bad", comment="on second thoughts")
    assert [client.post("/v1/scores", second)["is_new"] for _ in range(2)] == [True, False]
    assert client.get(f"/v1/scores/{key}")["value"] == "bad"
    assert client.call("DELETE", f"/v1/scores/{key}") is None
    assert client.refused("GET", f"/v1/scores/{key}") == (404, "Score not found")
    assert client.refused("DELETE", f"/v1/scores/{key}") == (404, "Score not found")


def test_scores_are_of_the_prompt_of_their_trace_and_never_mixed(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "scored"})
    trace = client.post("/v1/traces", {"prompt_name": "welcome", "version_tag": "1.0.0"})[
        "trace_id"
    ]
    client.post(
        "/v1/evaluations", {"name": "tone", "prompt_name": "welcome", "version_tag": "1.0.0"}
    )
    client.post("/v1/evaluations/tone/results", {"score": 0.5})
    for name, value in (("tone", 4), ("tone", 2), ("thumbs up", True), ("mood", "sad")):
        client.post("/v1/scores", score(name=name, value=value, trace_id=trace.upper()))
    (row,) = client.get("/v1/metrics/summary")["items"]
    assert (row["prompt_name"], row["scores"], row["mean_score"]) == ("welcome", 1, 0.5)
    assert row["scores_by_name"] == {
        "thumbs up": {"scores": 1, "mean": 1.0}, "tone": {"scores": 2, "mean": 3.0},
    }  # fmt: skip
    listed = client.get("/v1/scores", name="tone", prompt_name="welcome")["items"]
    assert [one["suite"] for one in listed] == [None, None, "tone"]
    assert client.get("/v1/scores", trace_id=trace.replace("-", ""))["total"] == 4
    assert client.get("/v1/scores", type="categorical")["items"][0]["value"] == "sad"


def test_a_reader_stores_no_score_and_reads_them(server: Server, client: Client) -> None:
    reader = Client(server, "read")
    assert reader.refused("POST", "/v1/scores", score())[0] == 403
    assert reader.refused("DELETE", "/v1/scores/x")[0] == 403
    assert reader.get("/v1/scores")["limit"] > 0


def test_scores_are_audited(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "audited-scores"})
    created = client.post("/v1/scores", score())
    client.call("DELETE", f"/v1/scores/{created['score_id']}")
    actions = [
        (row["action"], row["target_id"]) for row in client.get("/v1/audit-logs", limit=2)["items"]
    ]
    assert actions == [
        ("score:delete", created["score_id"]), ("score:create", created["score_id"]),
    ]  # fmt: skip
