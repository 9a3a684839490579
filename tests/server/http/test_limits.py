# SPDX-License-Identifier: Apache-2.0
"""Rate limits."""

from __future__ import annotations

from pathlib import Path

from tests.server.client import Client
from tests.world import Server


def test_a_rate_limit_counts_each_request_once(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--rate-limit", "5").start()
    try:
        client = Client(server)
        seen = [client.http.get("/v1/logs") for _ in range(12)]
        assert {response.status_code for response in seen} == {200, 429}
        good = [response for response in seen if response.status_code == 200]
        assert good[0].headers["ratelimit-limit"] == "5"
        last = seen[-1]
        assert last.json()["code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= int(last.headers["retry-after"]) <= 60
    finally:
        server.stop()
