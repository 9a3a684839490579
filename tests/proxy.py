# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy before a PostgreSQL server, that loses what it is told to lose."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

Fate = Literal["pass", "cut", "swallow"]
"""Of a COMMIT: it passes; the connection is cut before it is passed on; or its answer is lost."""


class Proxy:
    """Listens on `port`. `fate` says what becomes of each COMMIT; `hole`: nothing passes, and nothing is
    refused; `delay` is in seconds, for each packet of the client."""

    def __init__(
        self, target: int, fate: Callable[[], Fate] = lambda: "pass", delay: float = 0
    ) -> None:
        self.fate = fate
        self.hole = False
        self.delay = delay
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        for one in list(self._sockets):
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets |= {client, server}
            lost = threading.Event()
            for pump in (self._ask, self._answer):
                threading.Thread(target=pump, args=(client, server, lost), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.delay:
                    time.sleep(self.delay)
                self._wait()
                fate = self.fate() if b"COMMIT\0" in data else "pass"
                if fate == "cut":
                    break
                if fate == "swallow":
                    lost.set()
                server.sendall(data)
        if not lost.is_set():
            self._finish(client, server)

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if lost.is_set():
                    break
                self._wait()
                client.sendall(data)
        self._finish(client, server)

    def _wait(self) -> None:
        while self.hole:
            time.sleep(0.02)

    def _finish(self, *sockets: socket.socket) -> None:
        for one in sockets:
            _end(one)
            self._sockets.discard(one)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
