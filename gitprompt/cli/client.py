# SPDX-License-Identifier: Apache-2.0
"""A small client of a running sidecar, for the command line and the hooks."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Self
from urllib.parse import quote

import httpx

from gitprompt.core.printable import printable
from gitprompt.errors import GitpromptError, SetupError, UsageError

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
        self._headers = {"X-API-Key": _header("the API key", key)}
        if workspace:
            self._headers["X-Workspace-Id"] = _header("the workspace", workspace)
        self._kept: httpx.Client | None = None

    @property
    def key(self) -> str:
        """For git, which asks the same server; for nobody else."""
        return self._headers["X-API-Key"]

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine, and no proxy is on the way."""
        host = httpx.URL(self.server).host
        return self._socket is not None or host in ("localhost", "127.0.0.1", "::1")

    def __enter__(self) -> Self:
        self._kept = self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def _open(self) -> httpx.Client:
        """Proxies and certificates of the environment count, but not on the way to this machine. Authorities are
        read only for https: that takes longer than most answers."""
        is_plain = self._socket is not None or self.server.startswith("http://")
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True
        transport = httpx.HTTPTransport(uds=self._socket, verify=verify) if self._socket else None
        return httpx.Client(
            headers=self._headers,
            timeout=_TIMEOUT,
            trust_env=not self.is_here,
            transport=transport,
            verify=verify,
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
        """The decoded answer, None if it is empty. `path` is of constants and `path_of`. Raises
        SetupError if the server cannot be reached, ServerRefused with its words if it refuses, and
        UsageError for what cannot be sent."""
        request = partial(
            httpx.Client.request,
            method=method,
            url=self.server + path,
            params=_query(params or {}),
            content=None if body is None else _json(body),
            headers=None if body is None else {"Content-Type": "application/json"},
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


def path_of(*segments: str) -> str:
    """The path of constants and of what somebody typed, which stays one segment each, whatever is in
    it. Raises UsageError for what cannot be one."""
    for segment in segments:
        if segment in ("", ".", "..") or not _is_text(segment):
            raise UsageError(f"'{printable(segment)}' cannot be a name or an id")
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def prompt_path(name: str, *more: str) -> str:
    """The path of a prompt, or of what is below it."""
    return path_of("v1", "prompts", name, *more)


def _header(what: str, value: str) -> str:
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise UsageError(
            f"{what} has characters that none has", hint="Was it copied with a line end?"
        )
    return value


def _query(params: Mapping[str, str | int]) -> dict[str, str | int] | None:
    for name, value in params.items():
        if not _is_text(name) or not _is_text(str(value)):
            raise UsageError(f"{printable(name)}: half a character cannot be sent")
    return dict(params) or None


def _json(body: Any) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # a number that is none, or half a character
        raise UsageError(f"it cannot be sent as JSON: {error}") from None


def _is_text(text: str) -> bool:
    """Whether all of it has an encoding: what a terminal sends in another one has not."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def refusal(answer: Mapping[str, Any]) -> str:
    """Why the server refused one item of many, in a line: status, error, and what is to be done."""
    why = "; ".join(_fields(answer) or [str(answer.get("hint") or "")])
    return printable(f"{answer['status']} {answer['error']}" + (f": {why}" if why else ""))


def _fields(answer: Mapping[str, Any]) -> list[str]:
    """What the server says of each field."""
    details = answer.get("details")
    fields = details.get("fields") if isinstance(details, dict) else None
    return [str(field) for field in fields] if isinstance(fields, list) else []


def _refused(url: str, status: int, answer: Any) -> ServerRefused:
    """The error for a refusal, in the server's words: each a line at most, whoever it is."""
    body = answer if isinstance(answer, dict) else {}
    error = ServerRefused(
        printable(f"{url}: {status} {body.get('error') or ''}").rstrip(),
        hint=printable(str(body.get("hint") or "")),
    )
    more = [field for field in _fields(body) if field != body.get("error")]
    error.hint = "\n  ".join(map(printable, more)) or error.hint
    error.answered = status
    return error
