# SPDX-License-Identifier: Apache-2.0
"""Empty PostgreSQL databases, and proxies before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import cluster, new_url
from tests.proxy import Proxy


@pytest.fixture
def url() -> str:
    return new_url()


@pytest.fixture
def place(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy, and the URL of an empty database behind it."""
    proxy = Proxy(cluster().port)
    yield proxy, url.replace(f":{cluster().port}/", f":{proxy.port}/")
    proxy.close()
