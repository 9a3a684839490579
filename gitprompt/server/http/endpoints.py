# SPDX-License-Identifier: Apache-2.0
"""What an endpoint is: a literal row that routes, checks, decodes, answers, and documents.

The routes of a resource are a list of these; /openapi.json and docs/api.md are made of the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gitprompt.errors import GitpromptError, MethodNotAllowed
from gitprompt.metrics import SidecarMetrics
from gitprompt.publishing import Author
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.bodies import read_json
from gitprompt.server.http.turns import Turns
from gitprompt.server.http.wire import RawHeaders, encode, parse_query, read_body, send_bytes
from gitprompt.store.tables.audit import Actor


class Call(NamedTuple):
    """One request, checked: who asks, what the path and the query say, and the decoded body."""

    principal: Principal
    actor: Actor
    path: Mapping[str, str]
    params: Mapping[str, str]
    body: Any

    @property
    def author(self) -> Author:
        """Who asks, as one who writes to Git."""
        return Author(self.actor, self.principal.key_id, self.principal.scopes)


class Bytes(NamedTuple):
    """An answer that is not our JSON, or not of the endpoint's own status."""

    status: int
    body: bytes
    media_type: str = "application/json"


Handler = Callable[[Call], Awaitable[Any]]
# Makes a body of what was sent: the scope has its headers, the number is the most bytes it may have.
Reader = Callable[[Scope, bytes, int], Any]
# Who a request is from, who must have a scope, and the headers of the rate limit.
Gate = Callable[[Scope, str | None], tuple[Principal, RawHeaders]]


class Parameter(NamedTuple):
    """A query parameter, for people: what is checked is the handler's."""

    name: str
    about: str
    schema: Mapping[str, Any] = {"type": "string"}


PAGING = (
    Parameter("page", "Page, from 1.", {"type": "integer", "minimum": 1}),
    Parameter("limit", "Items a page.", {"type": "integer", "minimum": 1, "maximum": 100}),
    Parameter("cursor", "Empty for the first page, then the `nextCursor` of the page before."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`scope` None: no key is asked for. `answer` None: the answer is empty. A `page` has items
    of the answer's shape. `reader` takes the place of the reader of JSON bodies. Without a handler
    the endpoint is only described here, and answered elsewhere. `kind`: the telemetry that its
    bodies are, for the metrics."""

    method: str
    path: str
    summary: str
    scope: str | None
    handler: Handler | None = None
    reader: Reader | None = None
    answer: Any = None
    status: int = 200
    body: Any = None
    is_page: bool = False
    query: Sequence[Parameter] = ()
    errors: Sequence[int] = ()
    example: Any = None
    media_type: str = "application/json"
    kind: str | None = None


class Resource:
    """The ASGI application for one path: its endpoints by method. `turns` is shared by all."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        gate: Gate,
        max_bytes: int,
        turns: Turns,
        metrics: SidecarMetrics,
    ) -> None:
        self._turns = turns
        self._metrics = metrics
        self._methods = {endpoint.method: endpoint for endpoint in endpoints}
        self._readers: dict[str, Reader] = {
            endpoint.method: endpoint.reader or partial(read_json, shape=endpoint.body)
            for endpoint in endpoints
        }
        self._gate = gate
        self._max_bytes = max_bytes
        allowed = sorted({*self._methods, *(["HEAD"] if "GET" in self._methods else [])})
        self._allow = ", ".join(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        endpoint = self._methods.get("GET" if method == "HEAD" else method)
        if endpoint is None or endpoint.handler is None:
            raise MethodNotAllowed("Method not allowed", headers={"Allow": self._allow})
        principal, limits = self._gate(scope, endpoint.scope)
        params = parse_query(scope["query_string"]).params
        asked = principal, actor_of(principal, scope), scope["path_params"], params
        if endpoint.body is None:
            answer = await endpoint.handler(Call(*asked, None))
        else:
            body = None
            try:
                raw = await read_body(scope, receive, self._max_bytes)  # slow senders hold no turn
                async with self._turns:
                    body = self._readers[method](scope, raw, self._max_bytes)
                    answer = await endpoint.handler(Call(*asked, body))
            except GitpromptError as error:
                if endpoint.kind is not None:
                    result = "failed" if error.status >= 500 else "rejected"
                    number = len(body) if isinstance(body, list) else 1
                    self._metrics.record_ingest(endpoint.kind, result, number)
                raise
        await respond(send, endpoint.status, answer, limits, head=method == "HEAD")


def actor_of(principal: Principal, scope: Scope) -> Actor:
    client = scope.get("client")
    return Actor(principal.workspace, principal.key_name, client[0] if client else None)


async def respond(
    send: Send, status: int, answer: Any, more: RawHeaders, *, head: bool = False
) -> None:
    if status == 204:
        await send_bytes(send, 204, more, b"")
        return
    media_type = b"application/json"
    if isinstance(answer, Bytes):
        status, body, media_type = answer.status, answer.body, answer.media_type.encode()
    else:
        body = encode(answer)
    headers: RawHeaders = [
        (b"content-type", media_type),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    await send_bytes(send, status, headers, b"" if head else body)


def routes(
    endpoints: Sequence[Endpoint], gate: Gate, max_bytes: int, turns: Turns, metrics: SidecarMetrics
) -> list[Route]:
    """One route for each path, whatever its methods; without those that are only described."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.handler is not None:
            by_path.setdefault(endpoint.path, []).append(endpoint)
    return [
        Route(path, Resource(group, gate, max_bytes, turns, metrics))
        for path, group in by_path.items()
    ]
