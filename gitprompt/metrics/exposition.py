# SPDX-License-Identifier: Apache-2.0
"""What a scrape gets: the registry's families, encoded part by part by the client library.

A thousand samples take 15 ms to encode, which an event loop must not wait for: `encode` gives them
in parts, and whoever serves them lets others run in between. What cannot be collected or encoded is
left out and told once; the rest is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Sample

from gitprompt import log

_OPENMETRICS = "application/openmetrics-text"
_SAMPLES = 60  # of a collector that is not ours, to one part
_EOF = b"# EOF\n"


Encoder = Callable[[CollectorRegistry], bytes]


class Collector(Protocol):
    """What the client library calls a collector."""

    def collect(self) -> Iterable[Metric]: ...


@runtime_checkable
class PartedCollector(Protocol):
    """A collector that hands its families out in parts."""

    def collect(self) -> Iterable[Metric]: ...

    def parts(self) -> Iterable[Metric]:
        """Families, some of them several times in a row with further samples."""
        ...


class _Guarded:
    """A collector that cannot break a scrape, and that keeps no `_created` series."""

    def __init__(self, collector: Collector) -> None:
        if not hasattr(collector, "collect"):
            raise TypeError(f"{collector!r} is no collector")
        self._collector = collector
        self._is_logged = False
        describe = getattr(collector, "describe", None) or collector.collect
        try:
            self._described = [_with(metric, ()) for metric in describe()]
        except Exception:
            self._log()
            self._described = []

    def describe(self) -> Sequence[Metric]:
        return self._described

    def collect(self) -> Iterator[Metric]:
        """Whole families, for the client library's own encoders."""
        return self._guarded(self._whole)

    def encoded(self, encoder: Encoder) -> Iterator[tuple[str, bytes]]:
        """Each part with the name of its family; one that cannot be encoded is left out."""
        for metric in self._guarded(self._parts):
            try:
                yield metric.name, encoder(_One(metric))
            except Exception:
                self._log()

    def _guarded(self, collect: Callable[[], Iterable[Metric]]) -> Iterator[Metric]:
        try:
            yield from collect()
        except Exception:
            self._log()

    def _whole(self) -> list[Metric]:
        return [
            _with(metric, [one for one in metric.samples if not _is_created(metric, one)])
            for metric in self._collector.collect()
        ]

    def _parts(self) -> Iterator[Metric]:
        if isinstance(self._collector, PartedCollector):
            yield from self._collector.parts()
            return
        for metric in self._whole():
            for at in range(0, max(len(metric.samples), 1), _SAMPLES):
                yield _with(metric, metric.samples[at : at + _SAMPLES])

    def _log(self) -> None:
        """Log the exception that is being handled, the first time."""
        if not self._is_logged:
            self._is_logged = True
            name = type(self._collector).__name__
            log.error("a collector of metrics is left out", exc_info=True, collector=name)


def _is_created(metric: Metric, sample: Sample) -> bool:
    """Whether a sample says since when a series is there: one more for each, which nobody asks."""
    kinds = ("counter", "histogram", "summary")
    return metric.type in kinds and sample.name == f"{metric.name}_created"


def _with(metric: Metric, samples: Sequence[Sample]) -> Metric:
    """The same family with other samples."""
    copy = Metric(metric.name, metric.documentation, metric.type, metric.unit)
    copy.samples = list(samples)
    return copy


class _One(CollectorRegistry):
    """A registry with one part of one family, for an encoder."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class Registry(CollectorRegistry):
    """A registry of the client library's whose collectors cannot break a scrape."""

    def __init__(self) -> None:
        super().__init__()
        self._guards: dict[int, _Guarded] = {}

    def register(self, collector: Collector) -> None:
        """Raises ValueError if one of its names is taken."""
        guarded = _Guarded(collector)
        super().register(guarded)
        self._guards[id(collector)] = guarded

    def unregister(self, collector: Collector) -> None:
        """Raises KeyError if it is not registered."""
        super().unregister(self._guards[id(collector)])
        del self._guards[id(collector)]

    def encoded(self, encoder: Encoder) -> Iterator[tuple[str, bytes]]:
        """Parts of all families, each with the name of its family."""
        for guarded in list(self._guards.values()):
            yield from guarded.encoded(encoder)


class Exposition(NamedTuple):
    """`body` is made while it is read, a part at a time."""

    content_type: str
    body: Iterator[bytes]


def expose(registry: Registry, accept: str) -> Exposition:
    """OpenMetrics where `accept` (the header) names it, else the text format 0.0.4."""
    wants = any(kind.split(";")[0].strip() == _OPENMETRICS for kind in accept.split(","))
    encoder, content_type = choose_encoder(f"{_OPENMETRICS}; version=1.0.0" if wants else "")

    def body() -> Iterator[bytes]:
        last = ""
        for name, encoded in registry.encoded(encoder):
            part = encoded.removesuffix(_EOF)
            yield _without_head(part) if name == last else part
            last = name
        if wants:
            yield _EOF

    return Exposition(content_type, body())


def _without_head(encoded: bytes) -> bytes:
    """A further part of a family does not say again what the family is."""
    at = 0
    while encoded.startswith(b"# ", at):
        at = encoded.index(b"\n", at) + 1
    return encoded[at:]
