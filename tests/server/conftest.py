# SPDX-License-Identifier: Apache-2.0
"""A client of the running server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import Server


@pytest.fixture(scope="module")
def described(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json")
    return found
