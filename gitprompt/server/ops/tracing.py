# SPDX-License-Identifier: Apache-2.0
"""The sidecar's own OpenTelemetry spans, and those of others that it passes on.

Imports the SDK (the extra `otel`), so that it is itself imported only with an OTLP endpoint. A span
is made when what it tells of has ended, so that nothing waits for it; the SDK's own thread exports,
and drops what it cannot keep. A commit serves many requests and a sync many pokes: they have spans
of their own.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.span import TraceState

from gitprompt import __version__, log
from gitprompt.errors import UsageError
from gitprompt.store.group_commit import Job
from gitprompt.store.tables.traces import NewSpans, SpanRow, StoredSpans

_FLUSH_SECONDS = 3.0
_QUEUE = 20_000  # spans of others that wait to be passed on; more are dropped
_NS = 1_000_000_000


class Tracing:
    """Exports spans to `endpoint`, the URL of traces of OTLP over HTTP. `forwards`: spans that are
    ingested too. Raises UsageError for what is no URL."""

    def __init__(self, endpoint: str, *, forwards: bool) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise UsageError(f"the OTLP endpoint '{endpoint}' is no http:// or https:// URL")
        log.adopt("opentelemetry")
        resource = Resource.create(_named({"service.version": __version__}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._own = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))
        provider.add_span_processor(self._own)
        self._tracer = provider.get_tracer("gitprompt", __version__)
        self._extract = TraceContextTextMapPropagator().extract
        self._passing_on = (
            BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint), max_queue_size=_QUEUE)
            if forwards
            else None
        )

    def close(self) -> None:
        """Export what waits, for a few seconds at most: the SDK's own flush has no end if nobody
        listens (open-telemetry/opentelemetry-python#4568)."""
        ending = [
            threading.Thread(target=processor.shutdown, daemon=True)
            for processor in (self._own, self._passing_on)
            if processor is not None
        ]
        for thread in ending:
            thread.start()
        end = time.monotonic() + _FLUSH_SECONDS
        for thread in ending:
            thread.join(max(end - time.monotonic(), 0))

    # what the sidecar does

    def request(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        method: str,
        route: str,
        status: int,
        seconds: float,
    ) -> None:
        """A request was answered; its `traceparent` is the parent."""
        sent = {b"traceparent", b"tracestate"}
        carrier = {
            name.decode(): value.decode("latin-1") for name, value in headers if name in sent
        }
        self._span(
            f"{method} {route}",
            seconds,
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            },
            failed=status >= 500,
            kind=SpanKind.SERVER,
            context=self._extract(carrier) if carrier else None,
        )

    def sync(self, workspace: str, seconds: float, **what: int) -> None:
        """A sync changed something."""
        numbers = {f"gitprompt.{name}": number for name, number in what.items()}
        self._span("sync", seconds, {"gitprompt.workspace": workspace, **numbers})

    def failed_sync(self, workspace: str, seconds: float, error: str) -> None:
        attributes = {"gitprompt.workspace": workspace, "error.message": error[:1_000]}
        self._span("sync", seconds, attributes, failed=True)

    def committed(self, jobs: Sequence[Job], outcomes: Sequence[Any], seconds: float) -> None:
        """Telemetry was written: exports that, and passes the spans in it on. Never raises, as the
        writer asks."""
        try:
            self._committed(jobs, outcomes, seconds)
        except Exception:
            log.error("a commit could not be traced", exc_info=True)

    def _committed(self, jobs: Sequence[Job], outcomes: Sequence[Any], seconds: float) -> None:
        refused = sum(isinstance(outcome, Exception) for outcome in outcomes)
        self._span("commit", seconds, {"gitprompt.writes": len(jobs), "gitprompt.refused": refused})
        if self._passing_on is not None:
            for job, outcome in zip(jobs, outcomes, strict=True):
                if isinstance(job.command, NewSpans) and isinstance(outcome, StoredSpans):
                    for span in _foreign(outcome):
                        self._passing_on.on_end(span)

    def _span(
        self,
        name: str,
        seconds: float,
        attributes: Mapping[str, str | int],
        *,
        failed: bool = False,
        kind: Any = None,
        context: Any = None,
    ) -> None:
        """A span of what has just ended."""
        end = time.time_ns()
        span = self._tracer.start_span(
            name,
            context=context if context is not None else Context(),
            kind=kind or SpanKind.INTERNAL,
            attributes=attributes,
            start_time=end - round(seconds * _NS),
        )
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(end)


def _named(attributes: Mapping[str, str]) -> dict[str, str]:
    """The SDK's own variables (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) win over this name."""
    return {"service.name": "gitprompt", **attributes, **OTELResourceDetector().detect().attributes}  # type: ignore[dict-item]


def _foreign(stored: StoredSpans) -> Iterator[ReadableSpan]:
    """Ingested spans as the SDK has them; ids that are not OpenTelemetry's are hashed into some."""
    item = stored.item
    trace_id = _number(item.trace_id.replace("-", ""), 16)

    def context(span_id: str, state: Any = None) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        carried = TraceState.from_header([state]) if isinstance(state, str) else None
        return SpanContext(trace_id, _number(span_id, 8), True, sampled, carried)

    for span, *_ in item.spans:
        metadata = json.loads(span.metadata) if span.metadata else {}
        said = {name: metadata.pop(name, None) for name in _OF_OTLP}
        more = metadata.pop("more", None)
        start, end = _times(span)
        code = {"error": StatusCode.ERROR, "ok": StatusCode.OK}.get(span.status, StatusCode.UNSET)
        message = said["status_message"] if code is StatusCode.ERROR else None
        scope = _mapping(said["scope"])
        yield ReadableSpan(
            name=span.name,
            context=context(span.span_id, said["trace_state"]),
            parent=context(span.parent_id) if span.parent_id else None,
            resource=Resource(_attributes(_mapping(said["resource"]))),
            attributes={
                "gitprompt.workspace": item.workspace, **_attributes(metadata),
                **_attributes(_mapping(more)),
            },
            events=[_event(event, start) for event in _listed(said["events"])],
            links=[_link(link) for link in _listed(said["links"])],
            kind=_KINDS.get(str(said["span_kind"]), SpanKind.INTERNAL),
            instrumentation_scope=(
                InstrumentationScope(str(scope["name"]), str(scope.get("version") or ""))
                if scope.get("name")
                else None
            ),
            status=Status(code, str(message) if message else None),
            start_time=start,
            end_time=end,
        )  # fmt: skip


# What `facades/otlp_spans` puts beside the attributes.
_OF_OTLP = (
    "resource", "scope", "span_kind", "status_message", "trace_state", "events", "links",
)  # fmt: skip
_KINDS = {kind.name.lower(): kind for kind in SpanKind}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(values: Any) -> list[dict[str, Any]]:
    return [value for value in values or () if isinstance(value, dict)]


def _event(event: dict[str, Any], start: int) -> Event:
    at = event.pop("time_unix_nano", None)
    name = str(event.pop("name", None) or "event")
    return Event(
        name, _attributes(event), at if isinstance(at, int) and 0 <= at < 1 << 63 else start
    )


def _link(link: dict[str, Any]) -> Link:
    ids = str(link.pop("trace_id", "")), str(link.pop("span_id", ""))
    context = SpanContext(_number(ids[0], 16), _number(ids[1], 8), True)
    return Link(context, _attributes(link))


def _number(text: str, size: int) -> int:
    """An id of so many bytes: what the text says in hexadecimal, else a hash of it."""
    try:
        if len(text) == 2 * size and int(text, 16):
            return int(text, 16)
    except ValueError:
        pass
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "big") or 1


def _times(span: SpanRow) -> tuple[int, int]:
    """Start and end in nanoseconds; what was not sent, or fits no timestamp, is when it came."""
    came = span.created_at * _NS
    sane = [
        time * 1_000_000 if time is not None and 0 <= time < 1 << 43 else None
        for time in (span.start_time, span.end_time)
    ]
    start = sane[0] if sane[0] is not None else came
    return start, sane[1] if sane[1] is not None else start


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that OTLP can carry: scalars as they are, the rest as JSON."""
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def _attribute(value: Any) -> Any:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return value if isinstance(value, str | bool | int | float) else json.dumps(value)
