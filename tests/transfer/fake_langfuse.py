# SPDX-License-Identifier: Apache-2.0
"""As much of Langfuse's public API as an importer asks, really listening."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.transfer.moving_in import fixture, trace

KEY = "pk-lf-1:sk-lf-2"
Answer = tuple[int, dict[str, str], bytes]


class FakeLangfuse:
    """As much of Langfuse's public API as an importer asks; `odd` answers first where it wants to."""

    def __init__(self) -> None:
        self.traces = [trace(at) for at in range(1, 121)]
        self.prompts = fixture("langfuse-prompts.json")["data"]
        self.scores = fixture("langfuse-scores.json")["data"]
        self.asked: list[str] = []
        self.odd: Callable[[str, int], Answer | None] = lambda _path, _times: None
        self._times: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = outer.answer(
                    self.path, self.headers.get("Authorization", "")
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, path: str, authorization: str) -> Answer:
        self.asked.append(path)
        self._times[path] += 1
        odd = self.odd(path, self._times[path])
        if odd is not None:
            return odd
        if authorization != "Basic " + base64.b64encode(KEY.encode()).decode():
            return 401, {}, b"{}"
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = self._found(parts.path.removeprefix("/api/public/"), query)
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _found(self, path: str, query: dict[str, str]) -> Any:
        kind, _, name = path.removeprefix("v2/").partition("/")
        if kind == "traces" and name:
            return next(one for one in self.traces if one["id"] == unquote(name))
        if kind == "prompts" and name:
            return next(
                one
                for one in self.prompts
                if (one["name"], str(one["version"])) == (unquote(name), query["version"])
            )
        names: dict[str, list[int]] = {}
        for one in self.prompts:
            names.setdefault(one["name"], []).append(one["version"])
        listed: list[Any] = {
            "traces": [{"id": one["id"]} for one in self.traces],
            "scores": self.scores,
            "prompts": [{"name": name, "versions": versions} for name, versions in names.items()],
        }[kind]
        page, limit = int(query["page"]), int(query["limit"])
        meta = {"page": page, "totalPages": -(-len(listed) // limit)}
        return {"data": listed[(page - 1) * limit : page * limit], "meta": meta}

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
