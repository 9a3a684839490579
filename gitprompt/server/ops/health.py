# SPDX-License-Identifier: Apache-2.0
"""GET /health and /health/deep. Neither needs a key."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitprompt import log
from gitprompt.server.context import Context
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.http.wire import Json


class Health(msgspec.Struct, kw_only=True):
    status: Literal["ok"]


class DeepHealth(msgspec.Struct, kw_only=True):
    status: Literal["ok", "degraded"]
    checks: dict[str, str]
    dbType: Literal["sqlite", "postgres"]
    dbConnected: bool
    driverType: str


PATH = "/health"
_TIMEOUT = 2.0  # seconds, for each check by itself
_KEPT = 1.0  # seconds
_SPACE = 16_000_000  # bytes


ENDPOINTS = (
    Endpoint(
        method="GET", path="/health", scope=None, summary="Is the process up?",
        answer=Health,
    ),
    Endpoint(
        method="GET", path="/health/deep", scope=None, answer=DeepHealth,
        summary="Can it read its databases and repositories?", errors=(503,),
    ),
)  # fmt: skip


async def shallow(request: Request) -> Response:
    return Json({"status": "ok"})


class Deep:
    """GET /health/deep. However many ask, one look is taken at a time, and told for a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="health")
        self._told: tuple[float, dict[str, Any]] | None = None
        self._looking: asyncio.Future[dict[str, Any]] | None = None

    async def __call__(self, request: Request) -> Response:
        if self._told is not None and time.monotonic() - self._told[0] < _KEPT:
            body = self._told[1]
        else:
            if self._looking is None:
                self._looking = asyncio.ensure_future(self._look())
            body = await asyncio.shield(self._looking)
        return Json(body, status_code=200 if body["status"] == "ok" else 503)

    async def _look(self) -> dict[str, Any]:
        try:
            body = await _state(self._context, self._threads)
            self._told = time.monotonic(), body
            return body
        finally:
            self._looking = None


async def _state(context: Context, threads: ThreadPoolExecutor) -> dict[str, Any]:
    results = await asyncio.gather(
        _checked(threads, context.database.ping),
        _on_this_thread(context.index.ping),  # the one that may use it
        _checked(threads, partial(_check_driver, context)),
        _checked(threads, partial(_check_sync, context)),
        _checked(threads, partial(_check_space, context.settings.data)),
    )
    database = "postgres" if context.database.is_shared else "sqlite"
    checks = dict(zip((database, "index", "driver", "sync", "space"), results, strict=True))
    healthy = all(result == "ok" for result in checks.values())
    return {
        "status": "ok" if healthy else "degraded",
        "checks": checks,
        "dbType": database,
        "dbConnected": checks[database] == "ok",
        "driverType": context.driver.name,
    }


def routes(context: Context) -> list[Route]:
    return [Route(PATH, shallow), Route("/health/deep", Deep(context).__call__)]


def _check_driver(context: Context) -> None:
    for name in context.workspaces.names:
        source = context.workspaces.source(name)
        if source is not None:
            context.driver.check(name, source.repository)


def _check_space(folder: str) -> None:
    """A write needs room for its objects, its row and their journals."""
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < _SPACE:
        raise RuntimeError(f"the disk of {folder} is full")


def _check_sync(context: Context) -> None:
    for name in context.workspaces.names:
        error = context.workspaces.state(name).last_error
        if error:
            raise RuntimeError(f"{name}: {error}")


async def _on_this_thread(check: Callable[[], None]) -> str:
    return _told(check)


async def _checked(threads: ThreadPoolExecutor, check: Callable[[], None]) -> str:
    looking = asyncio.get_running_loop().run_in_executor(threads, _told, check)
    try:
        return await asyncio.wait_for(looking, _TIMEOUT)
    except TimeoutError:
        return f"no answer within {_TIMEOUT:g} seconds"


def _told(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # anybody may ask; what exactly is wrong is for the log
        log.warning("a health check failed", error=str(error) or type(error).__name__)
        return "error"
    return "ok"
