# SPDX-License-Identifier: Apache-2.0
"""The shapes of requests and answers: they validate, they encode, and /openapi.json is made of them.

Unknown fields of a request are ignored, and null is the same as absent (CONTRACT, "Conventions").
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gitprompt.core.telemetry.numbers import MAX_COST, MAX_COUNT

# PostgreSQL cannot store a NUL character, so no column of text ever has one.
Text = Annotated[str, Meta(min_length=1, max_length=256, pattern="^[^\\u0000]*$")]
LongText = Annotated[str, Meta(max_length=10_000, pattern="^[^\\u0000]*$")]
Id = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\u0000]*$")]
TraceId = Annotated[
    str,
    Meta(
        pattern="^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
        "|[0-9a-fA-F]{32})$(?!\n)",
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


# Answers


class Counted(msgspec.Struct, kw_only=True):
    count: int


class MeanScore(msgspec.Struct, kw_only=True):
    scores: int
    mean: float


class Statistics(msgspec.Struct, kw_only=True):
    prompt_name: str | None
    version_tag: str | None
    calls: int
    errors: int
    error_rate: float
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_usd: Annotated[
        float | None, Meta(description="Of the calls whose cost is known; null: of none.")
    ]
    unpriced: Annotated[int, Meta(description="Calls whose cost nobody knows.")]
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    scores: Annotated[int, Meta(description="Of suites.")]
    mean_score: Annotated[
        float | None, Meta(description="Of the only suite that scored it; of several: null.")
    ]
    scores_by_suite: dict[str, MeanScore]
    scores_by_name: Annotated[
        dict[str, MeanScore], Meta(description="Of the scores that are of no suite.")
    ]


Timestamp = Annotated[
    int,
    Meta(
        ge=0,
        le=1 << 40,
        description="When it happened, in Unix seconds; 0: when it comes. At most 24 hours ahead.",
    ),
]


class Error(msgspec.Struct, kw_only=True):
    """The one envelope of all errors."""

    error: str
    code: str
    requestId: str
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    detailsType: Literal["context", "fields"] | msgspec.UnsetType = msgspec.UNSET
    hint: str | msgspec.UnsetType = msgspec.UNSET
