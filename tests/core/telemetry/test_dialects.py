# SPDX-License-Identifier: Apache-2.0
"""One call of a model in the words of each vocabulary, and what else each of them says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gitprompt.core.telemetry.dialects import DIALECTS, OWN, facts_of
from gitprompt.core.telemetry.usage import SpanFacts, read_span

# gpt-4o of openai: 10 tokens in, of which 4 were cached, and 20 out.
CALLS: Mapping[str, Mapping[str, Any]] = {
    "OpenTelemetry, newest": {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4,
    },
    "OpenTelemetry, oldest": {
        "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 20,
        "gen_ai.usage.cache_read_input_tokens": 4,
    },
    "OpenInference": {
        "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai",
        "llm.token_count.prompt": 10, "llm.token_count.completion": 20,
        "llm.token_count.total": 30, "llm.token_count.prompt_details.cache_read": 4,
    },
    "OpenLLMetry": {
        "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 20,
        "llm.usage.total_tokens": 30, "gen_ai.usage.cache_read_input_tokens": 4,
    },
    "OpenLLMetry, before GenAI": {
        "llm.request.type": "chat", "llm.vendor": "OpenAI", "llm.request.model": "gpt-4o",
        "llm.usage.prompt_tokens": 10, "llm.usage.completion_tokens": 20,
        "gen_ai.usage.cache_read_input_tokens": 4,
    },
    "Langfuse": {
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.usage_details": json.dumps(
            {"input": 6, "input_cached_tokens": 4, "output": 15, "output_reasoning_tokens": 5,
             "total": 30}
        ),
    },
    "Langfuse, OpenAI's words": {
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.usage_details": json.dumps(
            {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
             "prompt_tokens_details": {"cached_tokens": 4}}
        ),
    },
    "Vercel AI SDK 5": {
        "ai.operationId": "ai.streamText.doStream", "ai.model.provider": "openai.chat",
        "ai.model.id": "gpt-4o", "ai.usage.inputTokens": 10, "ai.usage.outputTokens": 20,
        "ai.usage.cachedInputTokens": 4,
    },
    "Vercel AI SDK 4": {
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.chat",
        "ai.model.id": "gpt-4o", "gen_ai.system": "openai.chat", "gen_ai.request.model": "gpt-4o",
        "ai.usage.promptTokens": 10, "ai.usage.completionTokens": 20,
        "ai.usage.cachedInputTokens": 4,
    },
    "Pydantic AI": {
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.details.cache_read_tokens": 4, "gen_ai.usage.details.reasoning_tokens": 3,
    },
    "MLflow": {
        "mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"gpt-4o"',
        "mlflow.llm.provider": '"openai"', "mlflow.spanInputs": '{"messages": []}',
        "mlflow.chat.tokenUsage": json.dumps(
            {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30,
             "cache_read_input_tokens": 4}
        ),
    },
    "LangSmith": {
        "langsmith.span.kind": "llm", "langsmith.metadata.ls_model_name": "gpt-4o",
        "langsmith.metadata.ls_provider": "openai",
        "langsmith.usage_metadata": json.dumps(
            {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30,
             "input_token_details": {"cache_read": 4}}
        ),
    },
    "Google ADK": {
        "gen_ai.operation.name": "generate_content", "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 17, "gen_ai.usage.experimental.reasoning_tokens": 3,
        "gen_ai.usage.cached_tokens": 4,
    },
    "Microsoft Agent Framework": {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("dialect", CALLS)
def test_every_vocabulary_says_the_same_of_one_call(dialect: str) -> None:
    assert read_span(CALLS[dialect], is_own=False) == SpanFacts(
        "llm", provider="openai", model="gpt-4o", tokens_in=10, tokens_out=20, tokens_cached=4
    )


TOOLS: Mapping[str, Mapping[str, Any]] = {
    "OpenTelemetry": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
    "OpenInference": {"openinference.span.kind": "TOOL", "tool.name": "weather"},
    "OpenLLMetry": {"traceloop.span.kind": "tool", "traceloop.entity.name": "weather"},
    "Vercel": {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "weather"},
    "Pydantic AI": {"gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "call_1"},
}


@pytest.mark.parametrize("dialect", TOOLS)
def test_a_tool_is_a_tool_in_every_vocabulary(dialect: str) -> None:
    assert read_span(TOOLS[dialect], is_own=False) == SpanFacts("tool", "weather")


@pytest.mark.parametrize(
    "attributes",
    [
        {"langfuse.observation.type": "tool"}, {"mlflow.spanType": '"TOOL"'},
        {"langsmith.span.kind": "tool"},
    ],
)  # fmt: skip
def test_a_tool_without_a_name_is_a_tool(attributes: Mapping[str, str]) -> None:
    assert read_span(attributes, is_own=False) == SpanFacts("tool")


PROMPTS: tuple[Mapping[str, Any], ...] = (
    {"gitprompt.prompt.name": "welcome", "gitprompt.prompt.version": "1.2.0"},
    {"gen_ai.prompt.name": "welcome", "gen_ai.prompt.version": "1.2.0"},
    {
        "langfuse.observation.prompt.name": "welcome",
        "langfuse.observation.prompt.version": 1_002_000,
    },
    {"langfuse.prompt.name": "welcome", "langfuse.prompt.version": "1.2.0"},
    {"traceloop.prompt.key": "welcome", "traceloop.prompt.version": "1.2.0"},
    {"prompt.id": "welcome", "llm.prompt_template.version": "1.2.0"},
    {"langsmith.metadata.lc_hub_repo": "welcome", "langsmith.metadata.lc_hub_commit_hash": "1.2.0"},
)


@pytest.mark.parametrize("words", PROMPTS)
def test_a_prompt_is_named_in_every_vocabulary(words: Mapping[str, Any]) -> None:
    facts = read_span({**CALLS["OpenTelemetry, newest"], **words}, is_own=False)
    assert (facts.prompt_name, facts.prompt_version) == ("welcome", "1.2.0")


def test_bare_words_are_ours_alone() -> None:
    ours = {"type": "chat", "model": "m", "tokens_in": 3}
    assert facts_of(ours, is_own=True) == {"kind": "chat", "model": "m", "tokens_in": 3}
    assert facts_of(ours, is_own=False) == {}


def test_of_several_words_the_first_that_has_a_value_wins_in_any_order() -> None:
    metadata = {"input_tokens": 3, "tokens_in": None, "gen_ai.usage.input_tokens": 2}
    for items in (list(metadata.items()), list(metadata.items())[::-1]):
        assert facts_of(dict(items), is_own=True) == {"tokens_in": 3}
        assert facts_of(dict(items), is_own=False) == {"tokens_in": 2}


def test_no_attribute_is_two_things() -> None:
    words = [
        attribute
        for vocabulary in (OWN, *DIALECTS)
        for attributes in (*vocabulary.words.values(), tuple(vocabulary.packed))
        for attribute in attributes
    ]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("usage", "numbers"),
    [
        ({"input": 5, "output": 100, "cache_read_input_tokens": 1000,
          "cache_creation_input_tokens": 50, "total": 1155}, (1055, 100, 1000, 50)),
        ({"input": "5", "output": 1.0}, (5, 1, 0, 0)),
        ({"input_audio_tokens": 2, "input": 3, "output_audio_tokens": 4}, (5, 4, 0, 0)),
        ({"promptTokens": 3, "completionTokens": 4}, (3, 4, 0, 0)),
    ],
)  # fmt: skip
def test_langfuses_parts_are_disjoint(usage: Mapping[str, Any], numbers: tuple[int, ...]) -> None:
    facts = read_span(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": json.dumps(usage),
        },
        is_own=False,
    )
    assert facts[6:10] == numbers


@pytest.mark.parametrize(
    ("costs", "total"),
    [({"input": 0.1, "output": 0.2}, 0.3), ({"total": "0.5"}, 0.5), ({}, None), ("no", None)],
)
def test_a_cost_without_a_total_is_the_sum_of_its_parts(costs: Any, total: float | None) -> None:
    said = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.cost_details": json.dumps(costs),
    }
    cost = read_span(said, is_own=False).cost_usd
    assert cost is None if total is None else cost == pytest.approx(total)
