# SPDX-License-Identifier: Apache-2.0
"""One server for all pages: their tests use prompts or workspaces of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.ui.browsing import Browser
from tests.world import Server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("server") / "data"
    running = Server(data, "--ui-changes", "all").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    return Browser(server)
