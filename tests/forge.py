# SPDX-License-Identifier: Apache-2.0
"""A forge: bare repositories over HTTP by `git http-backend`, for whoever has its token; it can be away, or lose
its answers."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

Fate = Literal["answer", "away", "lose", "cut", "slow"]


class Forge:
    """The repositories of a folder, at `{url}/<any owner>/<name>.git`."""

    token = "ghp_s3cret"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fate: Fate = "answer"
        self.asked: list[str] = []
        forge = self

        class Handler(_Handler):
            of = forge

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lets_in(self, token: str) -> bool:
        return token == self.token

    def refuses_push(self, path: str) -> bool:
        """Whether whoever is let in may not push."""
        return False

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """To what is asked of an API."""
        request.send_error(404)

    def refs(self) -> dict[str, str]:
        return {}

    def moved(self, before: Mapping[str, str]) -> None:
        """A push has ended; these were the refs."""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Forge

    def do_GET(self) -> None:
        self._serve(b"")

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        self.of.asked.append(self.path)
        kind, _, person = (self.headers.get("Authorization") or "").partition(" ")
        user, _, token = base64.b64decode(person if kind == "Basic" else "").decode().partition(":")
        if self.of.fate == "away":
            self.send_error(503)
        elif self.path.startswith("/api/"):
            self.of.answer(self, body)
        elif user != "x-access-token" or not self.of.lets_in(token):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.of.refuses_push(self.path):
            self.send_error(403)
        else:
            is_push = self.command == "POST" and self.path.endswith("/git-receive-pack")
            before = self.of.refs() if is_push else {}
            answer = self._answer(body)
            if is_push:
                self.of.moved(before)
            if self.of.fate == "lose" and self.path.endswith("/git-receive-pack"):
                self.connection.close()
            elif self.of.fate == "cut" and not self.path.endswith("/git-receive-pack"):
                self.wfile.write(answer[: len(answer) // 2])
            else:
                if self.of.fate == "slow":
                    time.sleep(0.5)
                self.wfile.write(answer)
        self.close_connection = True

    def _answer(self, body: bytes) -> bytes:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.of.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x-access-token",
            "PATH_INFO": "/" + path.split("/", 2)[2],
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        said = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=True
        ).stdout
        head, _, rest = said.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = next((line[8:] for line in lines if line.startswith(b"Status: ")), b"200 OK")
        kept = [line for line in lines if not line.startswith(b"Status: ")]
        return b"\r\n".join([b"HTTP/1.1 " + status, *kept, b"Connection: close", b"", rest])

    def log_message(self, format: str, *args: object) -> None:
        """Tests say what went wrong."""
