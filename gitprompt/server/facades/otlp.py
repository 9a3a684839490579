# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's OTLP over HTTP, JSON or protobuf, as traces and spans of ours
(https://opentelemetry.io/docs/specs/otlp/#otlphttp). It shares POST /v1/traces with our own dialect.

Attributes become metadata under their own names; what Langfuse packs into one attribute is unpacked
into our words, so that `core.usage` finds tokens and cost. Times become milliseconds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.types import Scope

from gitprompt.core.telemetry.usage import facts_of, prompt_of
from gitprompt.errors import BadRequest, Conflict, GitpromptError
from gitprompt.ingest import SentSpan
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode, read_json
from gitprompt.server.http.endpoints import Bytes, Call, Endpoint
from gitprompt.server.http.surface import Surface
from gitprompt.server.http.wire import RawHeaders, error_response, header_of

PROTOBUF = b"application/x-protobuf"
_KEPT = 48  # attributes at the top of the metadata; more of them go below "more"
_ReadId = Callable[[Any, int], str]
_STATUS = {0: "unset", 1: "ok", 2: "error"}


class _Outline(msgspec.Struct):
    """So much of an export as tells that it is one."""

    resource_spans: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="resourceSpans"
    )


_outline = msgspec.json.Decoder(_Outline)


class OtlpTrace(NamedTuple):
    """The spans of one trace in an export, and the prompt version that one of them names."""

    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    spans: Sequence[SentSpan]


class Export(NamedTuple):
    """A whole export: its traces, and why some of its spans cannot be taken. `is_protobuf` says how
    to answer."""

    traces: Sequence[OtlpTrace]
    rejected: Sequence[str]
    is_protobuf: bool


def from_protobuf(body: bytes) -> Export:
    """Raises BadRequest for what is no ExportTraceServiceRequest."""
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
        value = MessageToDict(request)
    except (DecodeError, ValueError) as error:
        raise BadRequest(f"not an OTLP export: {error}") from None
    return Export(*_traces(value, _from_base64), is_protobuf=True)


def from_json(value: Any) -> Export:
    """From the decoded JSON of an export; ids are in hexadecimal there."""
    return Export(*_traces(value, _from_hex), is_protobuf=False)


def claims(scope: Scope, body: bytes) -> bool:
    """Whether a request is an export: protobuf, or JSON that has `resourceSpans`."""
    if _is_protobuf(scope):
        return True
    if b'"resourceSpans"' not in body:
        return False
    try:
        return _outline.decode(body).resource_spans is not msgspec.UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # our own reader says what is wrong


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


def _read(scope: Scope, body: bytes) -> Export:
    if _is_protobuf(scope):
        return from_protobuf(body)
    export: Export = from_json(read_json(scope, body, shape=dict[str, Any]))
    return export


async def export(context: Context, call: Call) -> Bytes:
    """Store an export; what contradicts a stored span is reported, not stored."""
    body: Export = call.body
    rejected = list(body.rejected)
    for trace in body.traces:
        await context.ingest.ensure_trace(
            call.actor, trace.trace_id, trace.prompt_name, trace.version_tag
        )
        try:
            await context.ingest.spans(call.actor, trace.trace_id, trace.spans)
        except Conflict:
            rejected += await _each(context, call, trace)
    if rejected:
        context.metrics.record_ingest("span", "rejected", len(rejected))
    return answer(body, rejected)


async def _each(context: Context, call: Call, trace: OtlpTrace) -> list[str]:
    """Store the spans one by one, and tell of those that cannot be."""
    refused = []
    for span in trace.spans:
        try:
            await context.ingest.spans(call.actor, trace.trace_id, [span])
        except Conflict as error:
            refused.append(error.message)
    return refused


def answer(export: Export, rejected: Sequence[str]) -> Bytes:
    """The answer that the protocol wants: 200, with what was not taken."""
    if export.is_protobuf:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTracePartialSuccess,
            ExportTraceServiceResponse,
        )

        response = ExportTraceServiceResponse()
        if rejected:
            partial = ExportTracePartialSuccess(
                rejected_spans=len(rejected), error_message=rejected[0]
            )
            response.partial_success.CopyFrom(partial)
        return Bytes(200, response.SerializeToString(), PROTOBUF.decode())
    partial_success = (
        {"rejectedSpans": str(len(rejected)), "errorMessage": rejected[0]} if rejected else {}
    )
    return Bytes(200, msgspec.json.encode({"partialSuccess": partial_success}))


def _traces(value: Any, read_id: _ReadId) -> tuple[list[OtlpTrace], list[str]]:
    """The traces of an export, and a sentence for each invalid span."""
    by_trace: dict[str, list[tuple[Mapping[str, Any], SentSpan]]] = {}
    rejected: list[str] = []
    try:
        for span, metadata in _spans(value):
            try:
                trace_id, sent = _span(span, metadata, read_id)
            except (TypeError, ValueError, OverflowError, AttributeError, GitpromptError) as error:
                rejected.append(str(error))
                continue
            by_trace.setdefault(trace_id, []).append((metadata, sent))
    except (
        TypeError, ValueError, OverflowError, KeyError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise BadRequest(f"not an OTLP export: {error}") from None
    return [_trace(trace_id, spans) for trace_id, spans in by_trace.items()], rejected


def _span(
    span: Mapping[str, Any], metadata: Mapping[str, Any], read_id: _ReadId
) -> tuple[str, SentSpan]:
    parent = span.get("parentSpanId")
    return read_id(span.get("traceId"), 16), SentSpan(
        span_id=read_id(span.get("spanId"), 8),
        parent_id=read_id(parent, 8) if parent else None,
        name=str(span.get("name") or "span").replace("\0", " ")[:256],
        status=_status(span.get("status")),
        start_time=_milliseconds(span.get("startTimeUnixNano")),
        end_time=_milliseconds(span.get("endTimeUnixNano")),
        metadata=metadata,
        document=encode(metadata),
    )


def _trace(trace_id: str, spans: list[tuple[Mapping[str, Any], SentSpan]]) -> OtlpTrace:
    named = (prompt_of(facts_of(metadata)) for metadata, _ in spans)
    name, version = next((names for names in named if names[0] is not None), (None, None))
    return OtlpTrace(trace_id, name, version, [span for _, span in spans])


def _spans(value: Any) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Each span of an export with its metadata."""
    for resource in value.get("resourceSpans") or ():
        about = _attributes((resource.get("resource") or {}).get("attributes"))
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                metadata = _attributes(span.get("attributes"))
                metadata.update(_langfuse(metadata))
                if len(metadata) > _KEPT:
                    names = list(metadata)[_KEPT - 1 :]
                    metadata["more"] = {name: metadata.pop(name) for name in names}
                if about:
                    metadata["resource"] = about
                if span.get("events"):
                    metadata["events"] = [
                        {"name": event.get("name"), **_attributes(event.get("attributes"))}
                        for event in span["events"]
                    ]
                yield span, metadata


def _attributes(pairs: Any) -> dict[str, Any]:
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:
    for kind, content in value.items():
        if kind == "intValue":
            return int(content)
        if kind == "arrayValue":
            return [_value(item) for item in content.get("values") or ()]
        if kind == "kvlistValue":
            return _attributes(content.get("values"))
        if kind == "doubleValue":
            return float(content)
        return content
    return None


def _langfuse(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and cost that Langfuse packs as JSON into one attribute each. Its parts are disjoint;
    our tokens_in includes what was cached."""
    facts: dict[str, Any] = {}
    usage = _packed(metadata.get("langfuse.observation.usage_details"))
    if usage:
        parts = [usage.get(key) for key in ("input", "output", "input_cached_tokens")]
        tokens_in, out, cached = (part if isinstance(part, int | float) else 0 for part in parts)
        facts["tokens_in"] = tokens_in + cached
        facts["tokens_out"] = out
        facts["tokens_cached"] = cached
    cost = _packed(metadata.get("langfuse.observation.cost_details")).get("total")
    return {**facts, "cost_usd": cost} if cost is not None else facts


def _packed(text: Any) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(text) if isinstance(text, str) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _status(status: Any) -> str:
    code = (status or {}).get("code", 0)
    if isinstance(code, str):
        return {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}.get(code, "unset")
    return _STATUS.get(code, "unset")


def _milliseconds(nanoseconds: Any) -> int | None:
    if nanoseconds is None:
        return None
    value = int(nanoseconds)
    if not 0 <= value < 1 << 64:
        raise ValueError("a time is out of range")
    return value // 1_000_000


def _from_hex(text: Any, size: int) -> str:
    if not isinstance(text, str) or len(text) != size * 2:
        raise ValueError(f"an id has {size * 2} hexadecimal digits")
    return bytes.fromhex(text).hex()


def _from_base64(text: Any, size: int) -> str:
    try:
        data = base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        raise ValueError("an id cannot be read") from error
    if len(data) != size:
        raise ValueError(f"an id has {size} bytes")
    return data.hex()


SURFACE = Surface(
    (
        Endpoint(
            method="POST", path="/v1/traces", scope="write", handler=export, reader=_read,
            kind="trace", summary="Store an OTLP export", body=dict[str, Any], answer=Any,
        ),
    ),
    envelope=envelope,
    claims=claims,
)  # fmt: skip
