# SPDX-License-Identifier: Apache-2.0
"""What a scrape gets: the registry's families, encoded part by part by the client library.

A thousand samples take 15 ms to encode, which an event loop must not wait for: `encode` gives them
in parts, and whoever serves them lets others run in between. What cannot be collected or encoded is
left out and told once; the rest is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from gitprompt import log

_OPENMETRICS = "application/openmetrics-text"
_SAMPLES = 60  # of a collector that is not ours, to one part
_EOF = b"# EOF\n"


class Collector(Protocol):
    """What the client library calls a collector."""

    def collect(self) -> Iterable[Metric]: ...


class _Guarded:
    """A collector that cannot break a scrape, and that keeps no `_created` series."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._told = False
        describe = getattr(collector, "describe", None) or collector.collect
        try:
            self._described = [_nameless(metric) for metric in describe()]
        except Exception:
            self.tell()
            self._described = []

    def describe(self) -> Sequence[Metric]:
        return self._described

    def collect(self) -> Iterator[Metric]:
        return self._guarded()

    def parts(self) -> Iterator[Metric]:
        parts = getattr(self.collector, "parts", None)
        return parts() if parts else self._guarded(_SAMPLES)

    def _guarded(self, size: int | None = None) -> Iterator[Metric]:
        try:
            metrics = list(self.collector.collect())
        except Exception:
            self.tell()
            return
        for metric in metrics:
            samples = [one for one in metric.samples if not one.name.endswith("_created")]
            step = size or max(len(samples), 1)
            for at in range(0, max(len(samples), 1), step):
                part = _nameless(metric)
                part.samples = samples[at : at + step]
                yield part

    def tell(self) -> None:
        """Log the exception that is being handled, the first time."""
        if not self._told:
            self._told = True
            name = type(self.collector).__name__
            log.error("a collector of metrics is left out", exc_info=True, collector=name)


def _nameless(metric: Metric) -> Metric:
    """The family without its samples."""
    return Metric(metric.name, metric.documentation, metric.type, metric.unit)


class Registry(CollectorRegistry):
    """A registry of the client library's whose collectors cannot break a scrape."""

    def __init__(self) -> None:
        super().__init__()
        self._guards: dict[int, _Guarded] = {}

    def register(self, collector: Collector) -> None:
        """Raises ValueError where one of its names is taken."""
        guarded = _Guarded(collector)
        super().register(guarded)
        self._guards[id(collector)] = guarded

    def unregister(self, collector: Collector) -> None:
        """Raises KeyError where it is not registered."""
        super().unregister(self._guards[id(collector)])
        del self._guards[id(collector)]

    def parts(self) -> Iterator[tuple[_Guarded, Metric]]:
        for guarded in list(self._guards.values()):
            for metric in guarded.parts():
                yield guarded, metric


class Exposition(NamedTuple):
    """`body` is made while it is read, a part at a time."""

    content_type: str
    body: Iterator[bytes]


class _One:
    """A registry with one part of one family."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def expose(registry: Registry, accept: str) -> Exposition:
    """OpenMetrics where `accept` (the header) names it, else the text format 0.0.4."""
    wants = any(kind.split(";")[0].strip() == _OPENMETRICS for kind in accept.split(","))
    encoder, content_type = choose_encoder(f"{_OPENMETRICS}; version=1.0.0" if wants else "")

    def body() -> Iterator[bytes]:
        name = ""
        for guarded, metric in registry.parts():
            try:
                encoded = encoder(_One(metric))
            except (UnicodeError, ValueError, TypeError, AttributeError):
                guarded.tell()
                continue
            if wants:
                encoded = encoded.removesuffix(_EOF)
            if metric.name == name:
                encoded = _without_head(encoded)
            name = metric.name
            yield encoded
        if wants:
            yield _EOF

    return Exposition(content_type, body())


def _without_head(encoded: bytes) -> bytes:
    """A further part of a family does not say again what the family is."""
    at = 0
    while encoded.startswith(b"# ", at):
        at = encoded.index(b"\n", at) + 1
    return encoded[at:]
