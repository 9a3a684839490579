# SPDX-License-Identifier: Apache-2.0
"""Evaluations in OTLP log records become scores."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt.errors import BadRequest
from gitprompt.server.facades.otlp_scores import EVENT, scores_of
from gitprompt.server.facades.otlp_values import from_hex
from tests.server.client import Client, fresh
from tests.world import Server

TRACE, SPAN = "ab" * 16, "cd" * 8


def attributes(**values: Any) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
    return [
        {"key": key.replace("__", "."), "value": {kinds[type(value)]: value}}
        for key, value in values.items()
    ]


def evaluation(name: str = "Relevance", **fields: Any) -> dict[str, Any]:
    said = {"gen_ai__evaluation__score__value": 4.0, "gen_ai__evaluation__score__label": "relevant",
            "gen_ai__evaluation__explanation": "It is on topic.", **fields}  # fmt: skip
    return {
        "timeUnixNano": "1700000000000000000", "eventName": EVENT, "traceId": TRACE, "spanId": SPAN,
        "attributes": attributes(gen_ai__evaluation__name=name, **said),
    }  # fmt: skip


def exported(*records: dict[str, Any]) -> dict[str, Any]:
    scope = {"scope": {"name": "azure.ai.evaluation"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [scope]}]}


def test_an_evaluation_is_a_score_of_its_span() -> None:
    sent = evaluation(gen_ai__response__id="resp_1", session__id="chat")
    (row,), others, rejected = scores_of(exported(sent, {"body": {}}), from_hex, "w")
    assert (others, rejected) == (1, [])
    assert (row.name, row.type, row.number, row.text) == ("Relevance", "numeric", 4.0, "relevant")
    assert (row.trace_id, row.span_id, row.session_id) == (TRACE, SPAN, "chat")
    assert (row.comment, row.source) == ("It is on topic.", "azure.ai.evaluation")
    assert row.created_at == 1_700_000_000
    assert row.metadata is not None
    assert "resp_1" in row.metadata


def test_an_export_that_is_sent_again_has_the_same_ids() -> None:
    two = exported(evaluation(), evaluation("Tone"))
    first, again = (scores_of(two, from_hex, "w").rows for _ in range(2))
    assert first == again
    assert len({row.score_id for row in first}) == 2


def test_the_name_of_the_event_may_be_an_attribute_and_all_names_in_snake_case() -> None:
    record = evaluation()
    record["attributes"] += attributes(event__name=record.pop("eventName"))
    record["trace_id"], record["time_unix_nano"] = record.pop("traceId"), record.pop("timeUnixNano")
    value = {"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]}
    (row,) = scores_of(value, from_hex, "w").rows
    assert (row.trace_id, row.created_at) == (TRACE, 1_700_000_000)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({**evaluation(), "traceId": "x"}, "hexadecimal digits"),
        ({"eventName": EVENT}, "without gen_ai.evaluation.name"),
        ({"eventName": EVENT, "attributes": attributes(gen_ai__evaluation__name="x")}, "neither"),
        (evaluation(gen_ai__evaluation__score__value=1e9), "beyond 1000000"),
        ({**evaluation(), "attributes": 3}, "not iterable"),
        ({**evaluation(), "timeUnixNano": "-5"}, "out of range"),
    ],
)  # fmt: skip
def test_one_odd_evaluation_loses_itself_only(record: dict[str, Any], said: str) -> None:
    found = scores_of(exported(record, evaluation()), from_hex, "w")
    assert (len(found.rows), len(found.rejected)) == (1, 1)
    assert said in found.rejected[0]


@pytest.mark.parametrize("value", [{"resourceLogs": 3}, {"resourceLogs": [3]}])
def test_what_is_no_export_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="not an OTLP export"):
        scores_of(value, from_hex, "w")


def test_evaluations_are_stored_once_and_the_rest_is_told(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "evaluated"})
    trace = client.post("/v1/traces", {"prompt_name": "p", "version_tag": "1"})["trace_id"]
    records = [{**evaluation(), "traceId": trace.replace("-", "")}, {"body": {"stringValue": "hi"}}]
    ahead = {**evaluation("Late"), "timeUnixNano": f"{9 * 10**18}"}
    for _ in range(2):
        response = client.http.post("/otlp/v1/logs", json=exported(*records, ahead))
        assert response.status_code == 200, response.text
        told = response.json()["partialSuccess"]
        assert told["rejectedLogRecords"] == "2"
        assert "24 hours ahead" in told["errorMessage"]
    (score,) = client.get("/v1/scores")["items"]
    assert (score["name"], score["value"], score["label"]) == ("Relevance", 4.0, "relevant")
    assert (score["prompt_name"], score["trace_id"]) == ("p", trace.replace("-", ""))
    alone = client.http.post("/otlp/v1/logs", json=exported(records[1])).json()["partialSuccess"]
    assert "send them to a log store" in alone["errorMessage"]


def test_a_reader_sends_no_evaluation(server: Server) -> None:
    reader = Client(server, "read")
    response = reader.http.post("/otlp/v1/logs", json=exported(evaluation(fresh("name"))))
    assert response.status_code == 403
