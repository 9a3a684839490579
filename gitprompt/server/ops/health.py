# SPDX-License-Identifier: Apache-2.0
"""GET /health and /health/deep. Neither needs a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

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
    dbType: str
    dbConnected: bool
    driverType: str


PATH = "/health"
_TIMEOUT = 2.0  # seconds, for each check by itself


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


async def deep(context: Context, request: Request) -> Response:
    results = await asyncio.gather(
        _checked(context.database.ping),
        _on_this_thread(context.index.ping),  # the one that may use it
        _checked(partial(_check_driver, context)),
        _checked(partial(_check_sync, context)),
    )
    checks = dict(zip(("sqlite", "index", "driver", "sync"), results, strict=True))
    healthy = all(result == "ok" for result in checks.values())
    body = {
        "status": "ok" if healthy else "degraded",
        "checks": checks,
        "dbType": "sqlite",
        "dbConnected": checks["sqlite"] == "ok",
        "driverType": context.driver.name,
    }
    return Json(body, status_code=200 if healthy else 503)


def routes(context: Context) -> list[Route]:
    return [Route(PATH, shallow), Route("/health/deep", partial(deep, context))]


def _check_driver(context: Context) -> None:
    for name in context.workspaces.names:
        source = context.workspaces.source(name)
        if source is not None:
            context.driver.check(name, source.repository)


def _check_sync(context: Context) -> None:
    for name in context.workspaces.names:
        error = context.workspaces.state(name).last_error
        if error:
            raise RuntimeError(f"{name}: {error}")


async def _on_this_thread(check: Callable[[], None]) -> str:
    return _told(check)


async def _checked(check: Callable[[], None]) -> str:
    try:
        return await asyncio.wait_for(asyncio.to_thread(_told, check), _TIMEOUT)
    except TimeoutError:
        return f"no answer within {_TIMEOUT:g} seconds"


def _told(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # anybody may ask; what exactly is wrong is for the log
        log.warning("a health check failed", error=str(error) or type(error).__name__)
        return "error"
    return "ok"
