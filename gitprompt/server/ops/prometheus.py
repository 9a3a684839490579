# SPDX-License-Identifier: Apache-2.0
"""GET /metrics, for Prometheus."""

from __future__ import annotations

from contextlib import suppress

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gitprompt import keys
from gitprompt.counting import ages_of, running
from gitprompt.errors import GitpromptError, MethodNotAllowed, Unauthorized
from gitprompt.metrics import process_collectors
from gitprompt.metrics.exposition import Registry, expose
from gitprompt.metrics.http import bears, gzipped, send_parts, takes_gzip
from gitprompt.server.context import Context
from gitprompt.server.http.auth import read_headers
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.ops.metering import Gauges, wants_token

PATH = "/metrics"


ENDPOINTS = (
    Endpoint(
        method="GET", path=PATH, scope=None, answer=str, media_type="text/plain",
        summary="Metrics for Prometheus, in its text format or OpenMetrics; may want a token",
        errors=(401,),
    ),
)  # fmt: skip


class Scrape:
    """The ASGI application of /metrics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._gauges = Gauges(context)
        self._registry = Registry()
        for collector in (context.metrics, *process_collectors()):
            self._registry.register(collector)
        self._wants_token = wants_token(context.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("Method not allowed", headers={"Allow": "GET, HEAD"})
        if self._wants_token:
            await self._require_token(scope)
        headers = dict(scope["headers"])
        await self._look_at_runs()
        self._gauges.refresh()
        exposition = expose(self._registry, headers.get(b"accept", b"").decode("latin-1"))
        raw = [(b"content-type", exposition.content_type.encode()), (b"vary", b"Accept-Encoding")]
        body = exposition.body
        if takes_gzip(headers.get(b"accept-encoding", b"").decode("latin-1")):
            raw.append((b"content-encoding", b"gzip"))
            body = gzipped(body)
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send_parts(send, iter(()) if scope["method"] == "HEAD" else body)

    async def _look_at_runs(self) -> None:
        """A run may begin on one node and end on another: then the database knows which are active."""
        context = self._context
        if context.database.is_shared:
            with suppress(GitpromptError):
                now = context.clock()
                rows = await context.database.read(running(context.metrics, now))
                context.metrics.replace_pipelines(ages_of(rows, now))

    async def _require_token(self, scope: Scope) -> None:
        """The token of the setting, or a key of all workspaces: names of all are in the labels."""
        token = self._context.settings.metrics_token
        headers = read_headers(scope["headers"])
        if token and bears(token, headers.authorization.decode("latin-1")):
            return
        try:
            principal = await self._context.authenticator.authenticate(headers)
        except Unauthorized:
            principal = None
        if principal is None or not principal.is_master or "read" not in principal.scopes:
            raise Unauthorized(
                "Metrics need a token: Authorization: Bearer <GITPROMPT_METRICS_TOKEN>",
                hint=f"A key of all workspaces ('{keys.MASTER}') does too; --metrics-auth none"
                " asks for nothing.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def routes(context: Context) -> list[Route]:
    return [Route(PATH, Scrape(context))]
