# SPDX-License-Identifier: Apache-2.0
"""A durable database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitprompt.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Any:
    found = Database(str(tmp_path / "telemetry.db"))
    yield found
    found.close()
