# SPDX-License-Identifier: Apache-2.0
"""One engine for all tests of containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.engine import Engine, engine


@pytest.fixture(scope="session")
def containers() -> Iterator[Engine]:
    with engine() as containers:
        yield containers
