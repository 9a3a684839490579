# SPDX-License-Identifier: Apache-2.0
"""A durable database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitprompt.store.database import Database
from tests import databases


@pytest.fixture
def database(tmp_path: Path) -> Any:
    found = Database(databases.location(tmp_path))
    yield found
    found.close()
