# SPDX-License-Identifier: Apache-2.0
"""Lists by page and by cursor."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client
from tests.world import Server


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/traces", "/v1/runs", "/v1/audit-logs"])
def test_lists_by_page_and_by_cursor(server: Server, path: str) -> None:
    client = Client(server, **{"X-Workspace-Id": "lists"})
    if not client.get("/v1/logs")["total"]:
        for number in range(7):
            client.post("/v1/logs", {"prompt_name": "p", "version_tag": str(number)})
            client.post("/v1/traces", {})
            client.post("/v1/runs", {"workflow_name": "w"})
    first = client.get(path, limit=3)
    assert first["totalPages"] == -(-first["total"] // 3)
    by_page = [item for page in range(1, first["totalPages"] + 1)
               for item in client.get(path, page=page, limit=3)["items"]]  # fmt: skip
    by_cursor: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path, limit=3, cursor=cursor)
        by_cursor += page["items"]
        cursor = page["nextCursor"]
    assert len(by_page) == first["total"]
    assert by_cursor == by_page
    for wrong in ({"page": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "!"}):
        assert client.refused("GET", path, **wrong)[0] == 422
