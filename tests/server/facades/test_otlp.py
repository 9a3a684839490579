# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP shares a path with our own traces, and tells of errors as its protocol wants."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gitprompt.server.facades.otlp import claims, from_json
from tests.world import Server

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "x",
}  # fmt: skip


def scope(content_type: str) -> dict[str, Any]:
    return {"headers": [(b"content-type", content_type.encode())]}


def exported(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


@pytest.mark.parametrize(
    ("content_type", "body", "is_export"),
    [
        ("application/x-protobuf", b"", True),
        ("application/x-protobuf; v=1", b"\x00", True),
        ("application/json", b'{"resourceSpans": []}', True),
        ("application/json", b'{"prompt_name": "a"}', False),
        ("application/json", b'{"metadata": {"resourceSpans": 3}}', False),
        ("application/json", b'{"resourceSpans": ', False),
        ("application/json", b"[" * 100_000 + b'"resourceSpans"', False),
    ],
)
def test_an_export_is_told_from_a_trace_of_ours(
    content_type: str, body: bytes, is_export: bool
) -> None:
    assert claims(scope(content_type), body) is is_export


def test_spans_of_one_trace_are_together_and_bad_ones_are_told() -> None:
    export = from_json(exported(SPAN, {**SPAN, "spanId": "1" * 16}, {**SPAN, "spanId": "no"}))
    (trace,) = export.traces
    assert [span.span_id for span in trace.spans] == ["b7ad6b7169203331", "1" * 16]
    assert export.rejected == ["an id has 16 hexadecimal digits"]


def test_an_error_of_a_protobuf_export_is_a_status_in_protobuf(server: Server) -> None:
    answer = server.request("/v1/traces", method="POST", headers=PROTOBUF, content=b"\xff\xff")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert Status.FromString(answer.content).message.startswith("not an OTLP export")
    assert answer.headers["x-request-id"]


def test_without_a_key_a_protobuf_export_is_told_so_in_protobuf(server: Server) -> None:
    answer = server.request("/v1/traces", method="POST", headers=PROTOBUF, content=b"", key=None)
    assert answer.status_code == 401
    assert "Missing X-API-Key header" in Status.FromString(answer.content).message


def test_an_error_of_a_json_export_and_of_our_own_traces_is_json(server: Server) -> None:
    for body in (b'{"resourceSpans": 3}', b'{"trace_id": 3}'):
        answer = server.request("/v1/traces", method="POST", headers=JSON, content=body)
        assert answer.status_code in (400, 422)
        assert answer.json()["requestId"] == answer.headers["x-request-id"]


def test_an_empty_export_is_stored_and_answered_in_its_encoding(server: Server) -> None:
    body = ExportTraceServiceRequest().SerializeToString()
    answer = server.request("/v1/traces", method="POST", headers=PROTOBUF, content=body)
    assert answer.status_code == 200
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()


DOORS = ("/v1", "/otlp/v1", "/api/public/otel/v1")


@pytest.mark.parametrize("base", DOORS)
def test_every_door_stores_spans_and_answers_logs_and_metrics(server: Server, base: str) -> None:
    def sent(what: str, value: dict[str, Any]) -> Any:
        answer = server.request(
            f"{base}/{what}", method="POST", headers=JSON, content=msgspec.json.encode(value)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["partialSuccess"]

    trace = uuid.uuid4().hex
    assert sent("traces", exported({**SPAN, "traceId": trace})) == {}
    assert server.request(f"/v1/traces/{trace}").status_code == 200
    logs = sent("logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {}]}]}]})
    assert (logs["rejectedLogRecords"], "keeps spans" in logs["errorMessage"]) == ("2", True)
    metrics = sent(
        "metrics",
        {
            "resource_metrics": [
                {"scope_metrics": [{"metrics": [{"gauge": {"data_points": [{}]}}]}]}
            ]
        },
    )
    assert (metrics["rejectedDataPoints"], "scrape /metrics" in metrics["errorMessage"]) == (
        "1",
        True,
    )


def test_logs_and_metrics_in_protobuf_are_answered_in_protobuf(server: Server) -> None:
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics

    request = logs.ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add()
    answer = server.request(
        "/v1/logs", method="POST", headers=PROTOBUF, content=request.SerializeToString()
    )
    told = logs.ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, told.rejected_log_records) == (200, 1)
    many = metrics.ExportMetricsServiceRequest()
    many.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add()
    answer = server.request(
        "/v1/metrics", method="POST", headers=PROTOBUF, content=many.SerializeToString()
    )
    partial = metrics.ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 1)


def test_an_error_at_a_door_of_its_own_is_told_as_the_protocol_wants(server: Server) -> None:
    answer = server.request("/otlp/v1/traces", method="POST", headers=PROTOBUF, content=b"\xff\xff")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")


def test_an_export_has_a_limit_of_its_own(tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--max-body-bytes", "2000", "--max-otlp-bytes", "6000"
    ).start()
    try:
        for size, status in ((4_000, 200), (8_000, 413)):
            body = msgspec.json.encode(exported({**SPAN, "name": "x" * size}))
            answer = server.request("/v1/traces", method="POST", headers=JSON, content=body)
            assert answer.status_code == status, answer.text
        body = msgspec.json.encode({"metadata": {"a": "x" * 4_000}})
        assert (
            server.request("/v1/traces", method="POST", headers=JSON, content=body).status_code
            == 413
        )
    finally:
        server.stop()


def test_one_id_is_one_trace_in_every_spelling(server: Server) -> None:
    trace = uuid.uuid4()
    made = msgspec.json.encode({"trace_id": str(trace), "prompt_name": "a", "version_tag": "1.0.0"})
    assert (
        server.request("/v1/traces", method="POST", headers=JSON, content=made).status_code == 201
    )
    body = msgspec.json.encode(exported({**SPAN, "traceId": trace.hex}))
    assert (
        server.request("/otlp/v1/traces", method="POST", headers=JSON, content=body).status_code
        == 200
    )
    for spelled in (str(trace), trace.hex, str(trace).upper(), trace.hex.upper()):
        found = server.request(f"/v1/traces/{spelled}").json()
        assert (found["trace_id"], len(found["spans"])) == (str(trace), 1)
        again = server.request(
            "/v1/traces",
            method="POST",
            headers=JSON,
            content=msgspec.json.encode({"trace_id": spelled}),
        )
        assert again.status_code == 409, "it says another prompt"


def test_an_open_span_is_ended_by_a_later_export_and_counts_once(server: Server) -> None:
    trace = uuid.uuid4().hex
    call = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        {"key": "gen_ai.prompt.name", "value": {"stringValue": trace}},
    ]
    tokens = [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}}]
    opened = {**SPAN, "traceId": trace, "startTimeUnixNano": "1000000", "attributes": call}
    ended = {**opened, "endTimeUnixNano": "9000000", "attributes": [*call, *tokens]}
    for one in (opened, opened, ended, ended):
        answer = server.request(
            "/otlp/v1/traces",
            method="POST",
            headers=JSON,
            content=msgspec.json.encode(exported(one)),
        )
        assert answer.json() == {"partialSuccess": {}}
    (span,) = server.request(f"/v1/traces/{trace}").json()["spans"]
    assert (span["end_time"], span["facts"]["kind"], span["facts"]["tokens_in"]) == (9, "llm", 7)
    (item,) = server.request(f"/v1/metrics/summary?prompt_name={trace}").json()["items"]
    assert (item["calls"], item["tokens_in"]) == (1, 7)
    other = {**ended, "endTimeUnixNano": "99000000"}
    body = msgspec.json.encode(exported(other))
    answer = server.request("/otlp/v1/traces", method="POST", headers=JSON, content=body)
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1", "what has ended has ended"
