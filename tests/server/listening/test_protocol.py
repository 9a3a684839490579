# SPDX-License-Identifier: Apache-2.0
"""What a caller may hold before anybody knows who it is: real sockets, and a small application."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gitprompt.server.http.wire import body_parts
from gitprompt.server.listening import protocol
from gitprompt.server.listening.protocol import Doorman, Protocol, sweep

BIG = b"x" * 4_000_000


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body; at /big with four megabytes."""
    size = 0
    async for part in body_parts(scope, receive, 1 << 30):
        size += len(part)
    body = BIG if scope["path"] == "/big" else b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Door:
    """A listening server whose connections can be counted."""

    def __init__(self, most: int, *, exempt: bool = False) -> None:
        self.doorman = Doorman(most, lambda _address: exempt, Counter())
        self.state = ServerState()
        self.port = 0
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Door:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        uvloop.run(self._serve())  # as `serve` does

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        config = uvicorn.Config(application, lifespan="off", log_config=None)
        config.load()

        def made() -> Protocol:
            return Protocol(
                config=config, server_state=self.state, app_state={}, doorman=self.doorman
            )

        server = await self._loop.create_server(made, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        sweeping = asyncio.create_task(sweep(self.state.connections))
        self._up.set()
        await self._closing.wait()
        sweeping.cancel()
        server.close()
        for connection in list(self.state.connections):
            connection.transport.abort()
        while self.state.connections or self.state.tasks:
            await asyncio.sleep(0.01)

    def connected(self) -> closing[socket.socket]:
        return closing(socket.create_connection(("127.0.0.1", self.port), timeout=10))


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(protocol, "_SWEEP", 0.05)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.5)
    with Door(100) as door:
        yield door


def rest(client: socket.socket) -> bytes:
    """Everything until the other side ends the connection."""
    said = b""
    with suppress(ConnectionResetError):
        while part := client.recv(1 << 16):
            said += part
    return said


def eventually(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def test_a_head_without_end_is_refused_in_our_words(door: Door) -> None:
    with door.connected() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with suppress(OSError):
            for at in range(20_000):
                client.sendall(b"X-%d: %b\r\n" % (at, b"a" * 1_000))
        assert at < 5_000
        head, _, body = rest(client).partition(b"\r\n\r\n")
    if head:  # the kernel may have thrown it away with what was not read
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"] == "The head of the request is too large."


def test_one_value_without_end_is_refused_as_well(door: Door) -> None:
    with door.connected() as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        with suppress(OSError):
            for _ in range(2_000):
                client.sendall(b"a" * 10_000)
                time.sleep(0.0005)
            pytest.fail("twenty megabytes of one value were taken")


def test_a_large_body_and_a_large_head_after_it_are_no_endless_head(door: Door) -> None:
    body = b"x" * 150_000
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with door.connected() as client:
        client.sendall(request + b"GET / HTTP/1.1\r\nX: " + b"a" * 30_000)
        client.sendall(b"a" * 30_000 + b"\r\nConnection: close\r\n\r\n")
        said = rest(client)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b"150000" in said


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_that_says_nothing_or_never_ends_is_ended(door: Door, sent: bytes) -> None:
    with door.connected() as client:
        client.sendall(sent)
        assert rest(client) == b""


def test_a_body_that_does_not_come_is_waited_for_only_so_long(door: Door) -> None:
    with door.connected() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx")
        assert rest(client) == b""
    with door.connected() as client:  # slow is not silent
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n"
        )
        for _ in range(8):
            client.sendall(b"x")
            time.sleep(0.2)
        assert rest(client).endswith(b"\r\n\r\n8")


def test_an_answer_that_is_not_read_is_held_only_so_long(door: Door) -> None:
    with door.connected() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: not door.state.connections)


def test_a_connection_is_kept_between_two_requests(door: Door) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with door.connected() as client:
        for _ in range(2):
            client.sendall(request)
            said = b""
            while not said.endswith(b"\r\n\r\n0"):
                said += client.recv(1 << 16)
            time.sleep(1.0)


def test_requests_that_wait_for_answers_are_few(door: Door) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with door.connected() as client:
        client.sendall(request * (protocol.MAX_PIPELINED // 2))
        said = b""
        while said.count(b"HTTP/1.1 200 OK") < protocol.MAX_PIPELINED // 2:
            said += client.recv(1 << 16)
    with door.connected() as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * (4 * protocol.MAX_PIPELINED))
        assert eventually(lambda: not door.state.connections)


def test_one_address_has_so_many_connections_and_a_proxy_more() -> None:
    for exempt, expected in ((False, 3), (True, 5)):
        with Door(3, exempt=exempt) as door:
            clients = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(5)]
            answered = 0
            for client in clients:
                client.settimeout(10)
                try:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    answered += client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
                except ConnectionError:
                    pass
            assert answered == expected
            for client in clients:
                client.close()
            assert eventually(lambda: not door.state.connections)
            assert not door.doorman.present
