# SPDX-License-Identifier: Apache-2.0
"""The vocabularies of instrumentations: which attribute of a span says what, one row for each dialect.

To add a dialect: add its row to `DIALECTS`, and a span of it to the table of `test_dialects`. Where two
dialects say the same of one span, the first row wins, and in a row the first attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gitprompt.core.telemetry.packed import decoded, langfuse_cost, langfuse_usage, usage_of

Unpack = Callable[[Any], Mapping[str, Any]]


class Vocabulary(NamedTuple):
    """`words`: fact → the attributes that say it. `packed`: attributes with JSON that says several facts,
    and what reads it."""

    name: str
    words: Mapping[str, tuple[str, ...]]
    packed: Mapping[str, Unpack] = {}


def _said(fact: str, value: Any) -> Mapping[str, Any]:
    """One fact from an attribute whose text is JSON."""
    return {fact: decoded(value)}


# Our own bare words mean something in our own REST API alone: on a span of another program `type` or
# `kind` says something else.
OWN = Vocabulary(
    "gitprompt",
    {
        "kind": ("kind", "type"),
        "model": ("model",),
        "provider": ("provider",),
        "tokens_in": ("tokens_in", "input_tokens", "prompt_tokens"),
        "tokens_out": ("tokens_out", "output_tokens", "completion_tokens"),
        "tokens_cached": ("tokens_cached",),
        "tokens_written": ("tokens_written",),
        "cost": ("cost_usd",),
        "tool": ("tool",),
        "validator": ("validator",),
        "stage_type": ("stage_type",),
        "validator_type": ("validator_type",),
        "passed": ("passed",),
    },
)

DIALECTS: tuple[Vocabulary, ...] = (
    Vocabulary(
        "gitprompt, on spans of any make",
        {
            "session_id": ("session.id",),
            "user_id": ("user.id", "enduser.id"),
            "environment": ("deployment.environment.name", "deployment.environment"),
            "release": ("service.version",),
            "tags": ("tag.tags",),
            "prompt_name": ("gitprompt.prompt.name",),
            "prompt_version": ("gitprompt.prompt.version",),
        },
    ),
    # https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
    Vocabulary(
        "OpenInference",
        {
            "kind": ("openinference.span.kind",),
            "model": ("llm.model_name", "embedding.model_name"),
            "provider": ("llm.provider", "llm.system"),
            "tokens_in": ("llm.token_count.prompt",),
            "tokens_out": ("llm.token_count.completion",),
            "tokens_cached": (
                "llm.token_count.prompt_details.cache_read",
                "llm.token_count.prompt_details.cache_input",
            ),
            "tokens_written": ("llm.token_count.prompt_details.cache_write",),
            "cost": ("llm.cost.total",),
            "tool": ("tool.name",),
            "prompt_name": ("prompt.id", "llm.prompt_template.name"),
            "prompt_version": ("llm.prompt_template.version",),
        },
    ),
    # https://langfuse.com/integrations/native/opentelemetry
    Vocabulary(
        "Langfuse",
        {
            "trace_name": ("langfuse.trace.name",),
            "session_id": ("langfuse.session.id",),
            "user_id": ("langfuse.user.id",),
            "environment": ("langfuse.environment",),
            "release": ("langfuse.release",),
            "tags": ("langfuse.trace.tags",),
            "input": ("langfuse.trace.input",),
            "output": ("langfuse.trace.output",),
            "kind": ("langfuse.observation.type",),
            "model": ("langfuse.observation.model.name",),
            "prompt_name": ("langfuse.observation.prompt.name", "langfuse.prompt.name"),
            "prompt_version": ("langfuse.observation.prompt.version", "langfuse.prompt.version"),
        },
        {
            "langfuse.observation.usage_details": langfuse_usage,
            "langfuse.observation.cost_details": langfuse_cost,
        },
    ),
    # https://mlflow.org/docs/latest/genai/tracing: each value is JSON
    Vocabulary(
        "MLflow",
        {
            "session_id": ("mlflow.trace.session",),
            "user_id": ("mlflow.trace.user",),
        },
        {
            "mlflow.spanType": partial(_said, "kind"),
            "mlflow.llm.model": partial(_said, "model"),
            "mlflow.llm.provider": partial(_said, "provider"),
            "mlflow.chat.tokenUsage": usage_of,
            "mlflow.llm.cost": langfuse_cost,
        },
    ),
    # https://docs.smith.langchain.com/observability/how_to_guides/trace_langchain_with_otel
    Vocabulary(
        "LangSmith",
        {
            "session_id": (
                "langsmith.metadata.session_id", "langsmith.metadata.thread_id",
                "langsmith.metadata.conversation_id",
            ),
            "user_id": ("langsmith.metadata.user_id",),
            "tags": ("langsmith.span.tags",),
            "kind": ("langsmith.span.kind", "langsmith.run_type"),
            "model": ("langsmith.metadata.ls_model_name", "ls_model_name"),
            "provider": ("langsmith.metadata.ls_provider", "ls_provider"),
            "prompt_name": ("langsmith.metadata.lc_hub_repo", "lc_hub_repo"),
            "prompt_version": (
                "langsmith.metadata.lc_hub_commit_hash",
                "lc_hub_commit_hash",
            ),
        },
        {"langsmith.usage_metadata": usage_of, "langsmith.metadata.usage_metadata": usage_of},
    ),
    # https://ai-sdk.dev/docs/ai-sdk-core/telemetry
    Vocabulary(
        "Vercel AI SDK",
        {
            "session_id": ("ai.telemetry.metadata.sessionId",),
            "user_id": ("ai.telemetry.metadata.userId",),
            "kind": ("ai.operationId",),
            "model": ("ai.response.model", "ai.model.id"),
            "provider": ("ai.model.provider",),
            "tokens_in": ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
            "tokens_out": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
            "tokens_cached": (
                "ai.usage.inputTokenDetails.cacheReadTokens",
                "ai.usage.cachedInputTokens",
            ),
            "tokens_written": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
            "tool": ("ai.toolCall.name",),
        },
    ),
    # https://opentelemetry.io/docs/specs/semconv/gen-ai/ in all its versions: Microsoft's Agent Framework
    # and Google's ADK speak it too
    Vocabulary(
        "OpenTelemetry GenAI",
        {
            "session_id": ("gen_ai.conversation.id",),
            "kind": ("gen_ai.operation.name",),
            "model": ("gen_ai.response.model", "gen_ai.request.model"),
            "provider": ("gen_ai.provider.name", "gen_ai.system"),
            "tokens_in": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
            "tokens_out": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            "tokens_cached": (
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.cached_input_tokens",
            ),
            "tokens_written": (
                "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens",
            ),
            "cost": ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.cost.total"),
            "tool": ("gen_ai.tool.name",),
            "prompt_name": ("gen_ai.prompt.name",),
            "prompt_version": ("gen_ai.prompt.version",),
        },
    ),
    Vocabulary(
        "Pydantic AI",
        {
            "tokens_cached": ("gen_ai.usage.details.cache_read_tokens",),
            "tokens_written": ("gen_ai.usage.details.cache_write_tokens",),
            "cost": ("operation.cost",),
        },
    ),
    # Gemini counts what it thinks beside what it answers, and ADK passes both on as they are.
    Vocabulary(
        "Google ADK",
        {
            "tokens_cached": ("gen_ai.usage.cached_tokens",),
            "tokens_thought": ("gen_ai.usage.experimental.reasoning_tokens",),
        },
    ),
    # https://github.com/traceloop/openllmetry, before it spoke GenAI
    Vocabulary(
        "OpenLLMetry",
        {
            "session_id": ("traceloop.association.properties.session_id",),
            "user_id": ("traceloop.association.properties.user_id",),
            "kind": ("traceloop.span.kind", "llm.request.type"),
            "model": ("llm.response.model", "llm.request.model"),
            "provider": ("llm.vendor",),
            "tokens_in": ("llm.usage.prompt_tokens",),
            "tokens_out": ("llm.usage.completion_tokens",),
            "tool": ("traceloop.entity.name",),
            "prompt_name": ("traceloop.prompt.key",),
            "prompt_version": ("traceloop.prompt.version",),
        },
    ),
)  # fmt: skip

_Words = Mapping[str, tuple[str, int]]


def _words(*vocabularies: Vocabulary) -> tuple[_Words, Mapping[str, tuple[Unpack, int]]]:
    """Attribute → the fact that it says and its rank; and the attributes that are packed."""
    words: dict[str, tuple[str, int]] = {}
    packed: dict[str, tuple[Unpack, int]] = {}
    for number, vocabulary in enumerate(vocabularies):
        for fact, attributes in vocabulary.words.items():
            for place, attribute in enumerate(attributes):
                words.setdefault(attribute, (fact, number * _RANKS + place))
        for attribute, unpack in vocabulary.packed.items():
            packed[attribute] = unpack, number * _RANKS
    return words, packed


_RANKS = 8  # more than any dialect has attributes for one fact
_FOREIGN = _words(*DIALECTS)
_ALL = _words(OWN, *DIALECTS)


def facts_of(metadata: Mapping[str, Any], *, is_own: bool) -> dict[str, Any]:
    """What the attributes of a span say in any vocabulary, by our own words; one pass over them. `is_own`:
    they came by our own REST API, whose bare words count."""
    words, packed = _ALL if is_own else _FOREIGN
    facts: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for key, value in metadata.items():
        word = words.get(key)
        if word is not None:
            fact, rank = word
            if value is not None and rank <= ranks.get(fact, rank):
                facts[fact] = value
                ranks[fact] = rank
        elif key in packed:
            unpack, rank = packed[key]
            for fact, item in unpack(value).items():
                if item is not None and rank <= ranks.get(fact, rank):
                    facts[fact] = item
                    ranks[fact] = rank
    return facts
