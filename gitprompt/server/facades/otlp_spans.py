# SPDX-License-Identifier: Apache-2.0
"""The spans of an OTLP export as ours: attributes become metadata under their own names, times become
milliseconds, and what a span is is read from all of its attributes before any is put away.

Both spellings of protobuf's JSON are read (`resourceSpans`, `resource_spans`), as protobuf wants it. What
is wrong with one span is told of that span, and the others are taken.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from gitprompt.core.telemetry.dialects import facts_of
from gitprompt.core.telemetry.packed import decoded
from gitprompt.core.telemetry.usage import span_facts
from gitprompt.errors import BadRequest, GitpromptError
from gitprompt.ingest import NOTHING, About, SentSpan
from gitprompt.server.http.bodies import encode

_KEPT = 48  # attributes at the top of the metadata; more of them go below "more"
_STATUS = {0: "unset", 1: "ok", 2: "error"}
_STATUS_NAMES = {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}
_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_ODD = (TypeError, ValueError, OverflowError, KeyError, AttributeError, RecursionError)

ReadId = Callable[[Any, int], str]


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
    around: Mapping[str, Any] = {}
    try:
        for span, resource, scope in _spans(value):
            try:
                if resource is not known:
                    around, known = attributes_of(_field(resource, "attributes")), resource
                trace_id, sent, about = _span(span, around, scope, read_id)
            except (*_ODD, GitpromptError) as error:
                rejected.append(str(error) or "the span cannot be read")
                continue
            by_trace.setdefault(trace_id, []).append((sent, about))
    except _ODD as error:
        raise BadRequest(f"not an OTLP export: {error}") from None
    return [_trace(trace_id, spans) for trace_id, spans in by_trace.items()], rejected


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


def _about(found: Mapping[str, Any], resource: Mapping[str, Any], *, root: str | None) -> About:
    """What a span and its resource say of the trace. A trace has the name of its root, if nothing else
    names it."""
    around = facts_of(resource, is_own=False) if resource else {}
    texts = [
        _short(found.get(fact) if found.get(fact) is not None else around.get(fact))
        for fact in ("trace_name", "session_id", "user_id", "environment", "release")
    ]
    documents = [
        None if (value := decoded(found.get(fact))) in (None, [], "") else encode(value)
        for fact in ("tags", "input", "output")
    ]
    return About(texts[0] or root, *texts[1:], *documents)


def _short(value: Any) -> str | None:
    value = decoded(value) if isinstance(value, str) and value[:1] == '"' else value
    return (
        str(value).replace("\0", " ")[:256]
        if isinstance(value, str | int) and value != ""
        else None
    )


def _spans(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Each span of an export with its resource and its scope."""
    for resource in _list(value, "resourceSpans"):
        about = _field(resource, "resource")
        for scope in _list(resource, "scopeSpans") or _list(
            resource, "instrumentationLibrarySpans"
        ):
            named = _field(scope, "scope") or _field(scope, "instrumentationLibrary")
            for span in _list(scope, "spans"):
                yield span, about, named


def _span(
    span: Any, resource: Mapping[str, Any], scope: Any, read_id: ReadId
) -> tuple[str, SentSpan, About]:
    attributes = attributes_of(_field(span, "attributes"))
    found = facts_of(attributes, is_own=False) if attributes else {}
    facts = span_facts(found)
    metadata = _metadata(attributes, span, resource, scope)
    parent = _field(span, "parentSpanId")
    status = _field(span, "status") or {}
    start = _milliseconds(_field(span, "startTimeUnixNano"))
    end = _milliseconds(_field(span, "endTimeUnixNano"))
    name = str(_field(span, "name") or "span").replace("\0", " ")[:256]
    about = _about(found, resource, root=None if parent else name)
    sent = SentSpan(
        span_id=read_id(_field(span, "spanId"), 8),
        parent_id=read_id(parent, 8) if parent else None,
        name=name,
        status=_status(_field(status, "code")),
        start_time=start,
        end_time=end,
        metadata=metadata,
        document=encode(metadata),
        facts=facts,
        timestamp=(start or end or 0) // 1000,
    )
    return read_id(_field(span, "traceId"), 16), sent, about


def _metadata(
    attributes: Mapping[str, Any], span: Any, resource: Mapping[str, Any], scope: Any
) -> dict[str, Any]:
    """The attributes, and what else the span says, under names that the protocol has for it."""
    metadata = dict(attributes)
    if len(metadata) > _KEPT:
        names = list(metadata)[_KEPT - 1 :]
        metadata["more"] = {name: metadata.pop(name) for name in names}
    status = _field(span, "status") or {}
    kind = _field(span, "kind")
    more = {
        "resource": resource,
        "scope": _scope(scope) if scope else None,
        "span_kind": _KINDS.get(kind) if isinstance(kind, int) else _named_kind(kind),
        "status_message": _field(status, "message"),
        "trace_state": _field(span, "traceState"),
        "events": [_event(event) for event in _list(span, "events")],
        "links": [_link(link) for link in _list(span, "links")],
    }
    metadata.update((name, said) for name, said in more.items() if said)
    return metadata


def _named_kind(kind: Any) -> str | None:
    name = str(kind or "").removeprefix("SPAN_KIND_").lower()
    return name if name in _KINDS.values() else None


def _scope(scope: Any) -> dict[str, Any]:
    said = {"name": _field(scope, "name"), "version": _field(scope, "version")}
    return {name: value for name, value in said.items() if value}


def _event(event: Any) -> dict[str, Any]:
    time = _field(event, "timeUnixNano")
    return {
        "name": _field(event, "name"),
        **({"time_unix_nano": int(time)} if time is not None else {}),
        **attributes_of(_field(event, "attributes")),
    }


def _link(link: Any) -> dict[str, Any]:
    said = {"trace_id": _field(link, "traceId"), "span_id": _field(link, "spanId")}
    return {
        **{name: _hexadecimal(oid) for name, oid in said.items()},
        **attributes_of(_field(link, "attributes")),
    }


def _hexadecimal(text: Any) -> Any:
    """An id of a link as a person knows it: protobuf's JSON has it in base64."""
    if isinstance(text, str) and len(text) in (12, 24):
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return text
    return text


# Reading protobuf's JSON


@cache
def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _field(value: Any, name: str) -> Any:
    """A field by its JSON name, or by that of the protocol; None if it is not there. Raises
    AttributeError for what is no object."""
    if value is None:
        return None
    found = value.get(name)
    return value.get(_snake(name)) if found is None else found


def _list(value: Any, name: str) -> Sequence[Any]:
    found = _field(value, name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise TypeError(f"{name} is no array")
    return found


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Raises one of `_ODD` for what are no attributes."""
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:
    for kind, content in value.items():
        if kind in ("intValue", "int_value"):
            return _integer(content)
        if kind in ("arrayValue", "array_value"):
            return [_value(item) for item in content.get("values") or ()]
        if kind in ("kvlistValue", "kvlist_value"):
            return attributes_of(content.get("values"))
        if kind in ("doubleValue", "double_value"):
            return float(content)
        return content
    return None


def _integer(content: Any) -> int:
    """64 bits, as the protocol has them; protobuf's JSON writes them as text."""
    number = int(content)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError("an integer has more than 64 bits")
    return number


def _status(code: Any) -> str:
    return _STATUS_NAMES.get(code, "unset") if isinstance(code, str) else _STATUS.get(code, "unset")


def _milliseconds(nanoseconds: Any) -> int | None:
    if nanoseconds is None:
        return None
    value = int(nanoseconds)
    if not 0 <= value < 1 << 64:
        raise ValueError("a time is out of range")
    return value // 1_000_000


def from_hex(text: Any, size: int) -> str:
    if not isinstance(text, str) or len(text) != size * 2:
        raise ValueError(f"an id has {size * 2} hexadecimal digits")
    return _not_zero(bytes.fromhex(text).hex())


def from_base64(text: Any, size: int) -> str:
    try:
        data = base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        raise ValueError("an id cannot be read") from error
    if len(data) != size:
        raise ValueError(f"an id has {size} bytes")
    return _not_zero(data.hex())


def _not_zero(text: str) -> str:
    """OpenTelemetry's own rule: an id of zeros is none."""
    if not text.strip("0"):
        raise ValueError("an id of zeros is no id")
    return text
