# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds everything the server is made of, and the ASGI application."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from gitprompt import config, drivers, hosting, keys, log
from gitprompt.catalog import Catalog
from gitprompt.clock import Clock, now
from gitprompt.config import ServerSettings
from gitprompt.core.document import check_root
from gitprompt.counting import Counting
from gitprompt.drivers import Driver
from gitprompt.drivers.clone import FollowingClone
from gitprompt.errors import (
    BadRequest,
    GitpromptError,
    MethodNotAllowed,
    NotFound,
    SetupError,
)
from gitprompt.git.kept import Kept
from gitprompt.git.process import require_git
from gitprompt.git.repository import Repository
from gitprompt.hosting import Hosting
from gitprompt.ingest import Ingest
from gitprompt.ledger import note_tampering, settle_pending
from gitprompt.metrics import OTHER
from gitprompt.publishing import Publishing
from gitprompt.pushes import Pushes
from gitprompt.registry import remotes
from gitprompt.registry.push_rules import Bounds
from gitprompt.registry.sync import Progress, Sync
from gitprompt.server.api import hot_path
from gitprompt.server.api import sync as sync_rows
from gitprompt.server.api.hot_path import HotPath
from gitprompt.server.context import Context
from gitprompt.server.git import smart_http
from gitprompt.server.git.judges import Judges
from gitprompt.server.http.auth import Authenticator
from gitprompt.server.http.entrance import KEY_NAME, LOCALLY, Entrance
from gitprompt.server.http.limits import Limiter
from gitprompt.server.http.proxies import TrustedProxies, below, parse_proxies, parse_root_path
from gitprompt.server.http.surface import ENVELOPE, routes
from gitprompt.server.http.turns import Turns
from gitprompt.server.http.wire import Envelope, error_response, header_of, request_id, send_bytes
from gitprompt.server.ops import docs, health, prometheus, webhooks
from gitprompt.server.ops.border import translated
from gitprompt.server.ops.guarding import Guard
from gitprompt.server.ops.housekeeping import keep_house
from gitprompt.server.ops.mending import Mender
from gitprompt.server.ops.metering import make_metrics, metrics_address
from gitprompt.server.ops.neighbours import follow
from gitprompt.server.ops.shelving import keep_shelves
from gitprompt.server.surfaces import ENDPOINTS, SURFACES
from gitprompt.server.ui import site, tickets
from gitprompt.server.ui.pages import PAGES
from gitprompt.server.ui.proxied import PEER
from gitprompt.server.ui.sessions import Sessions
from gitprompt.server.ui.visitors import visitors
from gitprompt.server.work.held import Held
from gitprompt.server.work.requests import Requests
from gitprompt.statistics import RecentTraffic
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from gitprompt.store.group_commit import OnCommit
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import open_index
from gitprompt.store.sqlite_file import Corrupt
from gitprompt.suites import Suites
from gitprompt.transaction import Transactions
from gitprompt.transfer import recovery
from gitprompt.workspaces import Workspaces

if TYPE_CHECKING:
    from gitprompt.server.ops.tracing import Tracing

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_GONE = 499  # what the field calls it when a client went before it was answered
_SILENT: Callable[[str], Progress] = lambda _workspace: lambda _done, _total: None  # noqa: E731


@contextmanager
def sidecar(
    settings: ServerSettings,
    *,
    clock: Clock = now,
    progress: Callable[[str], Progress] = _SILENT,
) -> Iterator[Sidecar]:
    """Everything, open and in sync; closed again at the end. Holds the data directory meanwhile."""
    require_git()
    in_place = _in_place(settings)
    tables = GitObjects()
    driver = _driver(settings, in_place, tables)
    parse_root_path(settings.root_path)
    parse_proxies(settings.trusted_proxies)  # what is wrong is reported before anything is made
    location = config.database_location(settings.data, settings.database_url)
    metrics = make_metrics(settings, driver.name)
    tracing = _tracing(settings)
    os.umask(0o077)
    url = f"http://{settings.host}:{settings.port}"
    with hosting.hold(settings.data, f"process {os.getpid()} at {url}") as hold:
        if os.path.exists(os.path.join(settings.data, recovery.UNFINISHED)):
            raise SetupError(
                f"a restore of {settings.data} was cut short",
                hint="Run it once more: gitprompt restore FILE --data DIR --force",
            )
        counting = Counting(metrics, clock)
        on_commit: list[OnCommit] = [counting]
        if tracing is not None:
            on_commit.append(tracing.committed)
        hosting.check_database(settings.data, config.database_file(location))
        database = Database(
            location,
            on_commit=on_commit,
            progress=progress("migrating telemetry.db"),
            memory=os.path.join(settings.data, "node"),
        )
        tables.open(database)
        log.info("keys and telemetry are kept here", database=str(database))
        try:
            salt = keys.salt(settings.data, settings.salt, database)
        except BaseException:
            database.close()
            raise
        index = open_index(os.path.join(settings.data, "index.db"))
        reader = IndexReader(index.path)
        sync = Sync(index, database, clock)
        kept = Kept()
        requests = Requests(memory=settings.git_memory)
        judges = Judges(
            bounds=Bounds(
                settings.max_push_refs, settings.max_push_files, settings.max_push_documents
            ),
            seconds=settings.max_push_seconds,
            memory=settings.git_memory,
        )
        try:
            counting.recall(database)
            hosted = Hosting(settings.data)
            for leftover in hosted.repair():
                log.warning("removed what a killed process left", path=leftover)
            workspaces = Workspaces(
                hosting=hosted,
                sync=sync,
                driver=driver,
                clock=clock,
                metrics=metrics,
                tracing=tracing,
                in_place=in_place,
                root=check_root(settings.root),
                on_tampering=partial(note_tampering, database, clock),
            )
            workspaces.load()
            workspaces.sync_all(progress)
            settle_pending(database, workspaces.source)
            authenticator = Authenticator(database, salt, clock, data=settings.data)
            suites = Suites(reader, database, clock)
            yield Sidecar(
                Context(
                    settings=settings,
                    salt=salt,
                    index=reader,
                    database=database,
                    authenticator=authenticator,
                    limiter=Limiter(settings.rate_limit, clock),
                    workspaces=workspaces,
                    driver=driver,
                    clock=clock,
                    ingest=Ingest(database, clock, metrics.prices),
                    suites=suites,
                    held=Held(settings.max_held_bytes),
                    catalog=Catalog(reader, requests, max_render_bytes=settings.max_render_bytes),
                    publishing=Publishing(
                        transactions=Transactions(
                            workspaces=workspaces, database=database, driver=driver, kept=kept
                        ),
                        workspaces=workspaces,
                        index=reader,
                        database=database,
                        suites=suites,
                        clock=clock,
                        checker=requests,
                    ),
                    pushes=Pushes(
                        workspaces=workspaces,
                        index=reader,
                        database=database,
                        driver=driver,
                        clock=clock,
                        judges=judges,
                    ),
                    metrics=metrics,
                    sessions=Sessions(database, authenticator, settings, salt, clock),
                    traffic=RecentTraffic(database, clock),
                    tracing=tracing,
                ),
                Mender(sync, reader, workspaces),
                Guard(hold, database),
            )
            authenticator.write_down_use()
        finally:
            requests.close()
            judges.close()
            sync.close()
            kept.close()
            reader.close()
            index.close()
            driver.close()
            database.close()
            if tracing is not None:
                tracing.close()


def _tracing(settings: ServerSettings) -> Tracing | None:
    endpoint = config.traces_endpoint(settings)
    if not endpoint:
        return None
    try:
        from gitprompt.server.ops.tracing import Tracing
    except ImportError as error:
        raise SetupError(
            "an OTLP endpoint is set, but the OpenTelemetry SDK is not installed",
            hint="pip install 'gitprompt-registry[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        ) from error
    return Tracing(endpoint, forwards=settings.forward_traces == "yes")


def _in_place(settings: ServerSettings) -> Repository | None:
    if not settings.repo:
        return None
    if not os.path.isdir(settings.repo):
        raise SetupError(f"{settings.repo} is not a directory", hint="Give --repo a repository.")
    repository = Repository.open(settings.repo)
    if repository.work_tree is not None:
        repository.labels_of = remotes.default_remote(repository)
    repository.root = check_root(settings.root)
    return repository


def _driver(settings: ServerSettings, in_place: Repository | None, tables: GitObjects) -> Driver:
    driver = drivers.make(settings, tables)
    if not settings.fetch:
        return driver
    if in_place is None or in_place.work_tree is None:
        raise SetupError("--fetch is for a clone that is served with --repo")
    return FollowingClone(remotes.choose_remote(in_place))


class Sidecar:
    """The ASGI application. Prompts and Git come first; everything else goes through Starlette."""

    def __init__(self, context: Context, mender: Mender, guard: Guard) -> None:
        self._mender, self._guard = mender, guard
        self.context = context
        self._entrance = Entrance(context.authenticator, context.limiter)
        self._git = smart_http.GitEndpoint(context, self._entrance)
        self._turns = Turns()
        proxies = parse_proxies(context.settings.trusted_proxies)
        self._proxies = TrustedProxies(proxies) if proxies else None
        self._log_requests = context.settings.log_requests
        self._root_path = parse_root_path(context.settings.root_path)
        self._metrics_at = (
            metrics_address(context.settings) if context.settings.metrics_addr else None
        )
        answered = routes(SURFACES, context, self._entrance, self._turns)
        self.reads = HotPath(context, self._entrance, answered)
        # Writes and renders below /v1/prompts need not try every other path first.
        self._prompts = Router(
            routes=[route for route in answered if hot_path.owns(route.path_format)],
            redirect_slashes=False,
        )
        self._router = Router(
            routes=[
                *answered,
                *prometheus.routes(context),
                *health.routes(context),
                *webhooks.routes(context),
                *docs.routes(ENDPOINTS),
                *tickets.routes(context, self._entrance),
                *self._pages(),
            ],
            redirect_slashes=False,
        )
        self._templates: dict[Any, str] = {
            route.endpoint: route.path_format
            for route in self._router.routes
            if isinstance(route, Route)
        }
        self._tasks: list[asyncio.Task[None]] = []

    def _pages(self) -> list[Route]:
        who = visitors(self.context.settings, self.context.sessions)
        return [] if who is None else site.routes(PAGES, self.context, who)

    async def locally(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application as it is on the Unix socket of the data directory: a poke, and no more."""
        if scope["type"] != "http":
            return
        if scope["path"] in (sync_rows.PATH, health.PATH, tickets.PATH):
            await self({**scope, LOCALLY: True}, receive, send)
        else:
            await _send_error(scope, send, NotFound("Route not found"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope[PEER] = scope.get("client")
            if self._root_path:
                below(self._root_path, scope)
            if self._proxies is not None:
                self._proxies.apply(scope)
            await self._measured(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin, status, size = perf_counter(), _GONE, 0
        rid = b""

        def watched(message: Message) -> Awaitable[None]:
            nonlocal status, size, rid
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._log_requests != "none":
                    headers = message.get("headers", ())
                    rid = next((value for key, value in headers if key == b"x-request-id"), b"")
            else:
                size += len(message.get("body", b""))
            return send(message)

        try:
            await self._http(scope, receive, watched)
        finally:
            self.context.held.let_go(scope)
        seconds = perf_counter() - begin
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = self._template(scope)
        self.context.metrics.record_http(method, route, status, seconds)
        if self.context.tracing is not None:
            self.context.tracing.request(scope["headers"], method, route, status, seconds)
        if self._log_requests == "all" or (
            self._log_requests == "changes" and (status >= 400 or _changes(method, route))
        ):
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                bytes=size,
                ms=round(seconds * 1000, 2),
                key=scope.get(KEY_NAME, ""),
                request_id=rid.decode("latin-1"),
            )

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        try:
            if self._metrics_at is not None and not self._may_be_here(scope):
                raise NotFound("Route not found")
            if hot_path.owns(path) and scope["method"] in ("GET", "HEAD"):
                self._turns.since_read = 0
                await self.reads(scope, send)
            elif path.startswith(smart_http.PREFIX):
                await self._git(scope, receive, send)
            else:
                await self._other(scope, receive, send)
        except ClientDisconnect:
            pass
        except HTTPException as error:
            await _send_error(scope, send, _ours(error))
        except GitpromptError as error:
            self._mend_after(error)
            with suppress(RuntimeError):  # too late if a push is being answered already
                await _send_error(scope, send, error)
        except Exception as error:  # the last line of defence: log it, and say only that it was us
            known = translated(error)
            if known is not None:
                log.error("failed", path=path, error=f"{type(error).__name__}: {error}")
                self._mend_after(known)
                with suppress(RuntimeError):
                    await _send_error(scope, send, known)
                return
            self._mender.look()  # a damaged index tells nonsense before it tells that it is damaged
            rid = request_id(header_of(scope, b"x-request-id"))
            log.error("internal error", exc_info=True, path=path, request_id=rid.decode())
            with suppress(Exception):
                await _send_error(scope, send, GitpromptError("Internal error"), rid)

    def _mend_after(self, error: GitpromptError) -> None:
        if isinstance(error, Corrupt):
            self._mender.look()

    def _may_be_here(self, scope: Scope) -> bool:
        """If the metrics have an address of their own, they are there alone."""
        assert self._metrics_at is not None
        host, port = self._metrics_at
        own = scope["server"][1] == port and (
            port != self.context.settings.port or scope["server"][0] == host
        )
        if own:
            return scope["path"] in (prometheus.PATH, health.PATH)
        return bool(scope["path"] != prometheus.PATH)

    def _template(self, scope: Scope) -> str:
        """The route of a request, without what differs from one to the next."""
        template: str | None = scope.get(hot_path.ROUTE)
        if template is None:
            template = self._templates.get(scope.get("endpoint"))
        if template is not None:
            return template
        path = scope["path"]
        if hot_path.owns(path):
            return self.reads.template(path)
        if path.startswith(smart_http.PREFIX):
            return smart_http.template(path)
        return OTHER

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        rid = request_id(header_of(scope, b"x-request-id"))

        def with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", rid)]
            return send(message)

        scope["app"] = self  # makes the router raise what it refuses
        if hot_path.owns(scope["path"]):
            scope["path"] = scope["path"].rstrip("/")
            await self._prompts(scope, receive, with_id)
        else:
            await self._router(scope, receive, with_id)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        context = self.context
        self._tasks = [
            asyncio.create_task(context.workspaces.poll(context.settings.poll_seconds)),
            asyncio.create_task(keep_house(context)),
            asyncio.create_task(follow(context)),
            asyncio.create_task(keep_shelves(context)),
            asyncio.create_task(self._mender.watch()),
            asyncio.create_task(self._guard.watch()),
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})


def _changes(method: str, route: str) -> bool:
    """Whether a request may change what is in Git, or who may: telemetry is neither."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return False
    return not route.startswith(_TELEMETRY) and not route.endswith(_READS)


_TELEMETRY = ("/v1/traces", "/v1/logs", "/v1/runs", "/v1/metrics")
_READS = ("/results", "/render", "/git-upload-pack")


def _ours(error: HTTPException) -> GitpromptError:
    """The router's own refusals in our words."""
    if error.status_code == 404:
        return NotFound("Route not found")
    if error.status_code == 405:
        return MethodNotAllowed("Method not allowed", headers=error.headers)
    return BadRequest(error.detail)


async def _send_error(scope: Scope, send: Send, error: GitpromptError, rid: bytes = b"") -> None:
    rid = rid or request_id(header_of(scope, b"x-request-id"))
    envelope: Envelope = scope.get(ENVELOPE, error_response)
    status, headers, body = envelope(error, rid, scope)
    await send_bytes(send, status, [*headers, (b"x-request-id", rid)], body)
