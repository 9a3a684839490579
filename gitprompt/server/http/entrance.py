# SPDX-License-Identifier: Apache-2.0
"""The one door for whatever needs a key: who asks, whether they may, and what their limit says."""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import Scope

from gitprompt.server.http.auth import Authenticator, Headers, Principal, read_headers
from gitprompt.server.http.limits import Limiter
from gitprompt.server.http.wire import RawHeaders

LOCALLY = "gitprompt.locally"  # in the scope of what came over the Unix socket
KEY_NAME = "gitprompt.key"  # in the scope of what was admitted: the name of its key


class Admitted(NamedTuple):
    """A request that may go on. `limits` are the headers of its rate limit."""

    principal: Principal
    headers: Headers
    limits: RawHeaders


class Entrance:
    def __init__(self, authenticator: Authenticator, limiter: Limiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    async def admit(
        self, scope: Scope, needed: str | None, *, workspace: str | None = None
    ) -> Admitted:
        """`needed` is the scope that the key must have; `workspace`, if the path names one, counts
        more than the header. Raises Unauthorized, Forbidden or RateLimited."""
        headers = read_headers(scope["headers"])
        if LOCALLY in scope:
            principal = self._authenticator.authenticate_locally(headers)
        else:
            principal = await self._authenticator.authenticate(headers, workspace=workspace)
        scope[KEY_NAME] = principal.key_name
        if needed is not None:
            principal.require(needed)
        return Admitted(principal, headers, self._limiter.admit(principal))
