# SPDX-License-Identifier: Apache-2.0
"""/v1/traces, in our dialect and as OTLP."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

from tests.server.client import SPAN, Client, fresh

TRACE = {
    "prompt_name": "welcome", "version_tag": "1.0.0",
    "metadata": {"agent": "headline-agent", "loop": 1},
}  # fmt: skip


def test_traces_and_spans(client: Client) -> None:
    trace_id = str(uuid.uuid4())
    made = client.post("/v1/traces", {**TRACE, "trace_id": trace_id})
    assert made == {
        "trace_id": trace_id, "prompt_name": "welcome", "version_tag": "1.0.0", "status": "created",
    }  # fmt: skip
    path = f"/v1/traces/{trace_id}"
    child = client.post(f"{path}/spans", {**SPAN, "span_id": "b", "parent_id": "later"})
    assert child == {"trace_id": trace_id, "span_id": "b", "name": "llm-call", "status": "ok"}
    zero = client.post(f"{path}/spans", {"name": "zero", "start_time": 0, "end_time": 0})
    several = client.post(f"{path}/spans", [{"name": "x", "start_time": 5}, {"name": "y"}])
    assert [one["name"] for one in several] == ["x", "y"]
    found = client.get(path)
    assert [one["name"] for one in found["spans"]] == ["zero", "x", "llm-call", "y"]
    assert (found["spans"][0]["start_time"], found["spans"][0]["end_time"]) == (0, 0)
    assert found["metadata"] == TRACE["metadata"]
    one = client.get(f"{path}/spans/{zero['span_id']}")
    assert (one["start_time"], one["status"], one["parent_id"]) == (0, "unset", None)
    assert client.get(f"{path}/spans/b")["metadata"] == SPAN["metadata"]
    assert client.refused("GET", f"{path}/spans/none") == (404, "Span not found")
    assert client.get("/v1/traces/count")["count"] == client.get("/v1/traces")["total"]


def test_a_trace_or_span_sent_again_is_the_same(client: Client) -> None:
    trace = {**TRACE, "trace_id": str(uuid.uuid4())}
    for _ in range(2):
        client.post("/v1/traces", trace)
    assert client.refused("POST", "/v1/traces", {**trace, "version_tag": "2.0.0"})[0] == 409
    path = f"/v1/traces/{trace['trace_id']}/spans"
    batch = [{**SPAN, "span_id": "a"}, {**SPAN, "span_id": "b"}]
    for _ in range(2):
        client.post(path, batch)
    client.post(path, [*batch, {**SPAN, "span_id": "c"}])
    other = [{**SPAN, "span_id": "d"}, {**SPAN, "span_id": "a", "name": "other"}]
    assert client.refused("POST", path, other)[0] == 409
    found = client.get(f"/v1/traces/{trace['trace_id']}")
    assert [span["span_id"] for span in found["spans"]] == ["a", "b", "c"]


def test_spans_of_an_unknown_trace_are_404(client: Client) -> None:
    path = f"/v1/traces/{uuid.uuid4()}"
    assert client.refused("POST", f"{path}/spans", SPAN) == (404, "Trace not found")
    assert client.refused("GET", path) == (404, "Trace not found")
    assert client.refused("DELETE", path) == (404, "Trace not found")
    assert client.refused("POST", "/v1/traces", {"trace_id": "none"})[0] == 422


def test_deleting_a_trace_takes_its_spans_and_leaves_its_runs(client: Client) -> None:
    trace_id = client.post("/v1/traces", {})["trace_id"]
    client.post(f"/v1/traces/{trace_id}/spans", {**SPAN, "span_id": "s"})
    run_id = client.post("/v1/runs", {"workflow_name": "w", "trace_id": trace_id})["run_id"]
    assert client.call("DELETE", f"/v1/traces/{trace_id}") is None
    assert client.refused("GET", f"/v1/traces/{trace_id}/spans/s")[0] == 404
    assert client.get(f"/v1/runs/{run_id}")["trace_id"] is None


OTLP = json.loads((Path(__file__).parents[2] / "data" / "otlp-traces.json").read_text())


def test_otlp_in_json_is_told_apart_and_counted(client: Client) -> None:
    response = client.http.post("/v1/traces", json=OTLP)
    assert (response.status_code, response.json()) == (200, {"partialSuccess": {}})
    found = client.get("/v1/traces/5b8efff798038103d269b633813fc60c")
    assert (found["prompt_name"], found["version_tag"]) == ("support/triage", "1.4.2")
    assert len(found["spans"]) == 4
    assert found["spans"][0]["start_time"] == 1_789_891_200_000
    failed = next(span for span in found["spans"] if span["name"] == "gen")
    assert failed["status"] == "error"
    assert (failed["facts"]["tokens_in"], failed["facts"]["tokens_cached"]) == (412, 256)
    client.http.post("/v1/traces", json=OTLP)
    assert len(client.get(f"/v1/traces/{found['trace_id']}")["spans"]) == 4


def test_otlp_in_protobuf(client: Client) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )

    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = uuid.uuid4().bytes, b"12345678", "call"
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000_000, 9_000_000
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    response = client.http.post(
        "/v1/traces", content=gzip.compress(request.SerializeToString()), headers=headers
    )
    assert response.status_code == 200
    assert not ExportTraceServiceResponse.FromString(
        response.content
    ).partial_success.rejected_spans
    found = client.get(f"/v1/traces/{span.trace_id.hex()}")["spans"][0]
    assert (found["span_id"], found["start_time"], found["end_time"]) == (b"12345678".hex(), 1, 9)
    bad = client.http.post(
        "/v1/traces", content=b"\xff\xff", headers={"Content-Type": "application/x-protobuf"}
    )
    assert bad.status_code == 400


def test_an_export_keeps_its_good_spans_and_counts_each_for_its_own_prompt(client: Client) -> None:
    trace_id = uuid.uuid4().hex
    name = fresh("otlp")

    def span(number: int, **more: Any) -> dict[str, Any]:
        attributes = {"gen_ai.operation.name": "chat", **more.pop("attributes", {})}
        return {
            "traceId": trace_id, "spanId": f"{number:016x}", "name": "chat",
            "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
            **more,
        }  # fmt: skip

    def export(*spans: dict[str, Any]) -> Any:
        return client.post("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})

    def calls(prompt: str) -> dict[str, int]:
        found = client.get("/v1/metrics/summary", prompt_name=prompt)["items"]
        return {item["version_tag"]: item["calls"] for item in found}

    export(span(1))
    export(span(2, attributes={"gen_ai.prompt.name": name, "gen_ai.prompt.version": "1.0.0"}))
    assert calls(name) == {"1.0.0": 2}  # the first belongs to the same trace
    export(span(3, attributes={"gen_ai.prompt.name": f"{name}-b", "gen_ai.prompt.version": "2"}))
    assert calls(f"{name}-b") == {"2": 1}
    partly = export(span(1, name="other"), span(4), {**span(5), "spanId": "x"})
    assert partly["partialSuccess"]["rejectedSpans"] == "2"
    found = client.get(f"/v1/traces/{trace_id}")
    assert sorted(one["span_id"][-1] for one in found["spans"]) == ["1", "2", "3", "4"]
    inside = client.post("/v1/traces", {"metadata": {"resourceSpans": 3}})
    assert client.get(f"/v1/traces/{inside['trace_id']}")["metadata"] == {"resourceSpans": 3}


def test_a_trace_says_what_it_is_about_and_lists_are_narrowed_by_it(client: Client) -> None:
    about = {
        "name": fresh("name"), "session_id": fresh("session"), "user_id": fresh("user"),
        "environment": fresh("env"), "release": fresh("release"),
    }  # fmt: skip
    tag = fresh("tag")
    more = {"tags": ["a", tag], "input": {"q": 1}, "output": "text", "timestamp": 1_700_000_000}
    trace_id = client.post("/v1/traces", {**about, **more})["trace_id"]
    found = client.get(f"/v1/traces/{trace_id}")
    assert {key: found[key] for key in (*about, "tags", "input", "output")} == {
        **about, "tags": ["a", tag], "input": {"q": 1}, "output": "text",
    }  # fmt: skip
    assert found["created_at"] == 1_700_000_000
    for name, value in (
        *about.items(), ("session", about["session_id"]), ("user", about["user_id"]), ("tag", tag),
    ):  # fmt: skip
        assert [one["trace_id"] for one in client.get("/v1/traces", **{name: value})["items"]] == [
            trace_id
        ]
        assert client.get("/v1/traces", **{name: "other"})["items"] == []
    again = {"trace_id": trace_id, **about, **more}
    assert client.post("/v1/traces", again)["trace_id"] == trace_id
    assert client.refused("POST", "/v1/traces", {**again, "name": "other"})[0] == 409


def test_a_later_export_says_what_an_earlier_one_did_not(client: Client) -> None:
    trace = uuid.uuid4().hex

    def sent(span_id: str, **attributes: str) -> None:
        pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
        span = {"traceId": trace, "spanId": span_id * 16, "parentSpanId": "f" * 16, "name": "x",
                "endTimeUnixNano": "1", "attributes": pairs}  # fmt: skip
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        assert client.http.post("/otlp/v1/traces", json=body).status_code == 200

    sent("1", **{"session.id": "s"})
    sent("2", **{"session.id": "other", "user.id": "ada"})
    found = client.get(f"/v1/traces/{trace}")
    assert (found["session_id"], found["user_id"], found["name"]) == ("s", "ada", None)
