# SPDX-License-Identifier: Apache-2.0
"""What a span is and what one call of a model used, from the facts that any vocabulary states (`dialects`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from gitprompt.core.telemetry.dialects import facts_of
from gitprompt.core.telemetry.houses import house_of
from gitprompt.core.telemetry.numbers import MAX_COUNT, cost_of, count_of
from gitprompt.core.telemetry.packed import decoded

HOUR = 3_600  # seconds
_EXACT = 2_048  # milliseconds; a bucket is one value below, and one in a thousand above

SpanKind = Literal["llm", "tool", "validator", "other"]


class Usage(NamedTuple):
    """One call: which version of a prompt made it, when, and what it took.

    `hour` counts hours since the epoch; `tokens_in` has what was cached. `cost_nano` is in 10^-9 USD, None:
    nobody said, and no price is known. `latency_ms` None: unknown.
    """

    workspace: str
    prompt_name: str
    version_tag: str
    hour: int
    errors: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_nano: int | None
    latency_ms: int | None


class ModelCall(NamedTuple):
    """One call with what its metrics are about. `cost_usd` None: nobody said, and no price is known."""

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


# What a span says that it is, in lower case. Whoever says anything else is something else: the tokens of
# an agent or a chain are those of the calls below it.
_KINDS: Mapping[str, SpanKind] = {
    "llm": "llm", "generation": "llm", "chat": "llm", "chat_model": "llm", "completion": "llm",
    "text_completion": "llm", "generate_content": "llm", "embedding": "llm", "embeddings": "llm",
    "responses": "llm", "ai.generatetext.dogenerate": "llm", "ai.streamtext.dostream": "llm",
    "ai.generateobject.dogenerate": "llm", "ai.streamobject.dostream": "llm",
    "ai.embed.doembed": "llm", "ai.embedmany.doembed": "llm",
    "tool": "tool", "execute_tool": "tool", "tool_call": "tool", "ai.toolcall": "tool",
    "validator": "validator", "validation": "validator", "guardrail": "validator",
}  # fmt: skip


class SpanFacts(NamedTuple):
    """What a span is. `name` is the tool's or the validator's, `type` the stage's or the validator's; None
    if nothing says so. The rest is of calls of a model: `tokens_in` has what was read from a cache and
    written to one, and `cost_usd` is None where nobody said one that is a sane number."""

    kind: SpanKind
    name: str | None = None
    type: str | None = None
    passed: bool = True
    provider: str | None = None
    model: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_written: int = 0
    cost_usd: float | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None


PLAIN = SpanFacts("other")


def read_span(metadata: Mapping[str, Any] | None, *, is_own: bool = True) -> SpanFacts:
    """What a span is, from its attributes. `is_own`: it came by our own REST API, and may use our own bare
    words."""
    return span_facts(facts_of(metadata, is_own=is_own)) if metadata else PLAIN


def span_facts(found: Mapping[str, Any]) -> SpanFacts:
    """What a span is, from what its attributes say."""
    if not found:
        return PLAIN
    kind = kind_of(found)
    if kind == "llm":
        return _call(found)
    if kind == "tool":
        return SpanFacts(kind, _text(found.get("tool")))
    if kind == "validator":
        passed = found.get("passed") is not False
        named = _text(found.get("validator")), _text(found.get("validator_type"))
        return SpanFacts(kind, *named, passed)
    prompt = prompt_of(found)
    type_of_stage = _text(found.get("stage_type")) or _text(found.get("kind"))
    return SpanFacts(kind, type=type_of_stage, prompt_name=prompt[0], prompt_version=prompt[1])


def kind_of(found: Mapping[str, Any]) -> SpanKind:
    """What a span says that it is. One that says nothing is a tool's if it names one, and a model's call
    if it names a model and counts tokens."""
    said = _text(found.get("kind"))
    if said is not None:
        return _KINDS.get(said) or _KINDS.get(said.lower(), "other")
    if "model" in found and ("tokens_in" in found or "tokens_out" in found):
        return "llm"
    return "tool" if _text(found.get("tool")) else "other"


def _call(found: Mapping[str, Any]) -> SpanFacts:
    provider, model = house_of(_text(found.get("provider")), _text(found.get("model")))
    cached, written = count_of(found.get("tokens_cached")), count_of(found.get("tokens_written"))
    tokens_in = count_of(found.get("tokens_in"))
    if cached + written > tokens_in:  # who counts the parts apart, as Anthropic does
        tokens_in = min(tokens_in + cached + written, MAX_COUNT)
    tokens_out = count_of(found.get("tokens_out"))
    if "tokens_thought" in found:
        tokens_out = min(tokens_out + count_of(found["tokens_thought"]), MAX_COUNT)
    name, version = prompt_of(found)
    return SpanFacts(
        kind="llm",
        provider=provider,
        model=model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_cached=cached,
        tokens_written=written,
        cost_usd=cost_of(found.get("cost")),
        prompt_name=name,
        prompt_version=version,
    )


def prompt_of(found: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Name and version of the prompt that a span names."""
    name, version = found.get("prompt_name"), found.get("prompt_version")
    if not isinstance(name, str) or not name:
        return None, None
    return name[:256], version_of(version)


def version_of(version: Any) -> str | None:
    """The version that a span names. Langfuse knows integers only: from 1,000,000 on they are our a.b.c as
    a·10^6 + b·10^3 + c."""
    if version in (None, "") or isinstance(version, bool):
        return None
    text = str(version)[:256]
    if text.isascii() and text.isdigit() and 7 <= len(text) <= 10:
        number = int(text)
        return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"
    return text


def _text(value: Any) -> str | None:
    value = decoded(value) if isinstance(value, str) and value[:1] == '"' else value
    return value if isinstance(value, str) and value else None


def usage_of_span(
    facts: SpanFacts,
    *,
    workspace: str,
    prompt_name: str | None,
    version_tag: str | None,
    created_at: int,
    status: str,
    start_time: int | None,
    end_time: int | None,
    cost_nano: int | None,
) -> Usage | None:
    """The usage of a model's call, None for any other span. A span that names a prompt counts for that
    one, whatever its trace names."""
    if facts.kind != "llm":
        return None
    if facts.prompt_name is not None:
        prompt_name, version_tag = facts.prompt_name, facts.prompt_version
    latency = None
    if start_time is not None and end_time is not None and end_time >= start_time:
        latency = min(end_time - start_time, MAX_COUNT)
    return Usage(
        workspace,
        prompt_name or "",
        version_tag or "",
        created_at // HOUR,
        int(status == "error"),
        facts.tokens_in,
        facts.tokens_out,
        facts.tokens_cached,
        cost_nano,
        latency,
    )


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
