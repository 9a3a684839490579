# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics: of the sidecar, and of any Python program that calls models.

A program records with the functions of this module, or publishes events on an `EventBus`, or wraps
its calls; an `Exporter` serves what was recorded. All of it ends in one `Metrics`, `METRICS` where
no other is given. docs/metrics.md tells the whole story.
"""

from __future__ import annotations

from functools import partial

from prometheus_client import ProcessCollector

from gitprompt.metrics import instruments
from gitprompt.metrics.bus import (
    Event,
    EventBus,
    MetricsListener,
    PipelineEnded,
    PipelineStarted,
    ProviderCallEnded,
    StageEnded,
    ToolCallEnded,
    ValidationEnded,
)
from gitprompt.metrics.clean import OTHER
from gitprompt.metrics.exporter import Exporter
from gitprompt.metrics.exposition import Collector, Registry
from gitprompt.metrics.instruments import Instrument
from gitprompt.metrics.recorder import METRICS, Calls, Metrics, Status
from gitprompt.metrics.sidecar import SidecarMetrics

__all__ = [
    "METRICS",
    "OTHER",
    "Calls",
    "Collector",
    "Event",
    "EventBus",
    "Exporter",
    "Instrument",
    "Metrics",
    "MetricsListener",
    "PipelineEnded",
    "PipelineStarted",
    "ProviderCallEnded",
    "Registry",
    "SidecarMetrics",
    "StageEnded",
    "Status",
    "ToolCallEnded",
    "ValidationEnded",
    "pipeline",
    "process_collectors",
    "provider_call",
    "record_pipeline_end",
    "record_pipeline_start",
    "record_provider_cost",
    "record_provider_request",
    "record_provider_tokens",
    "record_stage_duration",
    "record_stage_element",
    "record_tool_call",
    "record_validation",
    "stage",
    "tool_call",
    "validator",
]


def process_collectors() -> list[Collector]:
    """Memory, processor time and open files of this process: `process_*`, where Linux tells them."""
    return [ProcessCollector(registry=None)]


record_pipeline_start = METRICS.record_pipeline_start
record_pipeline_end = METRICS.record_pipeline_end
record_stage_duration = METRICS.record_stage_duration
record_stage_element = METRICS.record_stage_element
record_provider_request = METRICS.record_provider_request
record_provider_tokens = METRICS.record_provider_tokens
record_provider_cost = METRICS.record_provider_cost
record_tool_call = METRICS.record_tool_call
record_validation = METRICS.record_validation

pipeline = partial(instruments.Pipeline, METRICS)
stage = partial(instruments.Stage, METRICS)
provider_call = partial(instruments.ProviderCall, METRICS)
tool_call = partial(instruments.ToolCall, METRICS)
validator = partial(instruments.Validator, METRICS)
