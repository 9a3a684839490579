# SPDX-License-Identifier: Apache-2.0
"""Another system's own API: asked at a bounded rate, again where it is busy, and never anybody else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from gitprompt.errors import GitpromptError, SetupError

_TIMEOUT = 60.0  # seconds for an answer
_TRIES = 6
_LONGEST = 120.0  # seconds between two tries, whatever the server asks for
_MAX_ANSWER = 1 << 28  # bytes


class SourceFailed(GitpromptError):
    """The other system does not answer what was asked; what came before is stored."""

    code = "SOURCE"
    answered = 0  # the HTTP status; 0: no answer


class LiveSource:
    """One system at one URL. `rate` is in requests a second. The key is in a header and in no error."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        auth: tuple[str, str] | None,
        *,
        rate: float,
        tell: Callable[[str], None],
        timeout: float = _TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo:
            raise SetupError(
                "--url is no address of a server",
                hint="For example: --url https://cloud.langfuse.com",
            )
        if not "".join((*headers.values(), *(auth or ()))).isascii():
            raise SetupError("the key has characters that none has", hint="Was it copied whole?")
        self._url = url.rstrip("/")
        self._client = httpx.Client(
            headers=dict(headers), auth=auth, timeout=timeout, follow_redirects=False
        )
        self._pause = 1 / rate if rate > 0 else 0.0
        self._next = 0.0
        self._tell, self._sleep = tell, sleep

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **params: str | int) -> Any:
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> Any:
        return self._ask("POST", path, body=body)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
    ) -> Any:
        said, status = "", 0
        for attempt in range(_TRIES):
            wait = self._next - time.monotonic()
            if wait > 0:
                self._sleep(wait)
            self._next = time.monotonic() + self._pause
            try:
                response = self._read(method, path, params, body)
            except httpx.TimeoutException:
                said = "it does not answer in time"
                self._again(attempt, path, said, None)
                continue
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
                self._again(attempt, path, said, None)
                continue
            if response.status_code == 429 or response.status_code >= 500:
                status = response.status_code
                said = f"it answers {status}"
                self._again(attempt, path, said, response.headers.get("retry-after"))
                continue
            return self._answer(response, path)
        raise _failed(
            f"{self._url}{path}: {said}, {_TRIES} times",
            status,
            hint="Run the same command again later: it goes on where it is.",
        )

    def _read(
        self, method: str, path: str, params: Mapping[str, str | int] | None, body: Any
    ) -> httpx.Response:
        """The whole answer, bounded in bytes and in time: who sends a byte a second is left, too."""
        deadline = time.monotonic() + _LONGEST
        with self._client.stream(method, self._url + path, params=params, json=body) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > _MAX_ANSWER:
                    raise SourceFailed(f"{self._url}{path}: the answer is too large")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("it sends too slowly")
                parts.append(part)
        headers = [
            (k, v)
            for k, v in response.headers.items()
            if k not in ("content-encoding", "content-length")
        ]
        return httpx.Response(
            response.status_code, headers=headers, content=b"".join(parts), request=response.request
        )

    def _again(self, attempt: int, path: str, said: str, asked: str | None) -> None:
        if attempt + 1 == _TRIES:
            return
        seconds = min(_seconds(asked) if asked else 2.0**attempt, _LONGEST)
        self._tell(f"{path}: {said}; again in {seconds:g} s")
        self._sleep(seconds)

    def _answer(self, response: httpx.Response, path: str) -> Any:
        where = f"{self._url}{path}"
        if response.status_code in (401, 403):
            raise SourceFailed(
                f"{where}: the key is not good there ({response.status_code})",
                hint="Is it --key PUBLIC:SECRET?",
            )
        if response.is_redirect:
            raise SourceFailed(
                f"{where}: it sends elsewhere, which is not followed",
                hint="Name the server itself with --url.",
            )
        if response.is_error:
            raise SourceFailed(
                f"{where}: it answers {response.status_code}", hint="Is --url the server of --from?"
            )
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise SourceFailed(
                f"{where}: the answer is no JSON but {response.headers.get('content-type', 'something else')[:60]}",
                hint="Is --url the server's API, and not a page?",
            ) from None


def _failed(message: str, status: int, *, hint: str) -> SourceFailed:
    error = SourceFailed(message, hint=hint)
    error.answered = status
    return error


def _seconds(asked: str) -> float:
    """What a Retry-After says, in seconds."""
    try:
        seconds = float(asked)
        return max(seconds, 0.0) if math.isfinite(seconds) else 5.0
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 5.0
