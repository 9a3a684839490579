# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's OTLP over HTTP, JSON or protobuf (https://opentelemetry.io/docs/specs/otlp/#otlphttp):
traces are stored as ours (`otlp_spans`), evaluations among the logs as scores (`otlp_scores`), and metrics
of generative AI as points (`otlp_points`).

It shares /v1/traces, /v1/logs and /v1/metrics with our own dialect, and has doors of its own:
/otlp/v1/…, the base of an exporter, and the path that Langfuse's exporters have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.types import Scope

from gitprompt.clock import now_ms
from gitprompt.errors import BadRequest, GitpromptError
from gitprompt.server.context import Context
from gitprompt.server.facades.otlp_points import NOT_KEPT as NOT_KEPT_OF_METRICS
from gitprompt.server.facades.otlp_points import points_of
from gitprompt.server.facades.otlp_scores import NOT_KEPT as NOT_KEPT_OF_LOGS
from gitprompt.server.facades.otlp_scores import scores_of
from gitprompt.server.facades.otlp_spans import OtlpTrace, traces_of
from gitprompt.server.facades.otlp_values import ReadId, from_base64, from_hex
from gitprompt.server.http.bodies import read_json
from gitprompt.server.http.endpoints import Bytes, Call, Endpoint
from gitprompt.server.http.surface import Surface
from gitprompt.server.http.wire import RawHeaders, error_response, header_of

PROTOBUF = b"application/x-protobuf"
_DOORS = ("/otlp/v1", "/api/public/otel/v1")  # where nobody else is


class _Outline(msgspec.Struct):
    """So much of an export as tells that it is one."""

    resourceSpans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resource_spans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resourceLogs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resource_logs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resourceMetrics: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resource_metrics: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_outline = msgspec.json.Decoder(_Outline)
_MARKS = tuple(f'"{name}"'.encode() for name in _Outline.__struct_fields__)


class Export(NamedTuple):
    """A whole export: its traces, and why some of its spans cannot be taken. `is_protobuf` says how
    to answer."""

    traces: Sequence[OtlpTrace]
    rejected: Sequence[str]
    is_protobuf: bool


def from_protobuf(body: bytes) -> Export:
    """Raises BadRequest for what is no ExportTraceServiceRequest."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return Export(*traces_of(_parsed(ExportTraceServiceRequest(), body), from_base64), True)


def _parsed(request: Any, body: bytes) -> Any:
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError

    try:
        request.ParseFromString(body)
        return MessageToDict(request)
    except (DecodeError, ValueError) as error:
        raise BadRequest(f"not an OTLP export: {error}") from None


def from_json(value: Any) -> Export:
    """From the decoded JSON of an export; ids are in hexadecimal there."""
    return Export(*traces_of(value, from_hex), False)


def claims(scope: Scope, body: bytes) -> bool:
    """Whether a request is an export: at a door of its own, protobuf, or JSON that has its top field."""
    if _is_protobuf(scope) or scope.get("path", "").startswith(_DOORS):
        return True
    if not any(mark in body for mark in _MARKS):
        return False
    try:
        outline = _outline.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # our own reader says what is wrong
    fields = (getattr(outline, name) for name in _Outline.__struct_fields__)
    return any(field is not msgspec.UNSET for field in fields)


def _is_protobuf(scope: Scope) -> bool:
    return header_of(scope, b"content-type").partition(b";")[0].strip().lower() == PROTOBUF


def envelope(error: GitpromptError, rid: bytes, scope: Scope) -> tuple[int, RawHeaders, bytes]:
    """An error as the protocol wants it: a google.rpc.Status, encoded as the request was."""
    status, headers, payload = error_response(error, rid, scope)
    if not _is_protobuf(scope):
        return status, headers, payload
    from google.rpc.status_pb2 import Status

    message = f"{error.message} {error.hint}".strip()
    payload = Status(message=message).SerializeToString()
    sized = {b"content-type": PROTOBUF, b"content-length": str(len(payload)).encode()}
    return status, [(name, sized.get(name, value)) for name, value in headers], payload


# Traces


def _read(scope: Scope, body: bytes) -> Export:
    if _is_protobuf(scope):
        return from_protobuf(body)
    export: Export = from_json(read_json(scope, body, shape=dict[str, Any]))
    return export


async def export(context: Context, call: Call) -> Bytes:
    """Store an export; what contradicts a stored span is reported, not stored."""
    body: Export = call.body
    refused = await context.ingest.export(call.actor, body.traces)
    rejected = [*body.rejected, *refused]
    if rejected:
        context.metrics.record_ingest("span", "rejected", len(rejected))
    return answer(rejected, is_protobuf=body.is_protobuf)


def answer(rejected: Sequence[str], *, is_protobuf: bool) -> Bytes:
    """The answer that the protocol wants: 200, with what was not taken."""
    if is_protobuf:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceResponse,
        )

        return _told(ExportTraceServiceResponse(), "rejected_spans", len(rejected), *rejected[:1])
    return _said("rejectedSpans", len(rejected), *rejected[:1])


def _told(response: Any, field: str, number: int, reason: str = "") -> Bytes:
    """A response in protobuf."""
    if number:
        setattr(response.partial_success, field, number)
        response.partial_success.error_message = reason
    return Bytes(200, response.SerializeToString(), PROTOBUF.decode())


def _said(field: str, number: int, reason: str = "") -> Bytes:
    """The same in JSON."""
    partial = {field: str(number), "errorMessage": reason} if number else {}
    return Bytes(200, msgspec.json.encode({"partialSuccess": partial}))


# Logs and metrics: an exporter that gets an error logs one at every interval, and one that gets none
# believes that all of it is kept.


class Records(NamedTuple):
    """An export of logs or metrics, decoded; its ids are read with `read_id`."""

    value: Any
    read_id: ReadId
    is_protobuf: bool


def _read_logs(scope: Scope, body: bytes) -> Records:
    if not _is_protobuf(scope):
        return Records(read_json(scope, body, shape=dict[str, Any]), from_hex, False)
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    return Records(_parsed(ExportLogsServiceRequest(), body), from_base64, True)


def _read_metrics(scope: Scope, body: bytes) -> Records:
    if not _is_protobuf(scope):
        return Records(read_json(scope, body, shape=dict[str, Any]), from_hex, False)
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    return Records(_parsed(ExportMetricsServiceRequest(), body), from_base64, True)


async def export_logs(context: Context, call: Call) -> Bytes:
    """Store the evaluations among the records of an export as scores."""
    body: Records = call.body
    found = scores_of(body.value, body.read_id, call.principal.workspace)
    rejected = [*found.rejected, *await context.ingest.export_scores(call.actor, found.rows)]
    if rejected:
        context.metrics.record_ingest("score", "rejected", len(rejected))
    reasons = [*rejected, *([NOT_KEPT_OF_LOGS] if found.others else [])]
    number = found.others + len(rejected)
    if not body.is_protobuf:
        return _said("rejectedLogRecords", number, *reasons[:1])
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    return _told(ExportLogsServiceResponse(), "rejected_log_records", number, *reasons[:1])


async def export_metrics(context: Context, call: Call) -> Bytes:
    """Store the metrics of generative AI in an export as points."""
    body: Records = call.body
    found = points_of(body.value, call.principal.workspace, now_ms())
    if found.rows:
        await context.ingest.points(call.actor, found.rows)
    if found.rejected:
        context.metrics.record_ingest("metric", "rejected", len(found.rejected))
    reasons = [*found.rejected, *([NOT_KEPT_OF_METRICS] if found.others else [])]
    number = found.others + len(found.rejected)
    if not body.is_protobuf:
        return _said("rejectedDataPoints", number, *reasons[:1])
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    return _told(ExportMetricsServiceResponse(), "rejected_data_points", number, *reasons[:1])


def _rows(base: str) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST", path=f"{base}/traces", scope="write", handler=export, reader=_read,
            kind="trace", summary="Store an OTLP export", body=dict[str, Any], answer=Any,
        ),
        Endpoint(
            method="POST", path=f"{base}/logs", scope="write", handler=export_logs,
            reader=_read_logs, kind="log", summary="Store the evaluations of an OTLP export of logs",
            body=dict[str, Any], answer=Any,
        ),
        Endpoint(
            method="POST", path=f"{base}/metrics", scope="write", handler=export_metrics,
            reader=_read_metrics, kind="metric", summary="Store the metrics gen_ai.* of an OTLP export",
            body=dict[str, Any], answer=Any,
        ),
    )  # fmt: skip


SURFACE = Surface(
    tuple(row for base in ("/v1", *_DOORS) for row in _rows(base)),
    envelope=envelope,
    claims=claims,
    max_bytes=lambda settings: settings.max_otlp_bytes,
)
