# SPDX-License-Identifier: Apache-2.0
"""Integers of four hundred digits, in the place of anything that is sent: refused, and never our fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.world import Server

_MARK = "in its place"
_HUGE = ("9" * 400, '"-' + "9" * 400 + '"')
_SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "x",
    "kind": 1, "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
    "attributes": [
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1"}},
        {"key": "d", "value": {"doubleValue": 1.5}},
        {"key": "b", "value": {"boolValue": True}},
        {"key": "a", "value": {"arrayValue": {"values": [{"intValue": 1}]}}},
    ],
    "status": {"code": 1}, "events": [{"timeUnixNano": "1", "name": "e"}],
}  # fmt: skip
_EXPORT = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "k", "value": {"intValue": 1}}]},
            "scopeSpans": [{"scope": {"name": "s"}, "spans": [_SPAN]}],
        }
    ]
}


def places(value: Any) -> Iterator[Any]:
    """The value with a mark in the place of each of its parts, one at a time."""
    if isinstance(value, dict):
        for key in value:
            for changed in places(value[key]):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for at, item in enumerate(value):
            for changed in places(item):
                yield [*value[:at], changed, *value[at + 1 :]]
    yield _MARK


def statuses(server: Server, method: str, path: str, value: Any) -> dict[str, int]:
    answered: dict[str, int] = {}
    for changed in places(value):
        for huge in _HUGE:
            body = json.dumps(changed).replace(f'"{_MARK}"', huge)
            answer = server.request(
                path, method=method, content=body.encode(),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            answered[body] = answer.status_code
    return answered


def test_an_export_of_spans(server: Server) -> None:
    answered = statuses(server, "POST", "/v1/traces", _EXPORT)
    assert len(answered) > 80
    assert {body: status for body, status in answered.items() if status >= 500} == {}


def bodies(server: Server) -> list[tuple[str, str, Any]]:
    """Each operation that takes JSON, with its example."""
    paths = server.request("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "1", path), content["example"])
        for path, operations in paths.items()
        for method, operation in operations.items()
        for content in [operation.get("requestBody", {}).get("content", {}).get("application/json")]
        if content and "example" in content
    ]


def test_every_body_that_is_documented(server: Server) -> None:
    operations = bodies(server)
    assert len(operations) > 10
    for method, path, example in operations:
        answered = statuses(server, method, path, example)
        assert {body: status for body, status in answered.items() if status >= 500} == {}, path


@pytest.mark.parametrize(
    "field", ["metadata", "ollama_options", "tokens_in", "cost_usd", "trace_id"]
)
def test_what_a_log_may_carry(server: Server, field: str) -> None:
    log = {"prompt_name": "a", "version_tag": "1.0.0", "provider": "x", "model": "y"}
    answered = statuses(server, "POST", "/v1/logs", {**log, field: {"a": [1]}})
    assert {body: status for body, status in answered.items() if status >= 500} == {}
