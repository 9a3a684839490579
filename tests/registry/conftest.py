# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.registry.sidecar import Sidecar
from tests.world import Clone


@pytest.fixture
def sidecar(published: Clone, tmp_path: Path) -> Any:
    running = Sidecar(published, tmp_path / "data")
    yield running
    running.close()
