# SPDX-License-Identifier: Apache-2.0
"""What an endpoint is: a literal row that routes, checks, decodes, answers, and documents.

The routes of a resource are a list of these; /openapi.json and docs/api.md are made of the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import Scope, Send

from gitprompt.publishing import Author
from gitprompt.server.http.auth import Principal
from gitprompt.server.http.wire import RawHeaders, encode, send_bytes
from gitprompt.store.tables.audit import Actor

if TYPE_CHECKING:
    from gitprompt.server.context import Context


class Call(NamedTuple):
    """One request, checked: who asks, what the path and the query say, and the decoded body.
    `variables` are those of the query, for a prompt."""

    principal: Principal
    actor: Actor
    path: Mapping[str, str]
    params: Mapping[str, str]
    body: Any
    variables: Mapping[str, str] = {}

    @property
    def author(self) -> Author:
        """Who asks, as one who writes to Git."""
        return Author(self.actor, self.principal.key_id, self.principal.scopes)


class Bytes(NamedTuple):
    """An answer that is not our JSON, or not of the endpoint's own status."""

    status: int
    body: bytes
    media_type: str = "application/json"


Handler = Callable[["Context", Call], Awaitable[Any]]
# Makes a body of what was sent, unpacked already; the scope has its headers.
Reader = Callable[[Scope, bytes], Any]


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
    bodies are, for the metrics. `together`: the answer, with the status 207, to an array of bodies."""

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
    together: Any = None


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
