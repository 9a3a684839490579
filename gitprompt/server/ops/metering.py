# SPDX-License-Identifier: Apache-2.0
"""The sidecar's metrics: made from its settings, and what of them is looked up only when scraped."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar

from gitprompt import __version__, log, prices
from gitprompt.config import ServerSettings
from gitprompt.errors import UsageError
from gitprompt.metrics import SidecarMetrics, families
from gitprompt.metrics.http import split_address
from gitprompt.server.context import Context

Value = TypeVar("Value")
_FORMS = {
    "--metrics-buckets": "Such as tool_call_duration_seconds=1,10,60;eval_score=0.5,1",
    "--metrics-caps": "Such as model=300;prompt=500",
}
_LABELS = 5_000  # labels that are looked at; the cap on prompts leaves fewer


def make_metrics(settings: ServerSettings, driver: str) -> SidecarMetrics:
    """Raises UsageError for a setting that is wrong, and what `prices.load` raises."""
    table = prices.load(settings.prices)
    if table is not None and settings.prices == prices.SHIPPED:
        log.info("costs come from the table that ships with gitprompt", as_of=table.as_of)
    buckets = _pairs("--metrics-buckets", settings.metrics_buckets, _bounds)
    caps = _pairs("--metrics-caps", settings.metrics_caps, int)
    try:
        metrics = SidecarMetrics(
            namespace=settings.metrics_namespace,
            buckets=buckets,
            caps=caps,
            prices=table,
            run_expiry=settings.metrics_run_expiry,
        )
    except ValueError as error:
        raise UsageError(f"metrics: {error}") from None
    metrics.know_driver(driver)
    metrics.set_gauge(families.BUILD_INFO, 1, __version__)
    if wants_token(settings) and not settings.metrics_token:
        log.warning("scrapes need a key of all workspaces: GITPROMPT_METRICS_TOKEN is not set")
    return metrics


def _bounds(text: str) -> list[float]:
    return [float(bound) for bound in text.split(",")]


def _pairs(option: str, text: str, read: Callable[[str], Value]) -> dict[str, Value]:
    """name=value;name=value. Raises UsageError."""
    values: dict[str, Value] = {}
    for pair in filter(str.strip, text.split(";")):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name in values:
            raise UsageError(f"{option}: {name} appears twice")
        try:
            values[name] = read(value)
        except ValueError:
            raise UsageError(
                f"{option}: '{pair}' is not of the form name=value", hint=_FORMS[option]
            ) from None
    return values


def metrics_address(settings: ServerSettings) -> tuple[str, int]:
    """Where /metrics is served. Raises UsageError for what is no address."""
    if not settings.metrics_addr:
        return settings.host, settings.port
    try:
        host, port = split_address(settings.metrics_addr)
    except ValueError as error:
        raise UsageError(f"--metrics-addr: {error}") from None
    return host or "0.0.0.0", port  # noqa: S104 - that is what ":9090" asks for


def wants_token(settings: ServerSettings) -> bool:
    """Whether a scrape needs a token: if the setting says so, otherwise if there is one, and
    anywhere but on loopback; there, too, where a proxy lets others in."""
    if settings.metrics_auth != "auto":
        return settings.metrics_auth == "token"
    is_proxied = bool(settings.trusted_proxies or settings.root_path)
    if settings.metrics_token or (is_proxied and not settings.metrics_addr):
        return True
    host, _ = metrics_address(settings)
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


class Gauges:
    """Brings up to date what is not counted as it happens. What the index says is read again only
    when the index has changed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._generation = -1

    def refresh(self) -> None:
        context, metrics = self._context, self._context.metrics
        generation = context.workspaces.generation
        if self._generation != generation:
            try:
                self._read_index()
                self._generation = generation
            except Exception as error:  # the last numbers stay; a sync that fails is counted
                log.error("the index cannot be read for its metrics", error=str(error))
        states = [context.workspaces.state(name) for name in context.workspaces.names]
        last = min((state.last_success or 0 for state in states), default=int(time.time()))
        metrics.set_gauge(families.INDEX_LAST_SUCCESS, last)
        metrics.set_gauge(families.INGEST_QUEUE, context.database.writer.waiting)
        metrics.set_gauge(families.DB_SIZE, context.index.size(), "index")
        metrics.set_gauge(families.DB_SIZE, context.database.size(), "telemetry")

    def _read_index(self) -> None:
        metrics, index = self._context.metrics, self._context.index
        counts = index.counts()
        metrics.set_gauge(families.INDEX_VERSIONS, counts.versions)
        metrics.set_gauge(families.REJECTED_REFS, counts.rejected)
        metrics.set_gauge(families.MOVED_TAGS, counts.tampered)
        metrics.set_label_versions(index.labelled_versions(_LABELS))
