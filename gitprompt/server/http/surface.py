# SPDX-License-Identifier: Apache-2.0
"""A surface: the rows of one dialect, and how that dialect tells of an error.

Ours is the first. Another tool's dialect is a module in `server/facades/` with a `Surface`; a
path that both have is told apart by what was sent (`claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gitprompt.config import ServerSettings
from gitprompt.core.names import nearest
from gitprompt.errors import (
    BadRequest,
    GitpromptError,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from gitprompt.server.http.bodies import is_json, read_json, unpacked
from gitprompt.server.http.endpoints import Call, Endpoint, Handler, Reader, actor_of, respond
from gitprompt.server.http.entrance import Entrance
from gitprompt.server.http.turns import Turns
from gitprompt.server.http.wire import Envelope, error_response, header_of, parse_query, read_body

if TYPE_CHECKING:
    from gitprompt.server.context import Context

ENVELOPE = "gitprompt.envelope"  # in the scope: how to tell of an error


class Surface(NamedTuple):
    """`claims` says of a request, by its headers and body, whether it is of this dialect; None: of
    whatever no other claims. `max_bytes` of a body, where it is not that of all."""

    endpoints: Sequence[Endpoint]
    envelope: Envelope = error_response
    claims: Callable[[Scope, bytes], bool] | None = None
    max_bytes: Callable[[ServerSettings], int] | None = None


class _Row(NamedTuple):
    """An endpoint of a surface; `names` are those of its query parameters."""

    endpoint: Endpoint
    surface: Surface
    reader: Reader
    names: frozenset[str]
    max_bytes: int

    async def answer(self, context: Context, call: Call) -> Any:
        """What the handler returns. Raises BadRequest for a query parameter that does not exist; other
        tools' dialects ignore what they do not know."""
        if self.surface.claims is None and (call.params or call.variables):
            _check_names(call, self.names)
        return await handler_of(self.endpoint)(context, call)


def _usual_limit(settings: ServerSettings) -> int:
    return settings.max_body_bytes


class Resource:
    """The ASGI application for one path: its rows by method. `turns` is shared by all."""

    def __init__(
        self,
        rows: Sequence[tuple[Endpoint, Surface]],
        context: Context,
        entrance: Entrance,
        turns: Turns,
    ) -> None:
        self._context = context
        self._entrance = entrance
        self._turns = turns
        self.methods: dict[str, list[_Row]] = {}
        for endpoint, surface in rows:
            reader = endpoint.reader or partial(read_json, shape=endpoint.body)
            names = frozenset(parameter.name for parameter in endpoint.query)
            limit = surface.max_bytes or _usual_limit
            row = _Row(endpoint, surface, reader, names, limit(context.settings))
            self.methods.setdefault(endpoint.method, []).append(row)
        allowed = sorted({*self.methods, *(["HEAD"] if "GET" in self.methods else [])})
        self._allow = ", ".join(allowed)
        self._max_bytes = max(row.max_bytes for some in self.methods.values() for row in some)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        rows = self.methods.get("GET" if method == "HEAD" else method)
        if rows is None:
            raise MethodNotAllowed("Method not allowed", headers={"Allow": self._allow})
        row = _claimed(rows, scope, b"")
        endpoint = row.endpoint
        principal, _, limits = await self._entrance.admit(scope, endpoint.scope)
        query = parse_query(scope["query_string"])
        actor, path = actor_of(principal, scope), scope["path_params"]
        call = Call(principal, actor, path, query.params, None, query.variables)
        if endpoint.body is None:
            answer = await row.answer(self._context, call)
        elif endpoint.kind is None:
            raw = await read_body(scope, receive, self._max_bytes, self._context.held)
            row, body = self._decoded(rows, scope, raw)
            answer = await row.answer(self._context, call._replace(body=body))
        else:
            row, answer = await self._ingest(rows, endpoint.kind, scope, receive, call)
        await respond(send, row.endpoint.status, answer, limits, head=method == "HEAD")

    def _decoded(self, rows: Sequence[_Row], scope: Scope, raw: bytes) -> tuple[_Row, Any]:
        """The row that a body is for, and what it says."""
        is_known = is_json(header_of(scope, b"content-type"))
        if not is_known and _claimed(rows, scope, b"").surface.claims is None:
            raise UnsupportedMediaType("Content-Type must be application/json")
        body = unpacked(raw, header_of(scope, b"content-encoding"), self._max_bytes)
        row = _claimed(rows, scope, body)
        if len(body) > row.max_bytes:
            raise PayloadTooLarge(f"the body is larger than {row.max_bytes} bytes")
        return row, row.reader(scope, body)

    async def read(self, call: Call) -> Any:
        """What the handler of GET returns, for a call that is admitted already."""
        return await self.methods["GET"][0].answer(self._context, call)

    async def _ingest(
        self, rows: Sequence[_Row], kind: str, scope: Scope, receive: Receive, call: Call
    ) -> tuple[_Row, Any]:
        """Store telemetry, in turn; what is refused is counted."""
        body = None
        try:
            # Slow senders hold no turn.
            raw = await read_body(scope, receive, self._max_bytes, self._context.held)
            async with self._turns:
                row, body = self._decoded(rows, scope, raw)
                return row, await row.answer(self._context, call._replace(body=body))
        except GitpromptError as error:
            result = "failed" if error.status >= 500 else "rejected"
            number = len(body) if isinstance(body, list) else 1
            self._context.metrics.record_ingest(kind, result, number)
            raise


def _check_names(call: Call, names: frozenset[str]) -> None:
    unknown = [name for name in call.params if name not in names]
    if call.variables and "variables" not in names:
        unknown += [f"variables[{name}]" for name in call.variables]
    if unknown:
        close = nearest(unknown[0], names)
        known = f"It has: {', '.join(sorted(names))}." if names else "It has none."
        raise BadRequest(
            f"There is no query parameter {', '.join(unknown)[:200]} here",
            hint=f"Did you mean {close}?" if close else known,
        )


def handler_of(endpoint: Endpoint) -> Handler:
    """Rows without one are only described, and get no route."""
    assert endpoint.handler is not None
    return endpoint.handler


def _claimed(rows: Sequence[_Row], scope: Scope, body: bytes) -> _Row:
    """The row that a request is for; from here on its errors are in the form of its dialect."""
    if len(rows) == 1:
        if rows[0].surface.claims is not None:
            scope[ENVELOPE] = rows[0].surface.envelope
        return rows[0]
    for row in rows:
        if row.surface.claims is None or row.surface.claims(scope, body):
            scope[ENVELOPE] = row.surface.envelope
            return row
    raise AssertionError("our own surface takes what no other claims")


def routes(
    surfaces: Sequence[Surface], context: Context, entrance: Entrance, turns: Turns
) -> list[Route]:
    """One route for each path, whatever its methods; without those that are only described."""
    by_path: dict[str, list[tuple[Endpoint, Surface]]] = {}
    for surface in surfaces:
        for endpoint in surface.endpoints:
            if endpoint.handler is not None:
                by_path.setdefault(endpoint.path, []).append((endpoint, surface))
    return [Route(path, Resource(rows, context, entrance, turns)) for path, rows in by_path.items()]
