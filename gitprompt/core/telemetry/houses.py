# SPDX-License-Identifier: Apache-2.0
"""Whose a model is: the names under which instrumentations, clouds and gateways speak of one provider."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What begins a provider's name, or is all of it → the provider.
_HOUSES: Mapping[str, str] = {
    "openai": "openai", "azure": "openai", "az": "openai", "azure_openai": "openai",
    "azure-openai": "openai", "azureopenai": "openai", "azure_ai": "openai",
    "anthropic": "anthropic", "google": "google", "gemini": "google", "gcp": "google",
    "vertex": "google", "vertexai": "google", "vertex_ai": "google", "google_genai": "google",
    "google_vertexai": "google", "google-vertex": "google", "google_generative_ai": "google",
    "google-gla": "google", "google-vertexai": "google",
    "mistral": "mistral", "mistral_ai": "mistral", "mistralai": "mistral", "cohere": "cohere",
    "groq": "groq", "deepseek": "deepseek", "xai": "xai", "x_ai": "xai", "x-ai": "xai",
    "perplexity": "perplexity", "ollama": "ollama",
}  # fmt: skip

# Who sells models of several houses: the model's own name says whose it is, if anything does.
_SHOPS = frozenset(
    {
        "aws", "bedrock", "amazon", "amazon-bedrock", "amazon_bedrock", "bedrock_converse",
        "openrouter", "litellm", "gateway", "vercel", "portkey", "helicone", "together",
        "fireworks", "ibm", "watsonx", "azure_ai_inference", "vertex", "vertex_ai", "gcp",
    }
)  # fmt: skip

_MODELS: Mapping[str, str] = {
    "gpt": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "chatgpt": "openai",
    "text-embedding": "openai", "claude": "anthropic", "gemini": "google", "mistral": "mistral",
    "command": "cohere", "deepseek": "deepseek", "grok": "xai",
}  # fmt: skip

_REGION = re.compile(r"\A(?:us|eu|apac|global|us-gov|jp|au)\.")
_REVISION = re.compile(r"-v\d+(?::\d+)?\Z")


def house_of(provider: str | None, model: str | None) -> tuple[str | None, str | None]:
    """The provider and the model by the names that prices and metrics have. What nobody knows stays as
    it is: `azure.ai.openai` is openai, `openai/gpt-4o` of a gateway is gpt-4o of openai, and
    `anthropic.claude-3-5-haiku-20241022-v1:0` of aws.bedrock is claude-3-5-haiku-20241022 of anthropic. Where
    no provider is said, the model's own name says whose it is."""
    seller = provider.lower() if provider else ""
    first = seller.split(".", 1)[0]
    house = _HOUSES.get(seller) or _HOUSES.get(first)
    if model and ("/" in model or first in _SHOPS or not seller):
        maker, name = _by_name(model)
        if maker is not None and (not seller or first in _SHOPS or maker == house or house is None):
            return maker, name
    return house or provider, model


def _by_name(model: str) -> tuple[str | None, str]:
    """Whose a model is by its own name, and that name without what a seller has put around it."""
    name = _REGION.sub("", model.lower())
    head, slash, tail = name.rpartition("/")
    if slash:
        house = _HOUSES.get(head.rpartition("/")[2])
        return house, tail.partition(":")[0] if house else model
    head, dot, tail = name.partition(".")
    if dot and head in _HOUSES:
        return _HOUSES[head], _REVISION.sub("", tail)
    for beginning, house in _MODELS.items():
        if name.startswith(beginning):
            return house, _REVISION.sub("", name)
    return None, model
