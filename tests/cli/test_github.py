# SPDX-License-Identifier: Apache-2.0
"""`gitprompt github`: what is wrong with how it was asked, and what GitHub refuses. What it makes is in
tests/drivers/github/test_guards.py."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

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
        (("check",), {"GITHUB_TOKEN": "github_pat_…"}, "has characters that no token has"),
        (("check",), {"GITHUB_TOKEN": "a\nb"}, "has characters that no token has"),
        (("check",), {"GITHUB_API_URL": "nonsense"}, "GITHUB_API_URL is no URL"),
        (("check", "--redeliver", "--url", "junk"), {}, "is no URL of a webhook"),
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


@pytest.mark.parametrize("body", [b"<html>", b"[1, 2]", b"null", b'"x"'])
def test_what_is_no_answer_of_github_is_told(
    asked: FakeGithub, cli: Cli, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """A proxy's page, say."""

    def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    monkeypatch.setattr(asked, "answer", answer)
    outcome = cli("github", "check")
    assert outcome.code == 1
    assert "what answers at GITHUB_API_URL is not the API of GitHub" in outcome.err
