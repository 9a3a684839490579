# SPDX-License-Identifier: Apache-2.0
"""The numbers behind the metrics, and how they become prometheus_client's families.

They are ours because a model's call touches six series: one lock and six additions cost a quarter
of six calls of the client library, each with a lock of its own (docs/adr/0009).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.utils import floatToGoString

from gitprompt.metrics.families import Family

Labels = tuple[str, ...]


class Cell:
    """One series of a counter or gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0.0


class Histogram:
    """One series of a histogram: counts by bucket (not cumulative), the sum, and for each bucket the
    trace of its latest observation."""

    __slots__ = ("bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, tuple[str, float, float]] = {}  # trace, value, Unix time

    def observe(self, value: float, trace_id: str | None = None) -> None:
        at = bisect_left(self.bounds, value)
        self.counts[at] += 1
        self.sum += value
        if trace_id is not None:
            self.exemplars[at] = trace_id, value, time.time()

    def copy(self) -> Histogram:
        copy = Histogram(self.bounds)
        copy.counts = self.counts.copy()
        copy.sum = self.sum
        copy.exemplars = self.exemplars.copy()
        return copy


class Series:
    """The series of one family. Not locked: who uses it holds the lock of its `Metrics`."""

    def __init__(self, family: Family, bounds: Sequence[float]) -> None:
        self.family = family
        self.bounds = tuple(float(bound) for bound in bounds)
        self._les = [str(floatToGoString(bound)) for bound in (*self.bounds, float("inf"))]  # type: ignore[no-untyped-call]
        self.cells: dict[Labels, Cell] = {}
        self.histograms: dict[Labels, Histogram] = {}
        if not family.labels:
            self.histogram() if family.kind == "histogram" else self.cell()

    def cell(self, *labels: str) -> Cell:
        """The series with these labels, at 0 if it is new."""
        cell = self.cells.get(labels)
        if cell is None:
            cell = self.cells[labels] = Cell()
        return cell

    def histogram(self, *labels: str) -> Histogram:
        """The histogram with these labels, empty if it is new."""
        histogram = self.histograms.get(labels)
        if histogram is None:
            histogram = self.histograms[labels] = Histogram(self.bounds)
        return histogram

    def copies(self) -> list[tuple[Labels, float | Histogram]]:
        """What there is now."""
        if self.family.kind == "histogram":
            return [(labels, one.copy()) for labels, one in self.histograms.items()]
        return [(labels, one.value) for labels, one in self.cells.items()]

    def metrics(
        self, name: str, copies: Sequence[tuple[Labels, float | Histogram]], size: int
    ) -> Iterator[Metric]:
        """The family as the client library has it, in parts of so many series."""
        for at in range(0, max(len(copies), 1), size):
            yield self._metric(name, copies[at : at + size])

    def _metric(self, name: str, copies: Sequence[tuple[Labels, float | Histogram]]) -> Metric:
        family = self.family
        if family.kind == "histogram":
            metric = HistogramMetricFamily(name, family.about, labels=family.labels)
            for labels, one in copies:
                assert isinstance(one, Histogram)
                counts = zip(self._les, accumulate(one.counts), strict=True)
                buckets = [
                    _bucket(le, count, one.exemplars.get(at))
                    for at, (le, count) in enumerate(counts)
                ]
                metric.add_metric(labels, buckets, one.sum)
            return metric
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        plain = kind(name, family.about, labels=family.labels)
        for labels, value in copies:
            assert not isinstance(value, Histogram)
            plain.add_metric(labels, value)
        return plain


_Bucket = tuple[str, float] | tuple[str, float, Exemplar]


def _bucket(le: str, count: int, exemplar: tuple[str, float, float] | None) -> _Bucket:
    if exemplar is None:
        return le, float(count)
    trace_id, value, when = exemplar
    return le, float(count), Exemplar({"trace_id": trace_id}, value, when)
