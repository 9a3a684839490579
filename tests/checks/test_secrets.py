# SPDX-License-Identifier: Apache-2.0
"""Secrets are found and not repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import checks
from gitprompt.checks import secrets
from tests.checks.documents import A, found, prompt

SECRETS = {
    "Anthropic": "sk-ant-api03-" + "Ab1_" * 20,
    "OpenAI legacy": "sk-" + A * 20 + "T3BlbkFJ" + "b" * 20,
    "OpenAI project": "sk-proj-" + "Ab1-" * 12,
    "AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "Google": "AIza" + "Ab1_-" * 7,
    "GitHub": "ghp_" + "Ab1" * 12,
    "GitHub fine": "github_pat_" + "Ab1_" * 16,
    "GitLab": "glpat-" + "Ab1_" * 5,
    "Slack": "xoxb-" + "123456789012-123456789012-abcdefghij",
    "Stripe": "sk_live_" + "a1B2" * 6,
    "SendGrid": "SG." + "a" * 22 + "." + "b" * 43,
    "Hugging Face": "hf_" + "Ab" * 17,
    "Groq": "gsk_" + "Ab1" * 17,
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + "A" * 72,
    "Twilio": "AC" + "0123456789abcdef" * 2,
    "Mailchimp": "0123456789abcdef" * 2 + "-us12",
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "gitprompt": "pm_" + "0123456789abcdef" * 4,
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_and_not_repeated(kind: str) -> None:
    secret = SECRETS[kind]
    _, findings = checks.examine(
        prompt(f"use {secret} now").encode(), path="p.yaml", kind="prompt", name="welcome"
    )
    assert [(f.code, f.line) for f in findings] == [("secret", 3)]
    assert secret not in repr(findings)


def test_prose_about_secrets_is_fine() -> None:
    text = (
        "Ask the customer for an API key (sk-…), never for a private key or AWS account. task-list"
    )
    assert found(prompt(text)) == []


LINE = st.text(alphabet="abskSKghAC_-.0123456789eyJ=:/ ", min_size=1, max_size=80)


@given(LINE | st.sampled_from(list(SECRETS.values())).map(lambda s: f"x {s} y"))
def test_the_words_miss_nothing_that_the_detectors_find(line: str) -> None:
    if any(list(detector.secrets(line.encode())) for detector in secrets.detectors()):
        assert secrets.is_suspect(line.encode())
