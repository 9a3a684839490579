# SPDX-License-Identifier: Apache-2.0
"""POST /ui/tickets, on the Unix socket of the data folder alone: a link that signs its owner in."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gitprompt.errors import MethodNotAllowed, NotFound
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import decode
from gitprompt.server.http.endpoints import respond
from gitprompt.server.http.entrance import LOCALLY, Entrance
from gitprompt.server.http.wire import read_body
from gitprompt.server.ui.page import Links

PATH = "/ui/tickets"
_MAX_BODY = 1_000  # bytes


class NewTicket(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    changes: bool = False
    single: bool = True
    seconds: Annotated[int, Meta(ge=1, le=86_400)] = 60


class Tickets:
    def __init__(self, context: Context, entrance: Entrance) -> None:
        self._context = context
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if LOCALLY not in scope or self._context.settings.ui_auth != "key":
            raise NotFound(
                "Route not found", hint="Links that sign in are made where --ui-auth is key."
            )
        if scope["method"] != "POST":
            raise MethodNotAllowed("Method not allowed", headers={"Allow": "POST"})
        await self._entrance.admit(scope, "write")
        asked = decode(
            await read_body(scope, receive, _MAX_BODY, self._context.held) or b"{}", NewTicket
        )
        ticket = self._context.sessions.issue(
            may_change=asked.changes, is_single=asked.single, seconds=asked.seconds
        )
        path = Links(self._context.settings.root_path.rstrip("/"), "").at("login", ticket=ticket)
        await respond(send, 201, {"path": path}, [])


def routes(context: Context, entrance: Entrance) -> list[Route]:
    return [Route(PATH, Tickets(context, entrance))]
