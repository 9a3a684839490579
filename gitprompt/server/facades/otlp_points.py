# SPDX-License-Identifier: Apache-2.0
"""The metrics of generative AI in an OTLP export, as points
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/).

A point that says what came since the last one (delta) adds up, and is a counter; one that says all there
was so far (cumulative) is a gauge, of which the last counts. A histogram is two: how many there were
(`.count`), and their sum (`.sum`). They are no calls: those are told by spans, and would count twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gitprompt.core.telemetry.dialects import facts_of
from gitprompt.core.telemetry.numbers import number_of
from gitprompt.core.telemetry.usage import prompt_of
from gitprompt.errors import BadRequest
from gitprompt.server.facades.otlp_values import (
    ODD,
    attributes_of,
    list_of,
    milliseconds,
    records_of,
)
from gitprompt.server.http.bodies import encode
from gitprompt.store.tables.points import PointRow

NOT_KEPT = (
    "gitprompt keeps the metrics gen_ai.*, no others: scrape /metrics, or send them to Prometheus"
)
_PREFIX = "gen_ai."
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]{0,190}\Z")
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_LABELS, _LABEL = 20, 256  # of a point, and characters
_LARGEST = 1e300


class ExportedPoints(NamedTuple):
    """The points of an export, how many it has of other metrics, and what is wrong with one of ours."""

    rows: list[PointRow]
    others: int
    rejected: list[str]


def points_of(value: Any, workspace: str, now_ms: int) -> ExportedPoints:
    """Raises BadRequest for what is no export."""
    rows: list[PointRow] = []
    rejected: list[str] = []
    others = 0
    try:
        for metric, _, _ in records_of(value, "Metrics", "metrics"):
            kind = next((kind for kind in _KINDS if kind in metric), "gauge")
            data = metric.get(kind) or {}
            points = list_of(data, "dataPoints")
            name = str(metric.get("name"))
            if not name.startswith(_PREFIX) or not _NAME.match(name):
                others += len(points)
                continue
            is_delta = data.get("aggregationTemporality") in _DELTA
            type = "counter" if is_delta else "gauge"
            for point in points:
                try:
                    rows += _rows(workspace, name, type, point, now_ms)
                except ODD as error:
                    rejected.append(str(error) or "the point cannot be read")
    except ODD as error:
        raise BadRequest(f"not an OTLP export: {error}") from None
    return ExportedPoints(rows, others, rejected)


def _rows(workspace: str, name: str, type: str, point: Any, now_ms: int) -> list[PointRow]:
    attributes = attributes_of(point.get("attributes"))
    prompt, version = prompt_of(facts_of(attributes, is_own=False))
    labels = encode(dict(sorted(_labels(attributes))))
    at = milliseconds(point.get("timeUnixNano")) or now_ms
    return [
        PointRow(workspace, name + part, number, type, labels, prompt, version, at)
        for part, number in _numbers(point)
    ]


def _numbers(point: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    fields = (("", "asDouble"), ("", "asInt"), (".count", "count"), (".sum", "sum"))
    told = [(part, point[field]) for part, field in fields if point.get(field) is not None]
    if not told:
        raise ValueError("the point has no value")
    for part, value in told:
        number = number_of(value)
        if number is None or abs(number) > _LARGEST:
            raise ValueError("the value of the point is no finite number")
        yield part, float(number)


def _labels(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in list(attributes.items())[:_LABELS]:
        text = value if isinstance(value, str) else encode(value)
        yield key, text.replace("\0", " ")[:_LABEL]
