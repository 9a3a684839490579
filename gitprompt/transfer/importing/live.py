# SPDX-License-Identifier: Apache-2.0
"""Another system's own API: asked at a bounded rate, again where it is busy, and never anybody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol

import httpx

from gitprompt.errors import GitpromptError, SetupError

_TIMEOUT = 60.0  # seconds for an answer
_TRIES = 6
_LONGEST = 120.0  # seconds between two tries, whatever the server asks for
_MAX_ANSWER = 1 << 28  # bytes


class LivePage(NamedTuple):
    """Records of one page; once they are stored, `mark` is noted for `stage`, so that another run goes on there. None:
    another run asks for them again, as for prompts, which are written last."""

    stage: str
    mark: Any
    records: Sequence[Any]


class ForeignApi(Protocol):
    """Answers of JSON."""

    def get(self, path: str, **params: str | int) -> Any: ...
    def post(self, path: str, body: Any) -> Any: ...


class SourceFailed(GitpromptError):
    """The other system does not answer what was asked; what came before is stored."""

    code = "SOURCE"


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
        parts = httpx.URL(url)
        if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo:
            raise SetupError(
                "--url is no address of a server",
                hint="For example: --url https://cloud.langfuse.com",
            )
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
        said = ""
        for attempt in range(_TRIES):
            wait = self._next - time.monotonic()
            if wait > 0:
                self._sleep(wait)
            self._next = time.monotonic() + self._pause
            try:
                response = self._client.request(method, self._url + path, params=params, json=body)
            except httpx.TimeoutException:
                said = "it does not answer in time"
                self._again(attempt, path, said, None)
                continue
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
                self._again(attempt, path, said, None)
                continue
            if response.status_code == 429 or response.status_code >= 500:
                said = f"it answers {response.status_code}"
                self._again(attempt, path, said, response.headers.get("retry-after"))
                continue
            return self._answer(response, path)
        raise SourceFailed(
            f"{self._url}{path}: {said}, {_TRIES} times",
            hint="Run the same command again later: it goes on where it is.",
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
        if len(response.content) > _MAX_ANSWER:
            raise SourceFailed(f"{where}: the answer is too large")
        try:
            return response.json()
        except ValueError:
            raise SourceFailed(
                f"{where}: the answer is no JSON but {response.headers.get('content-type', 'something else')[:60]}",
                hint="Is --url the server's API, and not a page?",
            ) from None


def _seconds(asked: str) -> float:
    """What a Retry-After says, in seconds."""
    try:
        return max(float(asked), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 5.0
