# SPDX-License-Identifier: Apache-2.0
"""Who we are at GitHub: a token, or an App whose tokens end; and what its refusals say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gitprompt import drivers
from gitprompt.config import ServerSettings, server_settings
from gitprompt.drivers.github.api import GithubApi, told
from gitprompt.errors import OriginUnreachable, SetupError
from tests.github import FakeGithub, Refusal
from tests.world import empty_repository

NAME = "acme/forge"


def settings(github: FakeGithub, **env: str) -> ServerSettings:
    return server_settings(
        {}, {"DRIVER": "github", "GITHUB_REPO": NAME, "GITHUB_API_URL": github.api_url, **env}
    )


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Private and public, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@pytest.mark.parametrize("as_file", [False, True])
def test_an_app_gets_tokens_and_new_ones_when_they_end(
    github: FakeGithub, keys: tuple[str, str], tmp_path: Path, as_file: bool
) -> None:
    private, github.app_key = keys
    github.token, github.lifetime = "nobody knows", 21.0  # PyGithub asks again 20 seconds before
    if as_file:
        (tmp_path / "app.pem").write_text(private)
        private = str(tmp_path / "app.pem")
    env = {"GITHUB_APP_ID": "17", "GITHUB_APP_PRIVATE_KEY": private}
    driver = drivers.make(settings(github, **env))
    local = empty_repository(tmp_path / "local.git")
    driver.claim("default", local)
    assert driver.fetch("default", local) == {}
    assert dict(local.refs().items())
    assert len(github.tokens) == 1
    github.tokens.clear()
    time.sleep(1.1)
    driver.expect("default")
    driver.fetch("default", local)
    assert len(github.tokens) == 1, "the first one has ended"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"GITHUB_APP_ID": "17"}, "go together"),
        ({"GITHUB_APP_PRIVATE_KEY": "x"}, "go together"),
        (
            {"GITHUB_APP_ID": "17", "GITHUB_APP_PRIVATE_KEY": "x", "GITHUB_TOKEN": "y"},
            "exclude each other",
        ),
        ({"GITHUB_APP_ID": "17", "GITHUB_APP_PRIVATE_KEY": "/nowhere.pem"}, "is no private key"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    github: FakeGithub, env: dict[str, str], said: str
) -> None:
    with pytest.raises(SetupError, match=said):
        drivers.make(settings(github, **env))


def test_a_key_that_is_none_and_an_app_that_is_unknown_are_told(
    github: FakeGithub, keys: tuple[str, str]
) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"
    api = GithubApi(settings(github, GITHUB_APP_ID="17", GITHUB_APP_PRIVATE_KEY=broken))
    with pytest.raises(OriginUnreachable, match="cannot sign"):
        api.token(NAME)
    private, github.app_key = keys
    api = GithubApi(settings(github, GITHUB_APP_ID="18", GITHUB_APP_PRIVATE_KEY=private))
    with pytest.raises(OriginUnreachable, match="401 Integration not found"):
        api.token(NAME)


def test_nobody_is_told_to_say_who_they_are(github: FakeGithub) -> None:
    with pytest.raises(SetupError, match="needs to know who asks"):
        GithubApi(settings(github)).remote(NAME)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (Refusal(403, "You have exceeded a secondary rate limit", retry_after="60"), "too often"),
        (Refusal(429, "Too many requests"), ""),
        (Refusal(403, "Resource not accessible"), "must see the repository"),
        (Refusal(502, "Bad Gateway"), ""),
    ],
)
def test_a_refusal_is_told_at_once_and_without_the_token(
    github: FakeGithub, refusal: Refusal, said: str
) -> None:
    github.limited = refusal
    api = GithubApi(settings(github, GITHUB_TOKEN=github.token))
    begun = time.monotonic()
    said_so = pytest.raises(OriginUnreachable, match=f"answered {refusal.status} {refusal}")
    with said_so as caught, told():
        api.remote(NAME).node_id  # noqa: B018 (asks)
    assert time.monotonic() - begun < 5, "nobody sleeps and tries again"
    assert said in caught.value.hint
    assert github.token not in str(vars(caught.value))


def test_a_github_that_is_away_is_told(github: FakeGithub) -> None:
    api = GithubApi(settings(github, GITHUB_TOKEN=github.token))
    github.close()
    with pytest.raises(OriginUnreachable, match="cannot be reached"), told():
        api.remote(NAME).node_id  # noqa: B018 (asks)
