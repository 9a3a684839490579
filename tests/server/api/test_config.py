# SPDX-License-Identifier: Apache-2.0
"""GET /v1/config."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.server.api.config import _shown
from tests.world import Server


def test_a_master_sees_all_but_secrets_and_others_their_bounds(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", env={"GITHUB_WEBHOOK_SECRET": "hunter2"}).start()
    try:
        whole = server.request("/v1/config", key=server.key("admin", "*"))
        assert "hunter2" not in whole.text
        assert whole.json()["github_webhook_secret"] == "***"
        assert whole.json()["data"] == str(tmp_path / "data")
        own = server.request("/v1/config", key=server.key("admin", "team")).json()
        assert own["max_push_files"] == whole.json()["max_push_files"]
        assert {name for name in own if not name.startswith("max_")} == {"rate_limit", "keep_days"}
    finally:
        server.stop()


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@example.com/a.git",
        "https://ann:sec/secret@example.com/a.git",
        "https://ann:p@secret@example.com/a.git",
        "https://secret@example.com/a.git",
        "https://example.com/v1?user=x&key=secret",
        "https://example.com/v1?token=secret",
    ],
)
def test_no_password_is_in_any_url(url: str) -> None:
    assert "secret" not in _shown(url, secret=False)
    assert "example.com" in _shown(url, secret=False)
