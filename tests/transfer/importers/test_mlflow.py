# SPDX-License-Identifier: Apache-2.0
"""MLflow's traces with their assessments, and the prompts of its registry."""

from __future__ import annotations

import json

from tests.transfer.moving_in import House

TRACE = {
    "info": {
        "trace_id": "tr-4b0e3c1d5f6a78901234567890abcdef", "request_time": "2026-09-18T12:00:00.500Z", "state": "OK",
        "trace_metadata": {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1", "mlflow.source.name": "x", "own": "1"},
        "tags": {"mlflow.traceName": "answer", "team": "support"},
        "assessments": [
            {"assessment_id": "a-1", "assessment_name": "correct", "feedback": {"value": True}, "rationale": "yes",
             "source": {"source_type": "HUMAN"}, "create_time": "2026-09-18T12:05:00Z"},
            {"assessment_id": "a-2", "assessment_name": "score", "feedback": {"value": 0.5}},
            {"assessment_id": "a-3", "assessment_name": "nothing", "feedback": {}},
        ],
    },
    "data": {
        "spans": [
            {"trace_id": "x", "span_id": "00f067aa0ba902b7", "parent_span_id": None, "name": "answer",
             "start_time_unix_nano": 1789732800500000000, "end_time_unix_nano": 1789732802500000000, "status": {"code": "STATUS_CODE_OK"},
             "attributes": {"mlflow.spanType": '"CHAIN"', "mlflow.spanInputs": '{"q": 1}', "mlflow.spanOutputs": '"a"'}},
            {"trace_id": "x", "span_id": "EREREREREQ0=", "parent_span_id": "00f067aa0ba902b7", "name": "llm",
             "start_time_unix_nano": 1789732801000000000, "end_time_unix_nano": 1789732802000000000,
             "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
             "attributes": {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"gpt-4o"',
                            "mlflow.chat.tokenUsage": json.dumps({"input_tokens": 10, "output_tokens": 4})}},
        ]
    },
}  # fmt: skip
PROMPTS = [
    {"name": "greet", "version": 1, "template": "Hi {{name}}", "creation_timestamp": 1789732800000, "commit_message": "first"},
    {"name": "greet", "version": 2, "template": [{"role": "system", "content": "Hi {{ name }}"}], "aliases": ["champion"],
     "creation_timestamp": 1789732900000, "tags": [{"key": "team", "value": "a"}]},
    {"name": "old", "version": "1", "tags": {"mlflow.prompt.text": "{{> p}}"}, "creation_timestamp": 1789732800000},
]  # fmt: skip


def test_traces_spans_and_assessments(house: House) -> None:
    path = house.write("t.jsonl", TRACE)
    dry = house.migrate(path, house="mlflow", options=("--dry-run",))
    first = house.migrate(path, house="mlflow")
    assert first["losses"] == dry["losses"]
    assert house.migrate(path, house="mlflow")["counts"]["spans"] == {"new": 0, "there": 2}
    (listed,) = house.client.get("/v1/traces")["items"]
    assert (listed["trace_id"], listed["name"], listed["session_id"]) == (
        "4b0e3c1d5f6a78901234567890abcdef",
        "answer",
        "s1",
    )
    assert (listed["tags"], listed["input"], listed["metadata"]["own"]) == (
        ["team=support"],
        {"q": 1},
        "1",
    )
    chain, call = house.client.get(f"/v1/traces/{listed['trace_id']}")["spans"]
    assert (chain["start_time"], call["start_time"], call["span_id"], call["status"]) == (
        0,
        500,
        "111111111111110d",
        "error",
    )
    assert (
        call["facts"]["kind"],
        call["facts"]["tokens_in"],
        call["metadata"]["status_message"],
    ) == ("llm", 10, "boom")
    scores = {one["name"]: one for one in house.client.get("/v1/scores")["items"]}
    assert (scores["correct"]["value"], scores["score"]["value"], len(scores)) == (True, 0.5, 2)


def test_prompts_of_the_registry(house: House) -> None:
    report = house.migrate(house.write("p.jsonl", *PROMPTS), house="mlflow")
    assert report["counts"]["prompt versions"]["new"] == 3
    champion = house.client.get("/v1/prompts/greet?label=champion&render=false")
    assert champion["content"]["messages"] == [{"role": "system", "content": "Hi {{ name }}"}]
    assert house.client.get("/v1/prompts/greet?version=1&variables[name]=Ada")["text"] == "Hi Ada"
    assert house.client.get("/v1/prompts/old?render=true")["text"] == "{{> p}}"
