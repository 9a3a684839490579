# SPDX-License-Identifier: Apache-2.0
"""A client of the HTTP interface, and what it sends."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.world import Server

SPAN = {
    "name": "llm-call", "status": "ok", "start_time": 1000, "end_time": 2500,
    "metadata": {"model": "gpt-4o", "tokens_in": 120, "tokens_out": 340},
}  # fmt: skip


OPEN: list[httpx.Client] = []


class Client:
    """What an application has: a base URL and a key."""

    def __init__(self, server: Server, scopes: str = "read,write,admin", **headers: str) -> None:
        workspace = headers.get("X-Workspace-Id", "default")
        self.http = httpx.Client(
            base_url=server.url,
            headers={"X-API-Key": server.key(scopes, workspace), **headers},
            timeout=30,
        )
        OPEN.append(self.http)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        response = self.http.request(method, path, json=body, params=params or None)
        response.raise_for_status()
        return None if response.status_code == 204 else response.json()

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def refused(self, method: str, path: str, body: Any = None, **params: Any) -> tuple[int, str]:
        """Status and text of a request that must fail; the envelope is always the same."""
        response = self.http.request(method, path, json=body, params=params or None)
        assert response.status_code >= 400, response.text
        said = response.json()
        assert {"error", "code", "requestId"} <= said.keys()
        assert response.headers["x-request-id"] == said["requestId"]
        return response.status_code, said["error"]


def fresh(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def publish(client: Client, name: str, version: str = "1.0.0", text: str = "Hello") -> Any:
    body = {"name": name, "version": version, "messages": [{"role": "user", "content": text}]}
    return client.post("/v1/prompts", body)
