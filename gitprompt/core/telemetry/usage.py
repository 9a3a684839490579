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


class ModelCall(NamedTuple):
    """One call with what its metrics are about. `cost_usd` None: nobody sent one."""

    provider: str | None
    model: str | None
    cost_usd: float | None
    usage: Usage


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

# The words of each instrument for one fact, the one that wins first.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": (
        "kind", "type", "openinference.span.kind", "langfuse.observation.type",
        "gen_ai.operation.name",
    ),
    "model": (
        "model", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name",
        "langfuse.observation.model.name",
    ),
    "provider": ("provider", "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "tokens_in": (
        "tokens_in", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt", "input_tokens", "prompt_tokens",
    ),
    "tokens_out": (
        "tokens_out", "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion", "output_tokens", "completion_tokens",
    ),
    "tokens_cached": (
        "tokens_cached", "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read",
    ),
    "cost": ("cost_usd", "gen_ai.usage.cost", "llm.cost.total"),
    "tool": ("tool", "gen_ai.tool.name", "tool.name"),
    "validator": ("validator",),
    "stage_type": ("stage_type",),
    "validator_type": ("validator_type",),
    "passed": ("passed",),
    "prompt_name": (
        "gitprompt.prompt.name", "gen_ai.prompt.name", "langfuse.observation.prompt.name",
    ),
    "prompt_version": (
        "gitprompt.prompt.version", "gen_ai.prompt.version", "langfuse.observation.prompt.version",
    ),
}  # fmt: skip
_FACTS = {word: (fact, rank) for fact, words in _WORDS.items() for rank, word in enumerate(words)}


def facts_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata of a span says in any of the known words, by our own; one pass over it."""
    facts: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for key, value in metadata.items():
        fact = _FACTS.get(key)
        if fact is not None and value is not None and fact[1] <= ranks.get(fact[0], fact[1]):
            facts[fact[0]] = value
            ranks[fact[0]] = fact[1]
    return facts


def prompt_of(facts: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Name and version of the prompt that a span names."""
    name, version = facts.get("prompt_name"), facts.get("prompt_version")
    if not isinstance(name, str) or not name:
        return None, None
    return name[:256], str(version)[:256] if version not in (None, "") else None


def kind_of(facts: Mapping[str, Any]) -> SpanKind:
    """What a span is. One that names a model and counts tokens is an LLM's without saying so."""
    kind = facts.get("kind")
    if isinstance(kind, str) and kind.lower() in _KINDS:
        return _KINDS[kind.lower()]
    return (
        "llm" if "model" in facts and ("tokens_in" in facts or "tokens_out" in facts) else "other"
    )


class SpanFacts(NamedTuple):
    """What the metadata of a span say that its usage does not. `name` is the tool's or the
    validator's, `type` the stage's or the validator's; None if nothing says so. `cost_usd` None:
    it was not sent, or is no sane number."""

    kind: SpanKind
    name: str | None = None
    type: str | None = None
    provider: str | None = None
    model: str | None = None
    cost_usd: float | None = None
    passed: bool = True


PLAIN = SpanFacts("other")


def span_facts(found: Mapping[str, Any]) -> SpanFacts:
    """What a span is, from what `facts_of` found."""
    kind = kind_of(found)
    if kind == "llm":
        cost: Any = found.get("cost")
        provider, model = _text(found.get("provider")), _text(found.get("model"))
        return SpanFacts(kind, None, None, provider, model, cost if _is_cost(cost) else None)
    if kind == "tool":
        return SpanFacts(kind, _text(found.get("tool")))
    if kind == "validator":
        passed = found.get("passed") is not False
        named = _text(found.get("validator")), _text(found.get("validator_type"))
        return SpanFacts(kind, *named, passed=passed)
    return SpanFacts(kind, type=_text(found.get("stage_type")) or _text(found.get("kind")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


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
) -> tuple[SpanFacts, Usage | None]:
    """What a span is, and the usage of an LLM's, None for any other. What is not a sane number counts
    as 0. A span that names a prompt counts for that one, whatever its trace names."""
    attributes = facts_of(metadata) if metadata else None
    if not attributes:
        return PLAIN, None
    facts = span_facts(attributes)
    if facts.kind != "llm":
        return facts, None
    own_name, own_version = prompt_of(attributes)
    if own_name is not None:
        prompt_name, version_tag = own_name, own_version
    latency = None
    if start_time is not None and end_time is not None and end_time >= start_time:
        latency = min(end_time - start_time, MAX_COUNT)
    usage = Usage(
        workspace,
        prompt_name or "",
        version_tag or "",
        created_at // HOUR,
        int(status == "error"),
        _count(attributes.get("tokens_in")),
        _count(attributes.get("tokens_out")),
        _count(attributes.get("tokens_cached")),
        _cost(attributes.get("cost")),
        latency,
    )
    return facts, usage


def _count(value: Any) -> int:
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else 0
    return int(value) if type(value) is float and 0 <= value <= MAX_COUNT else 0


def _cost(value: Any) -> int:
    return nano(value) if _is_cost(value) else 0


def _is_cost(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= MAX_COST


def percentile(buckets: list[tuple[int, int]], share: float) -> int | None:
    """The latency below which a share of the calls lies, from (bucket, calls) in ascending order:
    the nearest-rank percentile."""
    total = sum(calls for _, calls in buckets)
    if not total:
        return None
    rank = max(1, -(-int(total * share * 1_000_000) // 1_000_000))
    below = 0
    for bucket, calls in buckets:
        below += calls
        if below >= rank:
            return bucket
    return buckets[-1][0]
