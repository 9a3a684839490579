# SPDX-License-Identifier: Apache-2.0
"""Series: cells and histograms by their labels, and what the client library gets of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client import Metric

from gitprompt.metrics.families import Family
from gitprompt.metrics.series import Histogram, Series

COUNTER = Family("calls_total", "counter", "Calls.", ("tool",))
GAUGE = Family("running", "gauge", "What runs.")
HISTOGRAM = Family("wait_seconds", "histogram", "Waits.", ("tool",), (1, 2.5))


def whole(series: Series) -> Metric:
    (metric,) = series.metrics(series.family.name, series.copies(), 1_000)
    return metric


def values(metric: Metric) -> list[tuple[Any, ...]]:
    return [(sample.name, *sample.labels.values(), sample.value) for sample in metric.samples]


def test_the_same_labels_are_the_same_series() -> None:
    series = Series(COUNTER, ())
    series.cell("a").value += 2
    series.cell("b")
    series.cell("a").value += 3
    assert series.copies() == [(("a",), 5.0), (("b",), 0.0)]


def test_a_family_without_labels_is_at_0_before_anything_happens() -> None:
    assert Series(GAUGE, ()).copies() == [((), 0.0)]
    assert Series(COUNTER, ()).copies() == []


def test_a_histogram_without_labels_is_empty_before_anything_happens() -> None:
    series = Series(HISTOGRAM._replace(labels=()), (1,))
    assert values(whole(series))[-2:] == [("wait_seconds_count", 0.0), ("wait_seconds_sum", 0.0)]


@pytest.mark.parametrize(
    ("value", "counts"), [(0.5, [1, 0, 0]), (1, [1, 0, 0]), (1.001, [0, 1, 0]), (3, [0, 0, 1])]
)
def test_an_observation_at_a_bound_belongs_below_it(value: float, counts: list[int]) -> None:
    histogram = Histogram((1, 2.5))
    histogram.observe(value)
    assert (histogram.counts, histogram.sum) == (counts, value)


def test_buckets_are_told_cumulatively() -> None:
    series = Series(HISTOGRAM, HISTOGRAM.buckets)
    for seconds in (0.5, 2, 2, 9):
        series.histogram("t").observe(seconds)
    assert values(whole(series)) == [
        ("wait_seconds_bucket", "t", "1.0", 1.0),
        ("wait_seconds_bucket", "t", "2.5", 3.0),
        ("wait_seconds_bucket", "t", "+Inf", 4.0),
        ("wait_seconds_count", "t", 4.0),
        ("wait_seconds_sum", "t", 13.5),
    ]


def test_a_bucket_keeps_the_trace_of_its_latest_observation() -> None:
    series = Series(HISTOGRAM, HISTOGRAM.buckets)
    begin = time.time()
    for seconds, trace in ((0.1, "first"), (0.2, "second"), (0.3, None), (9, "slow")):
        series.histogram("t").observe(seconds, trace)
    exemplars = [sample.exemplar for sample in whole(series).samples if sample.exemplar]
    assert [(one.labels["trace_id"], one.value) for one in exemplars] == [
        ("second", 0.2),
        ("slow", 9),
    ]
    assert all(begin <= float(one.timestamp or 0) <= time.time() for one in exemplars)


def test_a_copy_does_not_move_while_the_series_goes_on() -> None:
    series = Series(HISTOGRAM, HISTOGRAM.buckets)
    series.histogram("t").observe(1, "then")
    copies = series.copies()
    series.histogram("t").observe(1, "now")
    (metric,) = series.metrics("wait_seconds", copies, 10)
    assert values(metric)[-2:] == [("wait_seconds_count", "t", 1.0), ("wait_seconds_sum", "t", 1.0)]
    assert [sample.exemplar.labels for sample in metric.samples if sample.exemplar] == [
        {"trace_id": "then"}
    ]


@pytest.mark.parametrize(("size", "sizes"), [(2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_parts_have_so_many_series_and_all_of_them_once(size: int, sizes: list[int]) -> None:
    series = Series(COUNTER, ())
    for number in range(5):
        series.cell(f"t{number}").value = number
    parts = list(series.metrics("calls_total", series.copies(), size))
    assert [len(part.samples) for part in parts] == sizes
    assert [line for part in parts for line in values(part)] == values(whole(series))


def test_a_family_without_series_is_named_all_the_same() -> None:
    (metric,) = Series(COUNTER, ()).metrics("ns_calls_total", [], 4)
    assert (metric.name, metric.type, metric.documentation) == ("ns_calls", "counter", "Calls.")
    assert metric.samples == []
