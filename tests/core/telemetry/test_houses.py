# SPDX-License-Identifier: Apache-2.0
"""Names of one house are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.core.telemetry.houses import house_of


@pytest.mark.parametrize(
    ("said", "house"),
    [
        (("openai.chat", "gpt-4o"), ("openai", "gpt-4o")),
        (("openai.responses", "gpt-4o"), ("openai", "gpt-4o")),
        (("OpenAI", "gpt-4o"), ("openai", "gpt-4o")),
        (("azure.ai.openai", "gpt-4o"), ("openai", "gpt-4o")),
        (("az.ai.openai", "gpt-4o"), ("openai", "gpt-4o")),
        (("azure-openai.chat", "gpt-4o"), ("openai", "gpt-4o")),
        (("gcp.gemini", "gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
        (("gcp.vertex_ai", "gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
        (("google.generative-ai", "gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
        (("vertex_ai", "claude-sonnet-4-5"), ("anthropic", "claude-sonnet-4-5")),
        (("aws.bedrock", "anthropic.claude-3-5-haiku-20241022-v1:0"),
         ("anthropic", "claude-3-5-haiku-20241022")),
        (("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
         ("anthropic", "claude-sonnet-4-5-20250929")),
        (("openrouter", "openai/gpt-4o"), ("openai", "gpt-4o")),
        (("openrouter", "anthropic/claude-sonnet-4-5:beta"), ("anthropic", "claude-sonnet-4-5")),
        ((None, "openai/gpt-4o"), ("openai", "gpt-4o")),
        (("openai", "openai/gpt-4o"), ("openai", "gpt-4o")),
        (("mistral_ai", "mistral-large"), ("mistral", "mistral-large")),
        (("my-own-cloud", "model/of/mine"), ("my-own-cloud", "model/of/mine")),
        (("a", "m"), ("a", "m")),
        ((None, "gpt-4o"), ("openai", "gpt-4o")),
        ((None, "my-model"), (None, "my-model")),
        ((None, None), (None, None)),
        (("", ""), ("", "")),
    ],
)  # fmt: skip
def test_names_of_one_house_are_one(
    said: tuple[str | None, str | None], house: tuple[str | None, str | None]
) -> None:
    assert house_of(*said) == house


@given(st.text(max_size=30) | st.none(), st.text(max_size=30) | st.none())
def test_no_name_breaks_it_and_a_house_is_its_own(provider: str | None, model: str | None) -> None:
    house = house_of(provider, model)
    assert house_of(*house)[0] == house[0]
