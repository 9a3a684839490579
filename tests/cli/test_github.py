# SPDX-License-Identifier: Apache-2.0
"""`gitprompt github`: what is wrong with how it was asked, and what GitHub refuses. What it makes is in
tests/drivers/github/test_guards.py."""

from __future__ import annotations

import pytest

from tests.cli.commands import Cli
from tests.github import FakeGithub, Refusal


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (
            ("setup", "--url", "https://x/y"),
            {"GITHUB_WEBHOOK_SECRET": ""},
            "a webhook needs a secret",
        ),
        (("setup", "--url", "ftp://x/y"), {}, "is no URL of a webhook"),
        (("check", "--redeliver"), {}, "--redeliver needs --url"),
        (("check",), {"GITHUB_REPO": ""}, "needs GITHUB_REPO"),
        (("check", "--repo", "acme"), {}, "'acme' is not owner/repository"),
        (("check",), {"GITHUB_TOKEN": ""}, "needs to know who asks"),
    ],
)
def test_what_is_wrong_is_told(
    asked: FakeGithub, cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    env: dict[str, str], said: str,
) -> None:  # fmt: skip
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    outcome = cli("github", *arguments)
    assert outcome.code in (1, 2)
    assert said in outcome.err


def test_a_refusal_of_github_is_shown(asked: FakeGithub, cli: Cli) -> None:
    asked.limited = Refusal(502, "Bad Gateway")
    outcome = cli("github", "check")
    assert outcome.code == 1
    assert "GitHub answered 502 Bad Gateway" in outcome.err
