# SPDX-License-Identifier: Apache-2.0
"""What a route gets to work with. Built once, in `app`, and passed; never looked up."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from gitprompt.clock import Clock
from gitprompt.config import ServerSettings
from gitprompt.drivers import Driver
from gitprompt.server.auth import Authenticator, Principal, read_headers
from gitprompt.server.workspaces import Workspaces
from gitprompt.store.index_reader import IndexReader
from gitprompt.store.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Context:
    settings: ServerSettings
    index: IndexReader
    telemetry: Telemetry
    authenticator: Authenticator
    workspaces: Workspaces
    driver: Driver
    clock: Clock

    def principal(self, request: Request, scope: str) -> Principal:
        """The caller of a request, who must have `scope`."""
        found = self.authenticator.authenticate(read_headers(request.scope["headers"]))
        found.require(scope)
        return found
