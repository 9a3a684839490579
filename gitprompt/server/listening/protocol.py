# SPDX-License-Identifier: Apache-2.0
"""HTTP as uvicorn speaks it, with what it lacks: bounds on what a caller may hold before anybody knows who
it is, our envelope for what it refuses itself, and answers that an HTTP/1.0 client understands."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gitprompt.errors import BadRequest
from gitprompt.server.http.wire import error_response, request_id

MAX_HEAD = (
    65_536  # bytes of a request line and its headers, after those that were read with its first
)
MAX_PIPELINED = 32  # requests that wait for the answers before them
HEAD_SECONDS = 20.0  # from a connection, or the first byte of a request, to the end of its head
IDLE_SECONDS = (
    60.0  # in which a body that is not complete, or an answer that is not read, does not move
)
_SWEEP = 1.0  # seconds


class Doorman(NamedTuple):
    """Who is connected: connections by address, of which one has at most `most`; `is_exempt` says who may
    have more, as a reverse proxy."""

    most: int
    is_exempt: Callable[[str], bool]
    present: Counter[str]


class Protocol(HttpToolsProtocol):
    """`doorman` is shared by all connections of a server."""

    def __init__(self, *args: Any, doorman: Doorman, **more: Any) -> None:
        super().__init__(*args, **more)
        self._doorman = doorman
        self._address = ""
        self._head_since: float | None = None  # None: no head is awaited
        self._head_size = 0
        self._head_has_begun = False  # with the bytes that are read just now
        self._has_body_to_come = False
        self._moved = 0.0
        self._unread_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self._moved = self.loop.time()
        if self.client is not None and not self._doorman.is_exempt(self.client[0]):
            self._address = self.client[0]
            self._doorman.present[self._address] += 1
            if self._doorman.present[self._address] > self._doorman.most:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address:
            self._doorman.present[self._address] -= 1
            if not self._doorman.present[self._address]:
                del self._doorman.present[self._address]
            self._address = ""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_since is not None:
            self._head_size = 0 if self._head_has_begun else self._head_size + len(data)
            self._head_has_begun = False
            if self._head_size > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")
        elif self._has_body_to_come:
            self._moved = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_since = self.loop.time()
        self._head_has_begun = True

    def on_headers_complete(self) -> None:
        self._head_since = None
        self._has_body_to_come = True
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0" and self.cycle is not None:
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _UntilTheEnd()
        if len(self.pipeline) > MAX_PIPELINED:
            self.transport.abort()

    def on_message_complete(self) -> None:
        self._has_body_to_come = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:  # uvicorn reads on after each answer, however many requests wait
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        status, headers, body = error_response(BadRequest(msg), request_id(b""), {})
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(
            b"HTTP/1.1 %d Bad Request\r\n%bconnection: close\r\n\r\n%b" % (status, head, body)
        )
        self.transport.close()

    def is_stuck(self, now: float) -> bool:
        """Whether the other side has held its end for too long without moving anything."""
        if self._unread_since is not None and now - self._unread_since > IDLE_SECONDS:
            return True
        if self._head_since is not None and self._awaits_head():
            return now - self._head_since > HEAD_SECONDS
        if not self._has_body_to_come or self.flow.read_paused:
            self._moved = now  # it is we who have not read
            return False
        return now - self._moved > IDLE_SECONDS

    def _awaits_head(self) -> bool:
        """Between two requests uvicorn itself waits, for as long as a connection is kept alive."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)


class _UntilTheEnd(int):
    """A length that any body has."""

    def __lt__(self, _sent: object) -> bool:
        return False

    def __sub__(self, _sent: object) -> _UntilTheEnd:
        return self

    def __ne__(self, _left: object) -> bool:
        return False

    __hash__ = int.__hash__


async def sweep(connections: Iterable[Any]) -> None:
    """End the connections that are stuck, for as long as this runs."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP)
        now = loop.time()
        for connection in list(connections):
            if isinstance(connection, Protocol) and connection.is_stuck(now):
                connection.transport.abort()
