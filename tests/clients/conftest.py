# SPDX-License-Identifier: Apache-2.0
"""A model that answers as OpenAI does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Model(BaseHTTPRequestHandler):
    """Asks for the weather where it may, and says hello."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        has_asked = any(message["role"] == "tool" for message in asked["messages"])
        message: dict[str, Any] = {"role": "assistant", "content": "Hi"}
        if asked.get("tools") and not has_asked:
            call = {"name": "weather", "arguments": '{"city": "Rome"}'}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        usage = {
            "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4},
        }  # fmt: skip
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        answer = json.dumps(
            {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o",
             "choices": [choice], "usage": usage}
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
