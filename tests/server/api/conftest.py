# SPDX-License-Identifier: Apache-2.0
"""One server for all resources: their tests use prompts or workspaces of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import Server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data").start()
    yield running
    running.stop()
