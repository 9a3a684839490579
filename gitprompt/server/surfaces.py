# SPDX-License-Identifier: Apache-2.0
"""All that is answered, as rows: ours, and other tools' dialects."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.server.api import (
    config,
    evaluations,
    keys,
    labels,
    logs,
    points,
    prompts,
    runs,
    scores,
    sync,
    traces,
)
from gitprompt.server.facades import otlp
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.http.surface import Surface
from gitprompt.server.ops import health, prometheus, webhooks

# Everything that is described, those that are asked most often first.
ENDPOINTS: Sequence[Endpoint] = (
    *traces.ENDPOINTS,
    *logs.ENDPOINTS,
    *runs.ENDPOINTS,
    *scores.ENDPOINTS,
    *evaluations.ENDPOINTS,
    *points.ENDPOINTS,
    *sync.ENDPOINTS,
    *keys.ENDPOINTS,
    *config.ENDPOINTS,
    *prompts.ENDPOINTS,
    *labels.ENDPOINTS,
    *health.ENDPOINTS,
    *prometheus.ENDPOINTS,
    *webhooks.ENDPOINTS,
)
SURFACES = (otlp.SURFACE, Surface(ENDPOINTS))
