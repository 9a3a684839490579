# SPDX-License-Identifier: Apache-2.0
"""POST /webhooks/{dialect}: a forge says that something changed.

A webhook is only a poke: after its signature is checked nothing is taken from it, so a replay
changes nothing. The answer does not wait for the sync.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitprompt.config import ServerSettings
from gitprompt.errors import NotFound, Unauthorized, Unavailable
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.http.wire import Json, body_parts


class Webhook(msgspec.Struct, kw_only=True):
    message: str
    event: str | msgspec.UnsetType = msgspec.UNSET


MAX_BYTES = 25_000_000


class _Signer(Protocol):
    """Makes the signature of a body that comes in pieces, none of which is kept."""

    def update(self, part: bytes, /) -> None: ...

    def signature(self) -> str: ...


class _Hmac:
    prefix = ""

    def __init__(self, secret: bytes) -> None:
        self._hash = hmac.new(secret, digestmod=hashlib.sha256)

    def update(self, part: bytes, /) -> None:
        self._hash.update(part)

    def signature(self) -> str:
        return self.prefix + self._hash.hexdigest()


class _PrefixedHmac(_Hmac):
    prefix = "sha256="


class _Token:
    """The secret itself, whatever the body is."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret.decode("utf-8", "replace")

    def update(self, part: bytes, /) -> None:
        """It signs nothing."""

    def signature(self) -> str:
        return self._secret


class Dialect(NamedTuple):
    """How a forge signs: the header, what must be in it, and where it names the event."""

    signature: str
    signer: Callable[[bytes], _Signer]
    event: str
    pokes: frozenset[str]
    secret: Callable[[ServerSettings], str]


_PUSHES = frozenset({"push", "create", "delete"})

DIALECTS: Mapping[str, Dialect] = {
    "github": Dialect(
        "x-hub-signature-256", _PrefixedHmac, "x-github-event", _PUSHES,
        lambda s: s.github_webhook_secret,
    ),
    "gitlab": Dialect(
        "x-gitlab-token", _Token, "x-gitlab-event", frozenset({"Push Hook", "Tag Push Hook"}),
        lambda s: s.gitlab_webhook_secret,
    ),
    "gitea": Dialect(
        "x-gitea-signature", _Hmac, "x-gitea-event", _PUSHES,
        lambda s: s.gitea_webhook_secret,
    ),
    "bitbucket": Dialect(
        "x-hub-signature", _PrefixedHmac, "x-event-key", frozenset({"repo:push", "repo:refs_changed"}),
        lambda s: s.bitbucket_webhook_secret,
    ),
    "generic": Dialect(
        "x-gitprompt-signature", _PrefixedHmac, "", frozenset(), lambda s: s.generic_webhook_secret
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
        signers = [dialect.signer(secret.encode()) for secret in secrets]
        async for part in body_parts(request.scope, request.receive, MAX_BYTES):
            for signer in signers:
                signer.update(part)
        _verify(signers, signature)
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


def _verify(signers: Sequence[_Signer], given: str) -> None:
    """Any of the configured secrets may have signed, so that one can be rotated."""
    matches = [
        hmac.compare_digest(signer.signature().encode(), given.encode("utf-8", "replace"))
        for signer in signers
    ]
    if not any(matches):
        raise Unauthorized("Invalid signature")
