# SPDX-License-Identifier: Apache-2.0
"""Every metric, as a literal row. Names are without the namespace; durations are in seconds.

Queries name bounds of buckets: a bound may be added, and is never taken away.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Family(NamedTuple):
    """`buckets` are the upper bounds of a histogram, without +Inf."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


PIPELINES_ACTIVE = Family("pipelines_active", "gauge", "Pipelines (runs) that are running.")
PIPELINE_DURATION = Family(
    "pipeline_duration_seconds", "histogram", "From start to end of a pipeline (run).", ("status",),
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)  # fmt: skip
STAGE_DURATION = Family(
    "stage_duration_seconds", "histogram", "Time in a stage of a pipeline.", ("stage", "stage_type"),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)  # fmt: skip
STAGE_ELEMENTS = Family(
    "stage_elements_total", "counter", "Elements that a stage has processed.", ("stage", "status")
)
PROVIDER_DURATION = Family(
    "provider_request_duration_seconds", "histogram", "Time of a call of a model, failed or not.",
    ("provider", "model"), (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)  # fmt: skip
PROVIDER_REQUESTS = Family(
    "provider_requests_total", "counter", "Calls of a model.", ("provider", "model", "status")
)
PROVIDER_TOKENS = Family(
    "provider_tokens_total", "counter",
    "Tokens by type; the types are disjoint, so their sum is the true total.",
    ("provider", "model", "type"),
)  # fmt: skip
PROVIDER_COST = Family(
    "provider_cost_total", "counter", "Cost of the calls in USD.", ("provider", "model")
)
PROVIDER_UNPRICED = Family(
    "provider_unpriced_requests_total", "counter",
    "Calls that came without a cost, of a model that the price table does not have.",
    ("provider", "model"),
)  # fmt: skip
TOOL_DURATION = Family(
    "tool_call_duration_seconds", "histogram", "Time of a call of a tool.", ("tool",),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
TOOL_CALLS = Family("tool_calls_total", "counter", "Calls of a tool.", ("tool", "status"))
VALIDATION_DURATION = Family(
    "validation_duration_seconds", "histogram", "Time of a validation.",
    ("validator", "validator_type"), (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)  # fmt: skip
VALIDATIONS = Family(
    "validations_total", "counter", "Validations by outcome.",
    ("validator", "validator_type", "status"),
)  # fmt: skip
EVAL_SCORE = Family(
    "eval_score", "histogram", "Scores of evaluation results.", ("suite",),
    (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1),
)  # fmt: skip
EVALS = Family(
    "evals_total", "counter",
    "Evaluation results: passed or failed by the suite's criteria.min_score, else unjudged.",
    ("suite", "status"),
)  # fmt: skip
PROMPT_REQUESTS = Family(
    "prompt_requests_total", "counter",
    "Prompts asked for, by result: ok, not_modified, not_found or invalid.",
    ("workspace", "prompt", "result"),
)  # fmt: skip
LABEL_VERSION = Family(
    "label_version_info", "gauge", "1 for the version that a label points at now.",
    ("workspace", "prompt", "label", "version"),
)  # fmt: skip
LABEL_MOVES = Family("label_moves_total", "counter", "Moves of labels.", ("workspace", "label"))
HTTP_DURATION = Family(
    "http_request_duration_seconds", "histogram", "Time to answer, by route template.",
    ("method", "route", "status"),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
INGEST_EVENTS = Family(
    "ingest_events_total", "counter",
    "Telemetry that arrived, by result: stored, duplicate, rejected (the sender's fault) or failed.",
    ("kind", "result"),
)  # fmt: skip
INGEST_QUEUE = Family("ingest_queue_size", "gauge", "Writes that wait for the next transaction.")
INGEST_COMMIT = Family(
    "ingest_commit_duration_seconds", "histogram", "Time of a transaction, failed or not, its fsync included.", (),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
SYNC_RUNS = Family(
    "sync_runs_total", "counter", "Syncs of a workspace with Git.", ("driver", "result")
)
SYNC_DURATION = Family(
    "sync_duration_seconds", "histogram", "Time of a sync, one that found nothing new included.", (),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)  # fmt: skip
INDEX_LAST_SUCCESS = Family(
    "index_last_success_timestamp_seconds", "gauge",
    "When the workspace that is worst off was last in sync, in Unix seconds; 0 for never.",
)  # fmt: skip
INDEX_VERSIONS = Family("index_versions", "gauge", "Versions that are served.")
REJECTED_REFS = Family("rejected_refs", "gauge", "Refs that are not served; GET /v1/sync says why.")
MOVED_TAGS = Family("moved_tags", "gauge", "Version tags that somebody moved or deleted.")
DB_SIZE = Family("db_size_bytes", "gauge", "Size of a database's files.", ("db",))
LABEL_OVERFLOW = Family(
    "metrics_label_overflow_total", "counter",
    "How often a value of a label became 'other', because there are too many.", ("name",),
)  # fmt: skip
BUILD_INFO = Family("build_info", "gauge", "1; the label says what runs.", ("version",))

# What any Python program has that calls models.
APPLICATION = (
    PIPELINES_ACTIVE, PIPELINE_DURATION, STAGE_DURATION, STAGE_ELEMENTS,
    PROVIDER_DURATION, PROVIDER_REQUESTS, PROVIDER_TOKENS, PROVIDER_COST, PROVIDER_UNPRICED,
    TOOL_DURATION, TOOL_CALLS, VALIDATION_DURATION, VALIDATIONS, EVAL_SCORE, EVALS,
    LABEL_OVERFLOW,
)  # fmt: skip
# What the sidecar has in addition.
SERVER = (
    PROMPT_REQUESTS, LABEL_VERSION, LABEL_MOVES, HTTP_DURATION,
    INGEST_EVENTS, INGEST_QUEUE, INGEST_COMMIT, SYNC_RUNS, SYNC_DURATION,
    INDEX_LAST_SUCCESS, INDEX_VERSIONS, REJECTED_REFS, MOVED_TAGS, DB_SIZE, BUILD_INFO,
)  # fmt: skip
FAMILIES = APPLICATION + SERVER

# How many values a label may have before the rest becomes 'other'. Where two labels go together,
# as model with provider, the pairs are counted.
CAPS = {
    "provider": 30, "model": 200, "stage": 200, "tool": 200, "validator": 200, "suite": 200,
    "prompt": 200, "label": 200, "workspace": 200,
}  # fmt: skip
