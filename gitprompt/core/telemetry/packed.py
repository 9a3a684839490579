# SPDX-License-Identifier: Apache-2.0
"""Attributes with JSON in their text: tokens and costs by the rules of whoever packed them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gitprompt.core.telemetry.numbers import number_of

_LONG = 100_000  # characters; nobody counts tokens in more


def decoded(value: Any) -> Any:
    """The value of a text that is JSON; what is no text, or no JSON, is itself."""
    if not isinstance(value, str) or len(value) > _LONG:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _mapping(value: Any) -> Mapping[str, Any]:
    found = decoded(value)
    return found if isinstance(found, dict) else {}


def _sum(numbers: Iterable[Any]) -> float:
    return sum(number_of(number) or 0 for number in numbers)


def langfuse_usage(value: Any) -> Mapping[str, Any]:
    """Langfuse's parts are disjoint: what went in is all that begins with `input` or `cache_`, what came
    out all that begins with `output`. In the words of OpenAI, `prompt_tokens` has what was cached."""
    usage = _mapping(value)
    into = {key: item for key, item in usage.items() if key.startswith(("input", "cache_"))}
    out = [item for key, item in usage.items() if key.startswith("output")]
    if not into and not out:
        return usage_of(usage)
    written = {key: item for key, item in into.items() if "creation" in key or "write" in key}
    cached = [item for key, item in into.items() if "cache" in key and key not in written]
    return {
        "tokens_in": _sum(into.values()),
        "tokens_out": _sum(out),
        "tokens_cached": _sum(cached),
        "tokens_written": _sum(written.values()),
    }


def usage_of(value: Any) -> Mapping[str, Any]:
    """Tokens in the words of OpenAI, Anthropic and LangChain: totals, with what was cached as a part."""
    usage = _mapping(value)
    details = _first(usage, "input_token_details", "prompt_tokens_details", "input_tokens_details")
    parts = details if isinstance(details, dict) else {}
    return {
        "tokens_in": _first(usage, "input_tokens", "prompt_tokens", "promptTokens"),
        "tokens_out": _first(usage, "output_tokens", "completion_tokens", "completionTokens"),
        "tokens_cached": _first(parts, "cache_read", "cached_tokens")
        or _first(usage, "cache_read_input_tokens"),
        "tokens_written": _first(parts, "cache_creation")
        or _first(usage, "cache_creation_input_tokens"),
    }


def langfuse_cost(value: Any) -> Mapping[str, Any]:
    """The total in USD, or else the sum of the parts."""
    costs = _mapping(value)
    total = _first(costs, "total", "total_cost", "totalCost")
    if total is None:
        parts = [number_of(item) for item in costs.values()]
        known = [part for part in parts if part is not None]
        total = sum(known) if known else None
    return {"cost": total}


def _first(values: Mapping[str, Any], *keys: str) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)
