# SPDX-License-Identifier: Apache-2.0
"""Metrics to record on."""

from __future__ import annotations

import pytest

from gitprompt.metrics import (
    Metrics,
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()
