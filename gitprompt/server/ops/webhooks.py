# SPDX-License-Identifier: Apache-2.0
"""POST /webhooks/{dialect}: a forge says that something changed.

A webhook is only a poke: after its signature is checked nothing is taken from it, so a replay
changes nothing. The answer does not wait for the sync.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitprompt.config import ServerSettings
from gitprompt.errors import NotFound, Unauthorized, Unavailable
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.http.wire import Json, read_body


class Webhook(msgspec.Struct, kw_only=True):
    message: str
    event: str | msgspec.UnsetType = msgspec.UNSET


MAX_BYTES = 25_000_000


def _hmac_sha256(secret: bytes, body: bytes) -> str:
    return hmac.digest(secret, body, hashlib.sha256).hex()


def _prefixed(secret: bytes, body: bytes) -> str:
    return "sha256=" + _hmac_sha256(secret, body)


def _token(secret: bytes, body: bytes) -> str:
    return secret.decode("utf-8", "replace")


class Dialect(NamedTuple):
    """How a forge signs: the header, what must be in it, and where it names the event."""

    signature: str
    expected: Callable[[bytes, bytes], str]
    event: str
    pokes: frozenset[str]
    secret: Callable[[ServerSettings], str]


_PUSHES = frozenset({"push", "create", "delete"})

DIALECTS: Mapping[str, Dialect] = {
    "github": Dialect(
        "x-hub-signature-256", _prefixed, "x-github-event", _PUSHES,
        lambda s: s.github_webhook_secret,
    ),
    "gitlab": Dialect(
        "x-gitlab-token", _token, "x-gitlab-event", frozenset({"Push Hook", "Tag Push Hook"}),
        lambda s: s.gitlab_webhook_secret,
    ),
    "gitea": Dialect(
        "x-gitea-signature", _hmac_sha256, "x-gitea-event", _PUSHES,
        lambda s: s.gitea_webhook_secret,
    ),
    "bitbucket": Dialect(
        "x-hub-signature", _prefixed, "x-event-key", frozenset({"repo:push", "repo:refs_changed"}),
        lambda s: s.bitbucket_webhook_secret,
    ),
    "generic": Dialect(
        "x-gitprompt-signature", _prefixed, "", frozenset(), lambda s: s.generic_webhook_secret
    ),
}  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="POST", path="/webhooks/{dialect}", scope=None, answer=Webhook,
        summary="A forge's signed poke: sync now", errors=(401, 404, 413, 503),
    ),
)  # fmt: skip


class Webhooks:
    """Answers the pokes of forges."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pokes: set[asyncio.Task[None]] = set()  # the event loop keeps no task alive

    async def answer(self, request: Request) -> Response:
        dialect = DIALECTS.get(request.path_params["dialect"])
        if dialect is None:
            raise NotFound("Webhook not found")
        configured = dialect.secret(self._context.settings)
        secrets, signature = _expected(dialect, configured, request)
        body = await read_body(request.scope, request.receive, MAX_BYTES)
        _verify(dialect, secrets, signature, body)
        event = request.headers.get(dialect.event, "") if dialect.event else ""
        if dialect.pokes and event not in dialect.pokes:
            return Json({"message": "Event ignored", "event": event})
        poke = asyncio.create_task(self._context.workspaces.poke(news=True))
        self._pokes.add(poke)
        poke.add_done_callback(self._pokes.discard)
        return Json({"message": "Sync triggered"})


def routes(context: Context) -> list[Route]:
    return [Route("/webhooks/{dialect}", Webhooks(context).answer, methods=["POST"])]


def _expected(dialect: Dialect, configured: str, request: Request) -> tuple[list[str], str]:
    """The secrets and the signature; refuses before a byte of the body is read."""
    secrets = [secret.strip() for secret in configured.split(",") if secret.strip()]
    if not secrets:
        raise Unavailable("Webhook secret not configured", retry_after=60)
    signature = request.headers.get(dialect.signature)
    if not signature:
        raise Unauthorized("Missing signature")
    return secrets, signature


def _verify(dialect: Dialect, secrets: list[str], given: str, body: bytes) -> None:
    """Any of the configured secrets may have signed, so that one can be rotated."""
    matches = [
        hmac.compare_digest(
            dialect.expected(secret.encode(), body).encode(), given.encode("utf-8", "replace")
        )
        for secret in secrets
    ]
    if not any(matches):
        raise Unauthorized("Invalid signature")
