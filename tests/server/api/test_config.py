# SPDX-License-Identifier: Apache-2.0
"""GET /v1/config."""

from __future__ import annotations

import json
from pathlib import Path

from tests.server.client import Client
from tests.world import Server


def test_config_masks_secrets(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", env={"GITHUB_WEBHOOK_SECRET": "hunter2"}).start()
    try:
        text = json.dumps(Client(server).get("/v1/config"))
        assert "hunter2" not in text
        assert '"github_webhook_secret": "***"' in text
    finally:
        server.stop()
