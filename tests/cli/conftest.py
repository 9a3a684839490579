# SPDX-License-Identifier: Apache-2.0
"""A repository with a story."""

from __future__ import annotations

import pytest

from tests.cli.commands import Cli
from tests.world import WELCOME, Clone


@pytest.fixture
def story(published: Clone, cli: Cli) -> Clone:
    """Two versions, a label that moved, and a change in the work tree."""
    published.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    for version, reason in (("1.0.0", "Launch"), ("1.1.0", "Better")):
        assert cli("label", "set", "welcome", "production", version, "-m", reason).code == 0
    published.write("prompts/welcome.yaml", WELCOME.replace("Hello", "Good day"))
    return published
