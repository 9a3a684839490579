# SPDX-License-Identifier: Apache-2.0
"""A small client of a running sidecar, for the command line and the hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from gitprompt.errors import GitpromptError, SetupError

_TIMEOUT = 30.0  # seconds


class ServerRefused(GitpromptError):
    """The server answered with an error; its own words are the message."""

    code = "SERVER"


class Client:
    """Talks JSON to one server. The key goes into a header and never into an error."""

    def __init__(self, server: str, key: str, *, workspace: str | None = None) -> None:
        self.server = server.rstrip("/")
        self._headers = {"X-API-Key": key}
        if workspace:
            self._headers["X-Workspace-Id"] = workspace

    def get(self, path: str, **params: str | int) -> Any:
        return self._send("GET", path, params)

    def post(self, path: str) -> Any:
        return self._send("POST", path, {})

    def _send(self, method: str, path: str, params: Mapping[str, str | int]) -> Any:
        try:
            with httpx.Client(headers=self._headers, timeout=_TIMEOUT, trust_env=False) as http:
                response = http.request(method, self.server + path, params=dict(params) or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SetupError(
                f"{self.server} does not answer: {error}", hint="Is it running? gitprompt serve"
            ) from error
        try:
            body = response.json()
        except ValueError:
            body = {}
        if response.is_error:
            said = body.get("error") if isinstance(body, dict) else None
            raise ServerRefused(
                f"{self.server}{path}: {response.status_code} {said or ''}".rstrip()
            )
        if not isinstance(body, dict):
            raise ServerRefused(f"{self.server}{path} is not a gitprompt server")
        return body
