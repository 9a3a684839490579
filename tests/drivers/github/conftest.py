# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github import FakeGithub
from tests.world import Clone, run


@pytest.fixture
def github(forge: Clone, tmp_path: Path) -> Iterator[FakeGithub]:
    """Of which `forge` is the repository."""
    run("git", "config", "http.receivepack", "true", cwd=forge.path)
    found = FakeGithub(tmp_path)
    yield found
    found.close()
