# SPDX-License-Identifier: Apache-2.0
"""What a scrape says of recorded metrics."""

from __future__ import annotations

from gitprompt.metrics import (
    Metrics,
    Registry,
)
from gitprompt.metrics.exposition import expose
from tests.scraping import OPENMETRICS, Samples, read


def told(metrics: Metrics, *, accept: str = OPENMETRICS) -> Samples:
    registry = Registry()
    registry.register(metrics)
    body = b"".join(expose(registry, accept).body).decode()
    return read(body, is_openmetrics="openmetrics" in accept, namespace=metrics.namespace)
