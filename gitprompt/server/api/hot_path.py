# SPDX-License-Identifier: Apache-2.0
"""The hot path: reads below /v1/prompts.

It comes before the router and sends prebuilt bytes. An answer is a function of the index, the path
and the query, so answers are kept until the index changes; only a miss asks a row's handler.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from starlette.routing import Route
from starlette.types import Scope, Send

from gitprompt.errors import GitpromptError, NotFound
from gitprompt.server.api.answers import Tagged, Volatile
from gitprompt.server.api.prompts import PREFIX, count_refusal
from gitprompt.server.context import Context
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.endpoints import Call, actor_of
from gitprompt.server.http.entrance import Entrance
from gitprompt.server.http.surface import Resource
from gitprompt.server.http.wire import RawHeaders, encode, parse_query, request_id, send_bytes

ROUTE = "gitprompt.route"  # in the scope: the template of an answered request's path
_ONE = f"{PREFIX}/{{name}}"
_MAX_ANSWERS = 10_000
_MAX_ANSWER_BYTES = 64_000_000


class KeptAnswer(NamedTuple):
    """A finished answer. `etag` is empty if it has none; `prompt` is the one that it is, if it is
    one prompt; `route` is the template of its path."""

    headers: RawHeaders
    body: bytes
    route: str
    etag: bytes = b""
    prompt: str = ""


def owns(path: str) -> bool:
    """Whether a path is one of prompts."""
    return path.startswith(PREFIX) and path[len(PREFIX) :][:1] in ("", "/")


class _Kept:
    """Answers of one generation of the index, bounded in number and bytes, oldest out first."""

    def __init__(self) -> None:
        self.generation = -1
        self.answers: OrderedDict[tuple[str, str, bytes], KeptAnswer] = OrderedDict()
        self.size = 0

    def renew(self, generation: int) -> None:
        self.generation = generation
        self.answers.clear()
        self.size = 0

    def keep(self, key: tuple[str, str, bytes], answer: KeptAnswer) -> None:
        self.answers[key] = answer
        self.size += len(answer.body) + len(key[2])
        while len(self.answers) > _MAX_ANSWERS or self.size > _MAX_ANSWER_BYTES:
            old, dropped = self.answers.popitem(last=False)
            self.size -= len(dropped.body) + len(old[2])


class HotPath:
    """GET and HEAD below /v1/prompts. `routes` are those of the rows, whose handlers answer."""

    def __init__(self, context: Context, entrance: Entrance, routes: Sequence[Route]) -> None:
        self._context = context
        self._admit = entrance.admit
        self._workspaces = context.workspaces
        self._routes = [route for route in routes if owns(route.path_format) and _reads(route)]
        self._kept = _Kept()

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Raises GitpromptError, which the caller turns into the error envelope."""
        principal, headers, limits = await self._admit(scope, "read")
        cache, generation = self._kept, self._workspaces.generation
        if cache.generation != generation:
            cache.renew(generation)
        key = principal.workspace, scope["path"], scope["query_string"]
        answer = cache.answers.get(key)
        if answer is None:
            try:
                answer, may_keep = await self._answer(scope, principal)
            except GitpromptError as error:
                self._count_refusal(scope, principal.workspace, error)
                raise
            if may_keep and cache.generation == generation:
                cache.keep(key, answer)
        scope[ROUTE] = answer.route
        own = [*answer.headers, (b"x-request-id", request_id(headers.request_id)), *limits]
        if answer.etag and headers.if_none_match and _matches(headers.if_none_match, answer.etag):
            self._count(principal.workspace, answer.prompt, "not_modified")
            unsized = [header for header in own if header[0] != b"content-length"]
            await send_bytes(send, 304, unsized, b"")
            return
        self._count(principal.workspace, answer.prompt, "ok")
        await send({"type": "http.response.start", "status": 200, "headers": own})
        body = answer.body if scope["method"] == "GET" else b""
        await send({"type": "http.response.body", "body": body})

    def template(self, path: str) -> str:
        """The path without its names, for the metrics."""
        route, _ = self._match(path)
        return route.path_format if route else f"{PREFIX}/other"

    def _match(self, path: str) -> tuple[Route | None, dict[str, str]]:
        """The route of a path, and what the path says; all of it is text."""
        path = path.rstrip("/")
        for route in self._routes:
            match = route.path_regex.match(path)
            if match is not None:
                return route, match.groupdict()
        return None, {}

    async def _answer(self, scope: Scope, principal: Principal) -> tuple[KeptAnswer, bool]:
        """The answer of the row that a path has, and whether it may be kept."""
        route, path = self._match(scope["path"])
        if route is None:
            raise NotFound("Route not found")
        query = parse_query(scope["query_string"])
        actor = actor_of(principal, scope)
        call = Call(principal, actor, path, query.params, None, query.variables)
        assert isinstance(route.endpoint, Resource)  # see `_reads`
        content = await route.endpoint.read(call)
        if isinstance(content, Tagged):
            headers = [(b"etag", content.etag), (b"cache-control", b"private, no-cache")]
            answer = _built(content.body, route.path_format, headers)
            return answer._replace(etag=content.etag, prompt=content.prompt), True
        if isinstance(content, Volatile):
            return _built(encode(content.body), route.path_format, []), False
        return _built(encode(content), route.path_format, []), True

    def _count(self, workspace: str, prompt: str, result: str) -> None:
        if prompt:
            self._context.metrics.record_prompt_request(workspace, prompt, result)

    def _count_refusal(self, scope: Scope, workspace: str, error: GitpromptError) -> None:
        route, path = self._match(scope["path"])
        if route is not None and route.path_format == _ONE:
            count_refusal(self._context, workspace, path["name"], error)


def _reads(route: Route) -> bool:
    return isinstance(route.endpoint, Resource) and "GET" in route.endpoint.methods


def _built(body: bytes, route: str, more: RawHeaders) -> KeptAnswer:
    headers: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    return KeptAnswer(headers, body, route)


def _matches(header: bytes, etag: bytes) -> bool:
    candidates = (part.strip().removeprefix(b"W/") for part in header.split(b","))
    return any(candidate in (etag, b"*") for candidate in candidates)
