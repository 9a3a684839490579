# SPDX-License-Identifier: Apache-2.0
"""The shapes of requests and answers: they validate, they encode, and /openapi.json is made of them.

Unknown fields of a request are ignored, and null is the same as absent (CONTRACT, "Conventions").
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.core.usage import MAX_COST, MAX_COUNT

# PostgreSQL cannot store a NUL character, so no column of text ever has one.
Text = Annotated[str, Meta(min_length=1, max_length=256, pattern="^[^\\u0000]*$")]
LongText = Annotated[str, Meta(max_length=10_000, pattern="^[^\\u0000]*$")]
Id = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\u0000]*$")]
TraceId = Annotated[
    str,
    Meta(
        pattern="^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
        "|[0-9a-fA-F]{32})$",
        description="A UUID, or 32 hexadecimal digits.",
    ),
]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Milliseconds = Annotated[int, Meta(ge=0, le=(1 << 53) - 1, description="Milliseconds.")]
Usd = Annotated[float, Meta(ge=0, le=MAX_COST, description="US dollars.")]
Mapping50 = Annotated[dict[str, Any], Meta(max_length=50)]
Seconds = Annotated[int, Meta(description="Unix seconds.")]


class Body(msgspec.Struct):
    """A request's body."""


class NewLog(Body):
    prompt_name: Text
    version_tag: Text
    log_id: Annotated[Id | None, Meta(description="Yours; makes a retry harmless.")] = None
    provider: Text | None = None
    model: Text | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    tokens_cached: Annotated[Count | None, Meta(description="Part of tokens_in.")] = None
    latency_ms: Count | None = None
    cost_usd: Usd | None = None
    ollama_options: dict[str, Any] | None = None
    ollama_keep_alive: str | int | None = None
    ollama_format: str | dict[str, Any] | None = None
    status: Literal["ok", "error"] | None = None
    error_code: Text | None = None
    metadata: Mapping50 | None = None
    trace_id: TraceId | None = None
    span_id: Id | None = None


class NewTrace(Body):
    trace_id: TraceId | None = None
    prompt_name: Text | None = None
    version_tag: Text | None = None
    metadata: Mapping50 | None = None


class NewSpan(Body):
    name: Text
    span_id: Id | None = None
    parent_id: Id | None = None
    status: Literal["unset", "ok", "error", "running"] | None = None
    start_time: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    end_time: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    metadata: Mapping50 | None = None


class NewRun(Body):
    workflow_name: Text
    run_id: Id | None = None
    status: Literal["running", "completed", "failed"] = "running"
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    trace_id: TraceId | None = None
    metadata: Mapping50 | None = None
    start_time: Milliseconds | None = None
    end_time: Milliseconds | None = None


class RunChange(Body):
    status: Literal["running", "completed", "failed"] | None = None
    output: dict[str, Any] | None = None
    metadata: Mapping50 | None = None
    end_time: Milliseconds | None = None


class NewLabel(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    version_tag: Annotated[str | None, Meta(description="Absent: the newest version.")] = None
    reason: LongText | None = None


class LabelChange(Body):
    version_tag: Annotated[str, Meta(min_length=1, max_length=64)]
    expected: Annotated[
        str | msgspec.UnsetType | None,
        Meta(description="The version it must point at now; null: it must not exist."),
    ] = msgspec.UNSET
    reason: LongText | None = None


class NewEvaluation(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    prompt_name: Annotated[str, Meta(min_length=1, max_length=128)]
    description: LongText | None = None
    version_tag: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    criteria: dict[str, Any] | None = None


class NewResult(Body):
    run_id: Id | None = None
    result_id: Annotated[Id | None, Meta(description="Yours; makes a retry harmless.")] = None
    score: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    metadata: Mapping50 | None = None


class NewKey(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    scopes: Annotated[str, Meta(description="Comma-separated: read, write, admin.")] = "read,write"
    workspace_id: Annotated[str, Meta(max_length=128)] | None = None
    expires_in_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None


class NewPoint(Body):
    name: Annotated[str, Meta(pattern="^[a-zA-Z_:][a-zA-Z0-9_:.]{0,199}$")]
    value: Annotated[float, Meta(ge=-1e300, le=1e300)]
    type: Literal["gauge", "counter"] = "gauge"
    labels: Annotated[dict[str, Text], Meta(max_length=20)] | None = None
    prompt_name: Text | None = None
    version_tag: Text | None = None
    timestamp: Milliseconds | None = None


# Answers


class Accepted(msgspec.Struct, kw_only=True):
    id: int
    status: Literal["accepted"] = "accepted"


class Log(msgspec.Struct, kw_only=True):
    id: int
    workspace_id: str
    log_id: str | None
    prompt_name: str
    version_tag: str
    provider: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    latency_ms: int | None
    cost_usd: float | None
    ollama_options: Any
    ollama_keep_alive: Any
    ollama_format: Any
    status: str | None
    error_code: str | None
    metadata: Any
    trace_id: str | None
    span_id: str | None
    created_at: Seconds


class CreatedTrace(msgspec.Struct, kw_only=True):
    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    status: Literal["created"] = "created"


class Trace(msgspec.Struct, kw_only=True):
    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    metadata: Any
    workspace_id: str
    created_at: Seconds


class Span(msgspec.Struct, kw_only=True):
    span_id: str
    parent_id: str | None
    name: str
    status: str
    start_time: int | None
    end_time: int | None
    metadata: Any
    created_at: Seconds
    trace_id: str


class TraceWithSpans(Trace, kw_only=True):
    spans: list[Span]


class CreatedSpan(msgspec.Struct, kw_only=True):
    trace_id: str
    span_id: str
    name: str
    status: str


class CreatedRun(msgspec.Struct, kw_only=True):
    run_id: str
    workflow_name: str
    status: str


class Run(msgspec.Struct, kw_only=True):
    run_id: str
    workflow_name: str
    status: str
    input: Any
    output: Any
    trace_id: str | None
    metadata: Any
    start_time: int
    end_time: int | None
    workspace_id: str
    created_at: Seconds
    updated_at: Seconds


class UpdatedRun(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`run_id` and status updated, or the message that there was nothing to change."""

    run_id: str | None = None
    status: str | None = None
    message: str | None = None


class PublishedVersion(msgspec.Struct, kw_only=True):
    name: str
    version_tag: str
    commit_sha: str
    created_at: Seconds
    on_branch: Annotated[bool, Meta(description="Whether the default branch took it.")]


class Label(msgspec.Struct, kw_only=True):
    prompt_name: str
    name: str
    version_tag: str
    created_at: Seconds


class MovedLabel(msgspec.Struct, kw_only=True):
    prompt_name: str
    name: str
    version_tag: str
    previous: str | None
    commit_sha: str


class Move(msgspec.Struct, kw_only=True):
    version: str | None
    previous: str | None
    actor: str
    reason: str
    time: Seconds
    commit: str


class Evaluation(msgspec.Struct, kw_only=True):
    id: int
    name: str
    description: str | None
    prompt_name: str
    version_tag: str | None
    criteria: Any
    created_at: Seconds


class Result(msgspec.Struct, kw_only=True):
    id: int
    evaluation_id: int
    result_id: str | None
    run_id: str | None
    score: float | None
    metadata: Any
    created_at: Seconds


class Key(msgspec.Struct, kw_only=True):
    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: Seconds
    expires_at: int | None
    last_used_at: int | None


class CreatedKey(msgspec.Struct, kw_only=True):
    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: Seconds
    expires_at: int | None
    key: Annotated[str, Meta(description="Shown this once.")]


class AuditLog(msgspec.Struct, kw_only=True):
    id: int
    action: str
    prompt_name: str | None
    version_tag: str | None
    api_key_name: str
    ip_address: str | None
    timestamp: Seconds
    workspace_id: str
    target_id: str | None
    outcome: str


class Counted(msgspec.Struct, kw_only=True):
    count: int


class Stored(msgspec.Struct, kw_only=True):
    accepted: int


class Point(msgspec.Struct, kw_only=True):
    timestamp: Annotated[int, Meta(description="Milliseconds; where the step begins.")]
    value: float
    points: int


class Points(msgspec.Struct, kw_only=True):
    name: str
    step: Annotated[int, Meta(description="Milliseconds.")]
    agg: str
    points: list[Point]


class Statistics(msgspec.Struct, kw_only=True):
    prompt_name: str | None
    version_tag: str | None
    calls: int
    errors: int
    error_rate: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_usd: float
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    scores: int
    mean_score: float | None


class Summary(msgspec.Struct, kw_only=True):
    window: str
    since: Annotated[int, Meta(description="Unix seconds, a whole hour.")]
    items: list[Statistics]


class ListedPrompt(msgspec.Struct, kw_only=True):
    name: str
    latest: str
    updated_at: Seconds
    tags: list[str]
    labels: dict[str, str]


class VersionHead(msgspec.Struct, kw_only=True):
    name: str
    version_tag: str
    commit_sha: str | None
    created_at: Seconds


class ServedPrompt(msgspec.Struct, kw_only=True):
    content: dict[str, Any]
    version: VersionHead


class ListedVersion(msgspec.Struct, kw_only=True):
    id: int
    name: str
    version_tag: str
    commit_sha: str | None
    created_at: Seconds
    author: str
    workspace_id: str
    status: Literal["active"]
    stats: Statistics | msgspec.UnsetType | None = msgspec.UNSET


class Diff(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    name: str
    from_: VersionHead
    to: VersionHead
    bump: str | None
    messages: list[Any]
    variables: list[Any]
    settings: list[Any]
    model_config: list[Any]


class Health(msgspec.Struct, kw_only=True):
    status: Literal["ok"]


class DeepHealth(msgspec.Struct, kw_only=True):
    status: Literal["ok", "degraded"]
    checks: dict[str, str]
    dbType: str
    dbConnected: bool
    driverType: str


class SyncState(msgspec.Struct, kw_only=True):
    workspace: str
    driver: str
    revision: int
    last_success: int | None
    last_error: str | None
    seconds: float
    counts: dict[str, int]
    rejected: list[Any]
    tampered: list[Any]


class Webhook(msgspec.Struct, kw_only=True):
    message: str
    event: str | msgspec.UnsetType = msgspec.UNSET


class Error(msgspec.Struct, kw_only=True):
    """The one envelope of all errors."""

    error: str
    code: str
    requestId: str
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    detailsType: Literal["context", "fields"] | msgspec.UnsetType = msgspec.UNSET
    hint: str | msgspec.UnsetType = msgspec.UNSET
