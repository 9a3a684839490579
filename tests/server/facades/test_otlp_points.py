# SPDX-License-Identifier: Apache-2.0
"""Metrics of generative AI in OTLP become points."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitprompt.errors import BadRequest
from gitprompt.server.facades.otlp_points import points_of
from tests.server.client import Client
from tests.server.facades.test_otlp_scores import attributes
from tests.world import Server

USAGE = "gen_ai.client.token.usage"


def point(**fields: Any) -> dict[str, Any]:
    labels = attributes(gen_ai__token__type="input", gen_ai__prompt__name="welcome", port=443)
    return {"timeUnixNano": "1700000000123000000", "attributes": labels, **fields}


def metric(kind: str, *points: dict[str, Any], name: str = USAGE, **data: Any) -> dict[str, Any]:
    return {"name": name, kind: {"dataPoints": list(points), **data}}


def exported(*metrics: dict[str, Any]) -> dict[str, Any]:
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": list(metrics)}]}]}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (metric("gauge", point(asDouble=1.5)), [(USAGE, 1.5, "gauge")]),
        (metric("sum", point(asInt="7"), aggregationTemporality=1), [(USAGE, 7.0, "counter")]),
        (metric("sum", point(asInt="7"), aggregationTemporality=2), [(USAGE, 7.0, "gauge")]),
        (
            metric("histogram", point(count="2", sum=30.5),
                   aggregationTemporality="AGGREGATION_TEMPORALITY_DELTA"),
            [(f"{USAGE}.count", 2.0, "counter"), (f"{USAGE}.sum", 30.5, "counter")],
        ),
        (
            metric("exponentialHistogram", point(count="2"), aggregationTemporality=2),
            [(f"{USAGE}.count", 2.0, "gauge")],
        ),
    ],
)  # fmt: skip
def test_each_kind_of_metric_is_points(sent: dict[str, Any], kept: list[Any]) -> None:
    rows, others, rejected = points_of(exported(sent), "w", 5)
    assert [(row.name, row.value, row.type) for row in rows] == kept
    assert (others, rejected) == (0, [])
    (labels,) = {row.labels for row in rows}
    assert json.loads(labels) == {
        "gen_ai.prompt.name": "welcome", "gen_ai.token.type": "input", "port": "443",
    }  # fmt: skip
    assert {(row.prompt_name, row.timestamp) for row in rows} == {("welcome", 1_700_000_000_123)}


@pytest.mark.parametrize(
    "odd", [point(), point(asDouble="NaN"), point(asDouble=1.0, timeUnixNano="-1"), point(asDouble=1e305)]
)  # fmt: skip
def test_one_odd_point_loses_itself_only(odd: dict[str, Any]) -> None:
    rows, _, rejected = points_of(exported(metric("gauge", odd, point(asInt=1))), "w", 5)
    assert (len(rows), len(rejected)) == (1, 1)


def test_other_metrics_are_counted_and_left(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "measured"})
    other = metric("sum", point(asInt=1), point(asInt=2), name="http.server.requests")
    named = metric("sum", point(asInt=3, timeUnixNano=0), aggregationTemporality=1)
    told = client.http.post("/otlp/v1/metrics", json=exported(other, named)).json()
    assert told["partialSuccess"]["rejectedDataPoints"] == "2"
    assert "scrape /metrics" in told["partialSuccess"]["errorMessage"]
    points = client.get("/v1/metrics", name=USAGE, agg="sum")["points"]
    assert [one["value"] for one in points] == [3.0]
    assert client.http.post("/otlp/v1/metrics", json=exported(named)).json() == {
        "partialSuccess": {}
    }


@pytest.mark.parametrize(
    "value", [{"resourceMetrics": 3}, exported({"name": "gen_ai.x", "gauge": 3})]
)
def test_what_is_no_export_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="not an OTLP export"):
        points_of(value, "w", 5)
