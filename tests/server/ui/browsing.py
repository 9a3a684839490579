# SPDX-License-Identifier: Apache-2.0
"""A browser without scripts: cookies, forms that say where they come from, and pages as text."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.server.client import OPEN
from tests.world import Server

FROM_HERE = {"Sec-Fetch-Site": "same-origin"}


def words(page: httpx.Response | str) -> str:
    """What a page says, on one line."""
    text = page if isinstance(page, str) else page.text
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


class Browser:
    """Somebody at the pages of a workspace; signed in if `access` says how."""

    def __init__(
        self,
        server: Server,
        scopes: str = "read,write,admin",
        workspace: str = "default",
        *,
        access: str | None = "change",
    ) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=30)
        OPEN.append(self.http)
        self.workspace = workspace
        self.home = f"/ui/w/{workspace}"
        if access is not None:
            answer = self.post("/ui/login", key=server.key(scopes, workspace), access=access)
            assert answer.status_code == 303, words(answer)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(self._address(path), params=params or None)

    def post(self, path: str, **form: Any) -> httpx.Response:
        headers = {**FROM_HERE, "Content-Type": "application/x-www-form-urlencoded"}
        return self.http.post(self._address(path), content=urlencode(form), headers=headers)

    def page(self, path: str, status: Any = 200, **params: Any) -> str:
        """What a page says. `path` is below the workspace, or from /ui on."""
        answer = self.get(path, **params)
        assert answer.status_code == status, (answer.status_code, words(answer))
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return words(answer)

    def _address(self, path: str) -> str:
        return path if path.startswith("/ui") else f"{self.home}/{path}"
