# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP shares a path with our own traces, and tells of errors as its protocol wants."""

from __future__ import annotations

from typing import Any

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
SPAN = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "x"}


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
