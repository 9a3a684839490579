# SPDX-License-Identifier: Apache-2.0
"""Runs the sidecar under uvicorn until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from gitprompt import log
from gitprompt.config import ServerSettings
from gitprompt.errors import SetupError
from gitprompt.metrics.http import join_address
from gitprompt.registry.sync import Progress
from gitprompt.server import local
from gitprompt.server.app import sidecar
from gitprompt.server.http.proxies import parse_proxies
from gitprompt.server.listening.protocol import Doorman, Protocol, sweep
from gitprompt.server.ops.metering import metrics_address

# libuv accepts one connection a round of its loop for each descriptor that listens. A round takes
# milliseconds under load, so that the last of 64 clients that come at once would wait for 64 rounds.
_ACCEPTS = 16
_DRAIN_SECONDS = 8  # what is in flight may finish; the process ends within 10


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A bound socket, or SetupError that says what is wrong; `option` is what says otherwise."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, option, error) from error
    return listener


def _cannot_listen(host: str, port: int, option: str, error: OSError) -> SetupError:
    if error.errno == errno.EADDRINUSE:
        return SetupError(
            f"port {port} on {host} is in use",
            hint=f"Choose another with {option}, or stop the other.",
        )
    if error.errno == errno.EACCES:
        return SetupError(f"port {port} may not be used by this user", hint="Use one above 1023.")
    return SetupError(f"cannot listen on {host}:{port}: {error.strerror or error}")


class _GracefulServer(uvicorn.Server):
    """Listens on the Unix socket of the data directory too; ends with exit code 0 when it is told to
    stop, where uvicorn would raise the signal once more."""

    def __init__(
        self, config: uvicorn.Config, local: uvicorn.Config, door: socket.socket | None
    ) -> None:
        super().__init__(config)
        self._local = local
        self._door = door
        self._is_up = False
        self._told_early: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._sweeping = asyncio.create_task(sweep(self.server_state.connections))
        if self._door is not None:
            await self._open(self._door)
        self._is_up = True
        if self._told_early is not None:
            # uvicorn, told now, would leave without ending what the start has begun.
            asyncio.get_running_loop().call_soon(super().handle_exit, self._told_early, None)

    async def _open(self, door: socket.socket) -> None:
        self._local.load()

        def protocol() -> asyncio.Protocol:
            protocol_class: Callable[..., asyncio.Protocol] = self._local.http_protocol_class
            return protocol_class(
                config=self._local, server_state=self.server_state, app_state=self.lifespan.state
            )

        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_unix_server(protocol, sock=door))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._is_up:
            super().handle_exit(sig, frame)
        else:
            self._told_early = sig

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        stop = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in stop}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def settle_memory() -> None:
    """What is here stays: no collection need look at it again. Requests make hardly a cycle, so that
    looking for some every 700 objects, as is the default, costs a tenth of ingest for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _doorman(settings: ServerSettings) -> Doorman:
    """Proxies speak for many; they may have as many connections as they like."""
    proxies = parse_proxies(settings.trusted_proxies)

    def is_exempt(address: str) -> bool:
        return any(ip_address(address.partition("%")[0]) in network for network in proxies)

    return Doorman(settings.max_connections, is_exempt, Counter())


def _config(application: ASGIApp, doorman: Doorman) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=partial(Protocol, doorman=doorman),  # type: ignore[arg-type]
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # `server.proxies` believes only who is named
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        limit_concurrency=None,
        backlog=2048,
    )


def serve(
    settings: ServerSettings,
    *,
    progress: Callable[[str], Progress],
    ready: Callable[[str, ServerSettings], None],
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the URL, and the settings with the ports that were
    taken, once everything is bound and in sync, before the first request is answered."""
    log.configure(settings.log_level, settings.log_format)
    with ExitStack() as stack:
        sockets = [stack.enter_context(listen(settings.host, settings.port))]
        settings = replace(settings, port=sockets[0].getsockname()[1])
        if settings.metrics_addr:
            bound = listen(*metrics_address(settings), option="--metrics-addr")
            sockets.append(stack.enter_context(bound))
            address = join_address(*sockets[1].getsockname()[:2])
            settings = replace(settings, metrics_addr=address)
        with sidecar(settings, progress=progress) as application:
            door = stack.enter_context(local.listening(settings.data))
            doorman = _doorman(settings)
            server = _GracefulServer(
                _config(application, doorman), _config(application.locally, doorman), door
            )
            with server.capture_signals():  # whoever reads that it is ready may tell it to stop
                ready(f"http://{join_address(settings.host, settings.port)}", settings)
                settle_memory()
                more = [stack.enter_context(sockets[0].dup()) for _ in range(_ACCEPTS - 1)]
                server.run(sockets=[*sockets, *more])
        log.info("stopped", pid=os.getpid())
