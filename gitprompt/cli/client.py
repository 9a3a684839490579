# SPDX-License-Identifier: Apache-2.0
"""A small client of a running sidecar, for the command line and the hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Self

import httpx

from gitprompt.core.printable import printable
from gitprompt.errors import GitpromptError, SetupError

_TIMEOUT = 30.0  # seconds


class ServerRefused(GitpromptError):
    """The server answered with an error; its own words are the message."""

    code = "SERVER"
    answered = 0  # the HTTP status


class Client:
    """Talks JSON to one server. The key goes into a header and never into an error.

    As a context manager it keeps its connection; else each request has one of its own.
    """

    def __init__(
        self, server: str, key: str, *, workspace: str | None = None, socket: str | None = None
    ) -> None:
        """`socket` is the path of a Unix socket on which the server listens."""
        self.server = server.rstrip("/")
        self._socket = socket
        self._headers = {"X-API-Key": key}
        if workspace:
            self._headers["X-Workspace-Id"] = workspace
        self._kept: httpx.Client | None = None

    def __enter__(self) -> Self:
        self._kept = self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def _open(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=self._socket) if self._socket else None
        return httpx.Client(
            headers=self._headers, timeout=_TIMEOUT, trust_env=False, transport=transport
        )

    def probe(self) -> None:
        """Raise ServerRefused if the server does not know the key, SetupError if it is not there."""
        try:
            self.get("/v1/prompts", limit=1)
        except ServerRefused as error:
            if error.answered != 403:  # a key without the scope read
                raise

    def get(self, path: str, **params: str | int) -> Any:
        return self.send("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body=body)

    def everything(self, path: str, **params: str | int) -> Iterator[Any]:
        """The items of a list, page by page, by cursor."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, limit=100, cursor=cursor, **params)
            yield from page["items"]
            cursor = page.get("nextCursor")

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """The decoded answer, None if it is empty. Raises SetupError if the server cannot be
        reached, ServerRefused with its words where it refuses."""
        request = partial(
            httpx.Client.request,
            method=method,
            url=self.server + path,
            params=dict(params or {}) or None,
            json=body,
        )
        try:
            if self._kept is not None:
                response = request(self._kept)
            else:
                with self._open() as once:
                    response = request(once)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SetupError(
                f"{self.server} does not answer: {error}", hint="Is it running? gitprompt serve"
            ) from error
        try:
            answer = response.json() if response.content else None
        except ValueError:
            answer = None
        if response.is_error:
            raise _refused(self.server + path, response.status_code, answer)
        if answer is None and response.status_code != 204:
            raise ServerRefused(f"{self.server}{path} is not a gitprompt server")
        return answer


def _refused(url: str, status: int, answer: Any) -> ServerRefused:
    """The error for a refusal, in the server's words: each a line at most, whoever it is."""
    body = answer if isinstance(answer, dict) else {}
    details = body.get("details")
    fields = details.get("fields") if isinstance(details, dict) else None
    error = ServerRefused(
        printable(f"{url}: {status} {body.get('error') or ''}").rstrip(),
        hint=printable(str(body.get("hint") or "")),
    )
    if isinstance(fields, list) and fields:
        error.hint = "\n  ".join(printable(str(field)) for field in fields)
    error.answered = status
    return error
