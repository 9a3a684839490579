# SPDX-License-Identifier: Apache-2.0
"""Spans of an export: what is kept of them, and what is wrong with one stays with that one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.errors import BadRequest
from gitprompt.ingest import About
from gitprompt.server.facades.otlp_spans import traces_of
from gitprompt.server.facades.otlp_values import from_hex

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def span(**changes: Any) -> dict[str, Any]:
    return {"traceId": TRACE, "spanId": SPAN, "name": "x", "endTimeUnixNano": "2000000", **changes}


def exported(*spans: Any, **around: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans), **around}]}]}


def metadata_of(value: dict[str, Any]) -> dict[str, Any]:
    (trace,), rejected = traces_of(value, from_hex)
    assert rejected == []
    return json.loads(trace.spans[0].document or "null")  # type: ignore[no-any-return]


def test_all_that_a_span_says_is_kept() -> None:
    told = span(
        kind=3, traceState="a=1", status={"code": 2, "message": "429"}, attributes=attributes(a="b"),
        links=[{"traceId": "b" * 32, "spanId": "c" * 16, "attributes": attributes(why="retry")}],
        events=[{"timeUnixNano": "1764036000123000000", "name": "first", "attributes": []}],
    )  # fmt: skip
    value = exported(told, scope={"name": "lib", "version": "1.0"})
    value["resourceSpans"][0]["resource"] = {"attributes": attributes(**{"service.name": "app"})}
    assert metadata_of(value) == {
        "a": "b", "span_kind": "client", "trace_state": "a=1", "status_message": "429",
        "scope": {"name": "lib", "version": "1.0"}, "resource": {"service.name": "app"},
        "links": [{"trace_id": "b" * 32, "span_id": "c" * 16, "why": "retry"}],
        "events": [{"name": "first", "time_unix_nano": 1764036000123000000}],
    }  # fmt: skip


def test_what_a_span_is_is_read_before_its_attributes_are_put_away() -> None:
    many = {f"llm.input_messages.{at}.message.content": "x" for at in range(60)}
    said = [
        *attributes(**many, **{"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}),
        {"key": "llm.token_count.prompt", "value": {"intValue": "7"}},
        *attributes(**{"langfuse.observation.prompt.name": "welcome"}),
    ]
    (trace,), _ = traces_of(exported(span(attributes=said)), from_hex)
    facts = trace.spans[0].facts
    assert facts is not None
    assert (facts.kind, facts.model, facts.tokens_in) == ("llm", "gpt-4o", 7)
    assert trace.prompt_name == "welcome"
    assert len(trace.spans[0].metadata or ()) == 48
    assert len((trace.spans[0].metadata or {})["more"]) == 17


def test_names_of_the_protocol_are_read_too() -> None:
    told = {
        "trace_id": TRACE, "span_id": SPAN, "name": "x", "parent_span_id": "1" * 16,
        "start_time_unix_nano": "1000000", "end_time_unix_nano": "3000000", "trace_state": "a=1",
        "status": {"code": "STATUS_CODE_ERROR"}, "kind": "SPAN_KIND_SERVER",
        "attributes": [{"key": "n", "value": {"int_value": "3"}}],
    }  # fmt: skip
    (trace,), rejected = traces_of(
        {"resource_spans": [{"scope_spans": [{"spans": [told]}]}]}, from_hex
    )
    (sent,) = trace.spans
    assert rejected == []
    assert (sent.status, sent.start_time, sent.end_time, sent.parent_id) == (
        "error", 1, 3, "1" * 16,
    )  # fmt: skip
    assert sent.metadata == {"n": 3, "span_kind": "server", "trace_state": "a=1"}


ODD: list[Any] = [
    span(attributes={"a": "b"}), span(attributes=[3]), span(attributes=[{"value": {}}]), None, 7, [],
    span(traceId="0" * 32), span(spanId="0" * 16), span(traceId=None), span(spanId="xyz"),
    span(startTimeUnixNano="soon"), span(endTimeUnixNano=str(1 << 70)), span(events=3),
    span(links={"a": 1}), span(events=[{"timeUnixNano": "x"}]), span(status=4),
    span(attributes=[{"key": "a", "value": {"intValue": "9" * 400}}]),
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_what_is_wrong_with_one_span_stays_with_that_one(odd: Any) -> None:
    (trace,), rejected = traces_of(exported(odd, span(spanId="2" * 16)), from_hex)
    assert [sent.span_id for sent in trace.spans] == ["2" * 16]
    assert len(rejected) == 1
    assert rejected[0]


def test_an_odd_resource_or_scope_takes_its_own_spans_alone() -> None:
    odd = {"resource": {"attributes": 3}, "scopeSpans": [{"spans": [span()]}]}
    good = {"scopeSpans": [{"spans": [span(traceId="3" * 32)]}]}
    (trace,), rejected = traces_of({"resourceSpans": [odd, good]}, from_hex)
    assert (trace.trace_id, len(rejected)) == ("3" * 32, 1)


@pytest.mark.parametrize("value", [{"resourceSpans": 3}, {"resourceSpans": [3]}, []])
def test_what_is_no_export_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="not an OTLP export"):
        traces_of(value, from_hex)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "attributes",
                    "key",
                    "value",
                    "traceId",
                    "events",
                    "links",
                    "status",
                    "code",
                    "resource",
                    "scope",
                    "intValue",
                    "arrayValue",
                    "values",
                    "kvlistValue",
                    "name",
                ]
            ),
            inner,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_no_export_breaks_the_reader(value: Any) -> None:
    try:
        traces, rejected = traces_of({"resourceSpans": [value]}, from_hex)
    except BadRequest:
        return
    assert all(isinstance(reason, str) for reason in rejected)
    assert all(len(trace.trace_id) == 32 for trace in traces)


def test_what_spans_say_of_their_trace_is_said_of_it() -> None:
    child = span(
        spanId="1" * 16, parentSpanId=SPAN,
        attributes=attributes(**{"langfuse.session.id": "s-1", "langfuse.trace.tags": '["a", "b"]',
                                 "langfuse.trace.input": '{"q": 1}', "user.id": "ada"}),
    )  # fmt: skip
    value = exported(child, span(name="root", parentSpanId=""))
    about = {"deployment.environment.name": "production", "service.version": "2.1"}
    value["resourceSpans"][0]["resource"] = {"attributes": attributes(**about)}
    (trace,), _ = traces_of(value, from_hex)
    assert trace.about == About(
        "root", "s-1", "ada", "production", "2.1", '["a","b"]', '{"q":1}', None
    )


def test_a_name_that_langfuse_gives_a_trace_wins_over_that_of_its_root() -> None:
    value = exported(span(name="root", attributes=attributes(**{"langfuse.trace.name": "named"})))
    (trace,), _ = traces_of(value, from_hex)
    assert trace.about.name == "named"
