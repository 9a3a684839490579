# SPDX-License-Identifier: Apache-2.0
"""A workspace of its own for each import."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.client import fresh
from tests.transfer.moving_in import House
from tests.world import Server


@pytest.fixture
def house(server: Server, tmp_path: Path) -> House:
    return House(server, fresh("in"), tmp_path)
