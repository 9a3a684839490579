# SPDX-License-Identifier: Apache-2.0
"""What one call of a model used: read from a log, or from the span of an LLM.

Spans come from many instruments, so their metadata is read in the seed's own words and in those of
OpenTelemetry's `gen_ai.*`, OpenInference and Langfuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

NANO = 1_000_000_000
HOUR = 3_600  # seconds
_EXACT = 2_048  # milliseconds; a bucket is one value below, and one in a thousand above
MAX_COST = 1_000_000  # USD a call; what is more is a mistake
MAX_COUNT = 1 << 40

SpanKind = Literal["llm", "tool", "validator", "other"]


class Usage(NamedTuple):
    """One call: which version of a prompt made it, when, and what it took.

    `hour` counts hours since the epoch; `cost_nano` is in 10^-9 USD; `latency_ms` None: unknown.
    """

    workspace: str
    prompt_name: str
    version_tag: str
    hour: int
    errors: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_nano: int
    latency_ms: int | None


def bucket_of(latency_ms: int) -> int:
    """The lower bound of the latency's bucket in milliseconds: 11 significant bits."""
    if latency_ms < _EXACT:
        return latency_ms
    shift = latency_ms.bit_length() - 11
    return latency_ms >> shift << shift


def nano(usd: float | None) -> int:
    return round(usd * NANO) if usd else 0


_KINDS: Mapping[str, SpanKind] = {
    "llm": "llm", "generation": "llm", "chat": "llm", "completion": "llm",
    "text_completion": "llm", "generate_content": "llm",
    "tool": "tool", "execute_tool": "tool",
    "validator": "validator", "validation": "validator", "guardrail": "validator",
}  # fmt: skip
_KIND_KEYS = (
    "kind", "type", "openinference.span.kind", "langfuse.observation.type", "gen_ai.operation.name",
)  # fmt: skip
_MODEL = (
    "model", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name",
    "langfuse.observation.model.name",
)  # fmt: skip
_PROVIDER = (
    "provider", "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system",
)  # fmt: skip
_TOKENS_IN = (
    "tokens_in", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt", "input_tokens", "prompt_tokens",
)  # fmt: skip
_TOKENS_OUT = (
    "tokens_out", "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
    "llm.token_count.completion", "output_tokens", "completion_tokens",
)  # fmt: skip
_TOKENS_CACHED = (
    "tokens_cached", "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read",
)  # fmt: skip
_COST = ("cost_usd", "gen_ai.usage.cost", "llm.cost.total")


def kind_of(metadata: Mapping[str, Any] | None) -> SpanKind:
    """What a span is. One that names a model and counts tokens is an LLM's without saying so."""
    if not metadata:
        return "other"
    for key in _KIND_KEYS:
        said = metadata.get(key)
        if isinstance(said, str) and said.lower() in _KINDS:
            return _KINDS[said.lower()]
    if _first(metadata, _MODEL) is not None:
        counts = (*_TOKENS_IN, *_TOKENS_OUT)
        return "llm" if any(key in metadata for key in counts) else "other"
    return "other"


def model_of(metadata: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Provider and model, as far as the metadata says."""
    provider, model = _first(metadata, _PROVIDER), _first(metadata, _MODEL)
    return (
        provider if isinstance(provider, str) else None,
        model if isinstance(model, str) else None,
    )


def of_span(
    *,
    workspace: str,
    prompt_name: str | None,
    version_tag: str | None,
    created_at: int,
    status: str,
    start_time: int | None,
    end_time: int | None,
    metadata: Mapping[str, Any] | None,
) -> Usage | None:
    """The usage of an LLM's span, None for any other. What is not a sane number counts as 0."""
    if not metadata or kind_of(metadata) != "llm":
        return None
    latency = None
    if start_time is not None and end_time is not None and end_time >= start_time:
        latency = min(end_time - start_time, MAX_COUNT)
    return Usage(
        workspace,
        prompt_name or "",
        version_tag or "",
        created_at // HOUR,
        int(status == "error"),
        _count(_first(metadata, _TOKENS_IN)),
        _count(_first(metadata, _TOKENS_OUT)),
        _count(_first(metadata, _TOKENS_CACHED)),
        _cost(_first(metadata, _COST)),
        latency,
    )


def _first(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((metadata[key] for key in keys if metadata.get(key) is not None), None)


def _count(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= MAX_COUNT else 0


def _cost(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return nano(value) if is_number and 0 <= value <= MAX_COST else 0


def percentile(buckets: list[tuple[int, int]], share: float) -> int | None:
    """The latency below which a share of the calls lies, from (bucket, calls) in ascending order:
    the nearest-rank percentile."""
    total = sum(calls for _, calls in buckets)
    if not total:
        return None
    rank = max(1, -(-int(total * share * 1_000_000) // 1_000_000))
    seen = 0
    for bucket, calls in buckets:
        seen += calls
        if seen >= rank:
            return bucket
    return buckets[-1][0]
