# SPDX-License-Identifier: Apache-2.0
"""/v1/metrics: custom points, and how each prompt version does."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from gitprompt import statistics
from gitprompt.clock import now_ms
from gitprompt.errors import Invalid
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Call, Endpoint, Parameter
from gitprompt.server.http.listing import Filter, conditions
from gitprompt.server.http.shapes import Body, Milliseconds, Statistics, Text
from gitprompt.statistics import WINDOWS
from gitprompt.store.tables.points import Aggregate, PointRow, Steps
from gitprompt.store.tables.rows import Condition


class NewPoint(Body):
    name: Annotated[str, Meta(pattern="^[a-zA-Z_:][a-zA-Z0-9_:.]{0,199}$(?!\n)")]
    value: Annotated[float, Meta(ge=-1e300, le=1e300)]
    type: Literal["gauge", "counter"] = "gauge"
    labels: Annotated[dict[str, Text], Meta(max_length=20)] | None = None
    prompt_name: Text | None = None
    version_tag: Text | None = None
    timestamp: Milliseconds | None = None


class Stored(msgspec.Struct, kw_only=True):
    accepted: int


class Point(msgspec.Struct, kw_only=True):
    timestamp: Annotated[int, Meta(description="Milliseconds; the beginning of the step.")]
    value: float
    points: int


class Points(msgspec.Struct, kw_only=True):
    name: str
    step: Annotated[int, Meta(description="Milliseconds.")]
    agg: str
    points: list[Point]


class Summary(msgspec.Struct, kw_only=True):
    window: str
    since: Annotated[int, Meta(description="Unix seconds, a whole hour.")]
    items: list[Statistics]


MAX_POINTS = 10_000
_FILTERS = (
    Filter("name", "Which metric."),
    Filter("prompt_name", "Of this prompt."),
    Filter("version_tag", "Of this version."),
    Filter("since", "Milliseconds; then or later.", column="timestamp", operator=">="),
    Filter("until", "Milliseconds; before.", column="timestamp", operator="<"),
)
_AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
_MAX_STEP = 1 << 40
_POINTS = NewPoint | Annotated[list[NewPoint], Meta(min_length=1, max_length=MAX_POINTS)]


async def create(context: Context, call: Call) -> Stored:
    sent = call.body if isinstance(call.body, list) else [call.body]
    now = now_ms()
    points = [_row(call.principal.workspace, point, now) for point in sent]
    return Stored(accepted=await context.ingest.points(call.actor, points))


async def query(context: Context, call: Call) -> dict[str, Any]:
    params = call.params
    problems = [] if params.get("name") else ["name: is required"]
    step = params.get("step", "60000")
    if not re.fullmatch(r"[0-9]{1,13}", step) or not 1 <= int(step) <= _MAX_STEP:
        problems.append("step: must be a number of milliseconds")
    aggregate = next((one for one in _AGGREGATES if one == params.get("agg", "avg")), None)
    if aggregate is None:
        problems.append(f"agg: must be one of {', '.join(_AGGREGATES)}")
    if problems or aggregate is None:
        raise Invalid("Validation failed", fields=problems)
    narrowed = [Condition("workspace", call.principal.workspace), *conditions(_FILTERS, params)]
    steps = await context.database.read(Steps(narrowed, int(step), aggregate))
    points = [one._asdict() for one in steps]
    return {"name": params["name"], "step": int(step), "agg": aggregate, "points": points}


async def summary(context: Context, call: Call) -> dict[str, Any]:
    window = call.params.get("window", "24h")
    if window not in WINDOWS:
        raise Invalid(f"window: must be one of {', '.join(WINDOWS)}")
    since, rows = await statistics.summary(
        context.database, context.clock, call.principal.workspace, window,
        call.params.get("prompt_name"),
    )  # fmt: skip
    items = [row._asdict() for row in rows]
    return {"window": window, "since": since, "items": items}


def _row(workspace: str, point: NewPoint, now: int) -> PointRow:
    labels = dict(sorted((point.labels or {}).items()))
    return PointRow(
        workspace,
        point.name,
        point.value,
        point.type,
        msgspec.json.encode(labels).decode(),
        point.prompt_name,
        point.version_tag,
        point.timestamp if point.timestamp is not None else now,
    )


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/metrics", scope="write", status=201, handler=create,
        kind="metric", summary="Store a metric point, or an array of them",
        body=_POINTS, answer=Stored,
        example={"name": "thumbs_up", "value": 1, "type": "counter", "prompt_name": "welcome"},
    ),
    Endpoint(
        method="GET", path="/v1/metrics", scope="read", handler=query,
        summary="Points of a metric, aggregated by step", answer=Points,
        query=(
            *(one.parameter for one in _FILTERS),
            Parameter("step", "Milliseconds; 60000 by default.",
                      {"type": "integer", "minimum": 1, "maximum": _MAX_STEP}),
            Parameter("agg", "How the points of a step become one value.",
                      {"type": "string", "enum": list(_AGGREGATES)}),
        ),
    ),
    Endpoint(
        method="GET", path="/v1/metrics/summary", scope="read", handler=summary,
        summary="Calls, errors, tokens, cost, latency and score by prompt version",
        answer=Summary,
        query=(
            Parameter("window", "How far back.", {"type": "string", "enum": list(WINDOWS)}),
            Parameter("prompt_name", "Of this prompt."),
        ),
    ),
)  # fmt: skip
