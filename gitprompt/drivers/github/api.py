# SPDX-License-Identifier: Apache-2.0
"""Who we are at GitHub, and its REST and GraphQL APIs, through PyGithub, which is loaded where they are needed.

PyGithub's own sleeps and retries are off: whoever waits for an answer gets a 503 and may try again.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gitprompt.config import ServerSettings
from gitprompt.errors import OriginUnreachable, SetupError
from gitprompt.git.origin import http_parts

if TYPE_CHECKING:
    from github import Github as Client
    from github.Repository import Repository as Remote

_TOKEN = re.compile(r"[!-~]*\Z")
_PATIENCE = 20  # seconds for one request
_NO_SLEEPS: dict[str, Any] = {
    "retry": None,
    "seconds_between_requests": None,
    "seconds_between_writes": None,
    "timeout": _PATIENCE,
    "user_agent": "gitprompt",
    "lazy": True,
}


class GithubApi:
    """By GITHUB_TOKEN, or as the GitHub App of GITHUB_APP_ID. Raises SetupError if both are given, or half of it."""

    def __init__(self, settings: ServerSettings) -> None:
        self._url = settings.github_api_url.rstrip("/")
        self._token = settings.github_token
        self._app, self._key = settings.github_app_id, settings.github_app_private_key
        # PyGithub's client has one connection, with what is asked on it: it is for one thread at a time.
        self.alone = threading.RLock()
        self._clients: dict[str, Client] = {}
        if http_parts(self._url) is None:
            raise SetupError(
                "GITHUB_API_URL is no URL",
                hint="It is https://api.github.com, or https://HOST/api/v3 of an Enterprise server.",
            )
        if not _TOKEN.match(self._token):
            raise SetupError(
                "GITHUB_TOKEN has characters that no token has",
                hint="Was it cut, or a line copied with it?",
            )
        if bool(self._app) != bool(self._key):
            raise SetupError(
                "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY go together", hint="Set both, or neither."
            )
        if self._app and self._token:
            raise SetupError(
                "GITHUB_TOKEN and GITHUB_APP_ID exclude each other", hint="Unset one of them."
            )
        if self._app:
            _library()
            if "\n" not in self._key and os.path.isfile(self._key):
                try:
                    with open(self._key, encoding="utf-8", errors="replace") as file:
                        self._key = file.read()
                except OSError as error:
                    raise SetupError(
                        f"GITHUB_APP_PRIVATE_KEY: {self._key} cannot be read: {error.strerror}"
                    ) from error
            if "PRIVATE KEY" not in self._key:
                raise SetupError(
                    "GITHUB_APP_PRIVATE_KEY is no private key, nor the path of one",
                    hint="GitHub gives it as a .pem file in the settings of the App.",
                )

    @property
    def is_somebody(self) -> bool:
        return bool(self._token or self._app)

    def token(self, repository: str) -> str:
        """What git sends as a password; of an App one of its installation, which lasts an hour. Raises
        OriginUnreachable."""
        if not self._app:
            return self._token
        with self.alone, told():
            auth: Any = self._client(repository).requester.auth
            return str(auth.token)

    def remote(self, repository: str) -> Remote:
        """`owner/name` as PyGithub has it; nobody is asked."""
        _library()
        with self.alone, told():
            return self._client(repository).get_repo(repository)

    def _client(self, repository: str) -> Client:
        """An App has one for each owner: an installation's token is good for its repositories alone."""
        owner, _, name = repository.partition("/")
        place = owner if self._app else ""
        if place not in self._clients:
            self._clients[place] = self._made(owner, name)
        return self._clients[place]

    def _made(self, owner: str, name: str) -> Client:
        github = _library()
        if not self.is_somebody:
            raise SetupError(
                "the API of GitHub needs to know who asks",
                hint="Set GITHUB_TOKEN, or GITHUB_APP_ID.",
            )
        options = {"base_url": self._url, **_NO_SLEEPS}
        if self._token:
            return github.Github(auth=github.Auth.Token(self._token), **options)  # type: ignore[no-any-return]
        app = github.Auth.AppAuth(self._app, self._key)
        installed = github.GithubIntegration(auth=app, **options).get_repo_installation(owner, name)
        return github.Github(auth=app.get_installation_auth(installed.id), **options)  # type: ignore[no-any-return]


def _library() -> Any:
    try:
        import github
    except ImportError as error:
        raise SetupError(
            f"this needs PyGithub, which cannot be loaded: {error}",
            hint="pip install 'gitprompt-registry[github]'",
        ) from None
    return github


@contextmanager
def told() -> Iterator[None]:
    """What PyGithub raises in our words: those of GitHub, which has no secret in them."""
    import jwt
    import requests
    from github import GithubException

    try:
        yield
    except GithubException as error:
        raise OriginUnreachable(f"GitHub answered {said(error)}", hint=_hint(error)) from None
    except jwt.PyJWTError:
        raise OriginUnreachable(
            "GITHUB_APP_PRIVATE_KEY cannot sign", hint="Take the .pem file as GitHub gave it."
        ) from None
    except (TypeError, AttributeError, AssertionError, LookupError, RuntimeError) as error:
        # What PyGithub makes of an answer that is none of GitHub's, such as a proxy's page.
        raise OriginUnreachable(
            "what answers at GITHUB_API_URL is not the API of GitHub",
            hint="Is a proxy in between?",
        ) from error
    except (requests.RequestException, OSError) as error:
        raise OriginUnreachable(f"GitHub cannot be reached: {type(error).__name__}") from None


def said(error: Any) -> str:
    """The status and the message of an answer."""
    data = error.data if isinstance(error.data, dict) else {}
    parts = [str(data.get("message") or error.message or "")]
    parts += [str(one.get("message")) for one in data.get("errors") or () if isinstance(one, dict)]
    return f"{error.status} {'; '.join(part for part in parts if part and part != 'None')}"


def _hint(error: Any) -> str:
    headers = error.headers or {}
    if error.status in (403, 429) and (
        "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    ):
        return (
            "It is asked too often: it lets us in again after its Retry-After, or within the hour."
        )
    if error.status in (401, 403, 404):
        return "The token must see the repository, and may write Contents. gitprompt github check says more."
    return ""
