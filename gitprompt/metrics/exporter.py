# SPDX-License-Identifier: Apache-2.0
"""`Exporter`: a registry of a Python program, served at /metrics and /health.

By itself it listens on an address; inside another server it is an ASGI or a WSGI application.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from gitprompt.metrics.exposition import Collector, Registry, expose
from gitprompt.metrics.http import bears, send_parts, split_address
from gitprompt.metrics.recorder import METRICS, Metrics

_METRICS, _HEALTH = "/metrics", "/health"
_PLAIN = "text/plain; charset=utf-8"
_SLOW_CLIENT = 10.0  # seconds without a byte after which a client is let go
_POLL = 0.1  # seconds until `shutdown` is noticed
_Start = Callable[[str, list[tuple[str, str]]], Any]


class ScrapeAnswer(NamedTuple):
    """What a path and a method get; `body` may be made while it is sent."""

    status: str
    content_type: str
    body: Iterable[bytes]
    headers: tuple[tuple[str, str], ...] = ()


class Exporter:
    """Serves `metrics` and whatever else is registered.

    `address` is "host:port" or ":port", which is every interface; port 0 takes a free one. With a
    `token`, /metrics wants `Authorization: Bearer <token>`. Raises ValueError for another address.
    """

    def __init__(
        self, address: str = ":9090", *, metrics: Metrics = METRICS, token: str | None = None
    ) -> None:
        self._host, self._port = split_address(address)
        self._token = token
        self.registry = Registry()
        self.registry.register(metrics)
        self._server: _ScrapeServer | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def register(self, collector: Collector) -> None:
        """Serve another collector. Raises ValueError if one of its names is taken."""
        self.registry.register(collector)

    def must_register(self, *collectors: Collector) -> None:
        """The same for several; those before the one that is refused stay registered."""
        for collector in collectors:
            self.registry.register(collector)

    # by itself

    @property
    def port(self) -> int:
        """The port that is listened on; the one asked for before `start`."""
        return self._server.server_port if self._server else self._port

    def start(self) -> None:
        """Listen, and serve in a thread. Raises OSError if the address cannot be had, and
        RuntimeError if it serves already or was shut down."""
        with self._lock:
            if self._server is not None or self._stopped.is_set():
                raise RuntimeError("an Exporter starts once")
            self._server = _ScrapeServer(self._host, self._port, self.wsgi_app())
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(_POLL,), name="metrics", daemon=True
            )
            self._thread.start()

    def serve_forever(self) -> None:
        """Start, if that was not done, and wait for `shutdown`, which may come from a signal's
        handler."""
        if self._server is None:
            self.start()
        while not self._stopped.wait(1.0):
            pass

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Stop listening, and let the scrapes in flight finish: True if they did within
        `timeout` seconds. To call it again does no harm."""
        end = time.monotonic() + timeout
        self._stopped.set()
        with self._lock:
            server, thread = self._server, self._thread
        if server is None or thread is None:
            return True
        server.shutdown()
        thread.join(max(end - time.monotonic(), 0.0))
        server.socket.close()
        return server.drain(max(end - time.monotonic(), 0.0))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    # inside another server

    def asgi_app(self) -> AsgiApp:
        """For a `Route("/metrics", …)` of Starlette or FastAPI (a Mount would redirect), or to be
        mounted at any prefix, or served alone."""
        return AsgiApp(self)

    def wsgi_app(self) -> Callable[[dict[str, Any], _Start], Iterable[bytes]]:
        """For Flask, Django, gunicorn and others, at any prefix or alone."""

        def app(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
            answer = self.answer(
                environ.get("REQUEST_METHOD", "GET"),
                environ.get("PATH_INFO", ""),
                environ.get("HTTP_ACCEPT", ""),
                environ.get("HTTP_AUTHORIZATION", ""),
                mounted=bool(environ.get("SCRIPT_NAME")),
            )
            start(answer.status, [("Content-Type", answer.content_type), *answer.headers])
            return answer.body

        return app

    def answer(
        self, method: str, path: str, accept: str, authorization: str, *, mounted: bool = False
    ) -> ScrapeAnswer:
        """What a request gets. Of an application that is mounted somewhere, the path of the metrics
        may be empty."""
        if path not in (_METRICS, _HEALTH, *(("", "/") if mounted else ())):
            reply = ScrapeAnswer(
                "404 Not Found", _PLAIN, (b"not found: try /metrics or /health\n",)
            )
        elif method not in ("GET", "HEAD"):
            allow = (("Allow", "GET, HEAD"),)
            reply = ScrapeAnswer(
                "405 Method Not Allowed", _PLAIN, (b"method not allowed\n",), allow
            )
        elif path == _HEALTH:
            reply = ScrapeAnswer("200 OK", _PLAIN, (b"ok\n",))
        elif not self._may(authorization):
            body = b"metrics need the token: Authorization: Bearer <token>\n"
            challenge = (("WWW-Authenticate", "Bearer"),)
            reply = ScrapeAnswer("401 Unauthorized", _PLAIN, (body,), challenge)
        else:
            exposition = expose(self.registry, accept)
            reply = ScrapeAnswer("200 OK", exposition.content_type, exposition.body)
        return reply._replace(body=()) if method == "HEAD" else reply

    def _may(self, authorization: str) -> bool:
        return self._token is None or bears(self._token, authorization)


class AsgiApp:
    """The ASGI application of an exporter."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    async def __call__(
        self,
        scope: Any,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        if scope["type"] != "http":
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        prefix = scope.get("root_path", "")
        answer = self._exporter.answer(
            scope["method"],
            scope["path"].removeprefix(prefix),
            headers.get(b"accept", ""),
            headers.get(b"authorization", ""),
            mounted=bool(prefix),
        )
        raw = [("content-type", answer.content_type), *answer.headers]
        await send(
            {
                "type": "http.response.start",
                "status": int(answer.status[:3]),
                "headers": [(name.lower().encode(), value.encode()) for name, value in raw],
            }
        )
        await send_parts(send, iter(answer.body))


async def _lifespan(
    receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


class _Handler(WSGIRequestHandler):
    timeout = _SLOW_CLIENT
    server: _ScrapeServer
    _is_counted = False

    def parse_request(self) -> bool:
        """A scrape begins when its request is read, not when somebody connects."""
        self._is_counted = True
        self.server.count(1)
        return super().parse_request()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            if self._is_counted:
                self.server.count(-1)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is not worth a line."""


class _ScrapeServer(ThreadingMixIn, WSGIServer):
    """A thread for each scrape, and how many there are."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, app: Any) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._scrapes = 0
        self._idle = threading.Condition()
        super().__init__((host, port), _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        # WSGIServer's would look the host's name up, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def count(self, step: int) -> None:
        with self._idle:
            self._scrapes += step
            self._idle.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait until nobody is being answered."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._scrapes, timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever scraped has gone away."""
