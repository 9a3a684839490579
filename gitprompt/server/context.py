# SPDX-License-Identifier: Apache-2.0
"""What a route gets to work with. Built once, in `app`, and passed; never looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitprompt.catalog import Catalog
from gitprompt.clock import Clock
from gitprompt.config import ServerSettings
from gitprompt.drivers import Driver
from gitprompt.ingest import Ingest
from gitprompt.metrics import SidecarMetrics
from gitprompt.publishing import Publishing
from gitprompt.pushes import Pushes
from gitprompt.server.http.auth import Authenticator
from gitprompt.server.http.limits import Limiter
from gitprompt.server.work.held import Held
from gitprompt.statistics import RecentTraffic
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.suites import Suites
from gitprompt.workspaces import Workspaces

if TYPE_CHECKING:
    from gitprompt.server.ops.tracing import Tracing
    from gitprompt.server.ui.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Context:
    settings: ServerSettings
    salt: bytes
    index: IndexReader
    database: Database
    authenticator: Authenticator
    limiter: Limiter
    workspaces: Workspaces
    driver: Driver
    clock: Clock
    ingest: Ingest
    suites: Suites
    held: Held
    catalog: Catalog
    publishing: Publishing
    pushes: Pushes
    metrics: SidecarMetrics
    sessions: Sessions
    traffic: RecentTraffic
    tracing: Tracing | None
