# SPDX-License-Identifier: Apache-2.0
"""The spans of an OTLP export as ours: attributes become metadata under their own names, times become
milliseconds, and what a span is is read from all of its attributes before any is put away.

Both spellings of protobuf's JSON are read (`resourceSpans`, `resource_spans`), as protobuf wants it. What
is wrong with one span is told of that span, and the others are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.dialects import facts_of
from gitprompt.core.telemetry.packed import decoded
from gitprompt.core.telemetry.usage import span_facts
from gitprompt.errors import BadRequest, GitpromptError
from gitprompt.ingest import NOTHING, About, SentSpan
from gitprompt.server.facades.otlp_values import (
    ODD,
    ReadId,
    attributes_of,
    hexadecimal,
    list_of,
    milliseconds,
    records_of,
    status_of,
    text_of,
)
from gitprompt.server.http.bodies import encode

_KEPT = 48  # attributes at the top of the metadata; more of them go below "more"
_KIND_NAMES = ("internal", "server", "client", "producer", "consumer")
_KINDS: Mapping[Any, str] = {
    **dict(enumerate(_KIND_NAMES, 1)),
    **{f"SPAN_KIND_{name.upper()}": name for name in _KIND_NAMES},
}


class OtlpTrace(NamedTuple):
    """The spans of one trace in an export, the prompt version that one of them names, and what else they
    say of the trace."""

    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    spans: Sequence[SentSpan]
    about: About = NOTHING


def traces_of(value: Any, read_id: ReadId) -> tuple[list[OtlpTrace], list[str]]:
    """The traces of an export, and a sentence for each span that cannot be taken. Raises BadRequest for
    what is no export at all."""
    by_trace: dict[str, list[tuple[SentSpan, About]]] = {}
    rejected: list[str] = []
    known: Any = None  # the resource that `around` is of: many spans have the same
    around = _Resource({}, {})
    try:
        for span, resource, scope in records_of(value, "Spans", "spans"):
            try:
                if resource is not known:
                    around, known = _resource(resource), resource
                trace_id, sent, about = _span(span, around, scope, read_id)
            except (*ODD, GitpromptError) as error:
                rejected.append(str(error) or "the span cannot be read")
                continue
            by_trace.setdefault(trace_id, []).append((sent, about))
    except ODD as error:
        raise BadRequest(f"not an OTLP export: {error}") from None
    return [_trace(trace_id, spans) for trace_id, spans in by_trace.items()], rejected


class _Resource(NamedTuple):
    """What sent the spans, and what that says of their traces."""

    attributes: Mapping[str, Any]
    found: Mapping[str, Any]


def _resource(resource: Any) -> _Resource:
    attributes = attributes_of(resource.get("attributes")) if resource is not None else {}
    return _Resource(attributes, facts_of(attributes, is_own=False))


def _trace(trace_id: str, told: list[tuple[SentSpan, About]]) -> OtlpTrace:
    spans = [span for span, _ in told]
    facts = (span.facts for span in spans if span.facts is not None)
    named = next((found for found in facts if found.prompt_name is not None), None)
    name, version = (named.prompt_name, named.prompt_version) if named else (None, None)
    first = (
        next((one for one in column if one is not None), None)
        for column in zip(*(about for _, about in told), strict=True)
    )
    return OtlpTrace(trace_id, name, version, spans, About(*first))


def _about(found: Mapping[str, Any], around: Mapping[str, Any], *, root: str | None) -> About:
    """What a span and its resource say of the trace. A trace has the name of its root, if nothing else
    names it."""
    if _OF_TRACE.isdisjoint(found) and _OF_TRACE.isdisjoint(around):  # as of most spans
        return About(root) if root else NOTHING
    texts = [
        _short(found.get(fact) if found.get(fact) is not None else around.get(fact))
        for fact in ("trace_name", "session_id", "user_id", "environment", "release")
    ]
    documents = [
        None if (value := decoded(found.get(fact))) in (None, [], "") else encode(value)
        for fact in ("tags", "input", "output")
    ]
    return About(texts[0] or root, *texts[1:], *documents)


_OF_TRACE = frozenset(
    {"trace_name", "session_id", "user_id", "environment", "release", "tags", "input", "output"}
)


def _short(value: Any) -> str | None:
    return text_of(decoded(value) if isinstance(value, str) and value[:1] == '"' else value, 256)


def _span(
    span: Any, resource: _Resource, scope: Any, read_id: ReadId
) -> tuple[str, SentSpan, About]:
    attributes = attributes_of(span.get("attributes"))
    found = facts_of(attributes, is_own=False) if attributes else {}
    facts = span_facts(found)
    metadata = _metadata(attributes, span, resource.attributes, scope)
    parent = span.get("parentSpanId")
    status = span.get("status") or {}
    start = milliseconds(span.get("startTimeUnixNano"))
    end = milliseconds(span.get("endTimeUnixNano"))
    name = str(span.get("name") or "span").replace("\0", " ")[:256]
    about = _about(found, resource.found, root=None if parent else name)
    sent = SentSpan(
        span_id=read_id(span.get("spanId"), 8),
        parent_id=read_id(parent, 8) if parent else None,
        name=name,
        status=status_of(status.get("code")),
        start_time=start,
        end_time=end,
        metadata=metadata,
        document=encode(metadata),
        facts=facts,
        timestamp=(start or end or 0) // 1000,
    )
    return read_id(span.get("traceId"), 16), sent, about


def _metadata(
    attributes: Mapping[str, Any], span: Any, resource: Mapping[str, Any], scope: Any
) -> dict[str, Any]:
    """The attributes, and what else the span says, under names that the protocol has for it."""
    metadata = dict(attributes)
    if len(metadata) > _KEPT:
        names = list(metadata)[_KEPT - 1 :]
        metadata["more"] = {name: metadata.pop(name) for name in names}
    if resource:
        metadata["resource"] = resource
    if scope and (named := _scope(scope)):
        metadata["scope"] = named
    if kind := _KINDS.get(span.get("kind")):
        metadata["span_kind"] = kind
    status = span.get("status")
    if status and (message := status.get("message")):
        metadata["status_message"] = message
    if state := span.get("traceState"):
        metadata["trace_state"] = state
    if events := list_of(span, "events"):
        metadata["events"] = [_event(event) for event in events]
    if links := list_of(span, "links"):
        metadata["links"] = [_link(link) for link in links]
    return metadata


def _scope(scope: Any) -> dict[str, Any]:
    said = {"name": scope.get("name"), "version": scope.get("version")}
    return {name: value for name, value in said.items() if value}


def _event(event: Any) -> dict[str, Any]:
    time = event.get("timeUnixNano")
    return {
        "name": event.get("name"),
        **({"time_unix_nano": int(time)} if time is not None else {}),
        **attributes_of(event.get("attributes")),
    }


def _link(link: Any) -> dict[str, Any]:
    said = {"trace_id": link.get("traceId"), "span_id": link.get("spanId")}
    return {
        **{name: hexadecimal(oid) for name, oid in said.items()},
        **attributes_of(link.get("attributes")),
    }
