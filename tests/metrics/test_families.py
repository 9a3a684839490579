# SPDX-License-Identifier: Apache-2.0
"""The rows of all metrics: their names, units, labels and buckets keep what queries rely on."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from gitprompt.metrics import families
from gitprompt.metrics.families import APPLICATION, CAPS, FAMILIES, SERVER, Family

HISTOGRAMS = [family for family in FAMILIES if family.kind == "histogram"]


def name_of(family: Family) -> str:
    return family.name


def test_every_row_of_the_module_is_shown_by_somebody() -> None:
    rows = {row for row in vars(families).values() if isinstance(row, Family)}
    assert rows == {*APPLICATION, *SERVER}


def test_no_two_metrics_have_one_name() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_a_name_says_its_kind(family: Family) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_what_is_a_duration_is_a_histogram_in_seconds(family: Family) -> None:
    if "duration" in family.name:
        assert family.kind == "histogram"
        assert family.name.endswith("_duration_seconds")


@pytest.mark.parametrize("family", HISTOGRAMS, ids=name_of)
def test_buckets_ascend_and_leave_the_last_to_infinity(family: Family) -> None:
    assert all(low < high for low, high in itertools.pairwise(family.buckets))
    assert all(math.isfinite(bound) for bound in family.buckets)


def test_a_histogram_alone_has_buckets() -> None:
    assert [family for family in FAMILIES if family.buckets] == HISTOGRAMS


@pytest.mark.parametrize(
    ("family", "promised"),
    [
        (families.HTTP_DURATION, {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60}),
        (families.INGEST_COMMIT, {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}),
        (families.SYNC_DURATION, {0.001, 0.01, 0.1, 1, 10, 60, 120}),
    ],
)
def test_a_bound_of_the_sidecar_that_was_shown_once_stays(
    family: Family, promised: set[float]
) -> None:
    assert promised <= set(family.buckets)


@pytest.mark.parametrize("label", sorted(CAPS))
def test_a_cap_is_of_a_label_that_some_metric_has(label: str) -> None:
    assert any(label in family.labels for family in FAMILIES)


@pytest.mark.parametrize("family", APPLICATION, ids=name_of)
def test_a_program_cannot_choose_the_values_of_a_label_without_a_cap(family: Family) -> None:
    fixed = {"status", "type", "name"}  # values of ours
    typed = {"stage_type": "stage", "validator_type": "validator"}  # capped with their names
    assert {typed.get(label, label) for label in family.labels} - fixed <= CAPS.keys()


def test_what_a_metric_is_about_is_a_sentence_of_its_own() -> None:
    abouts = [family.about for family in FAMILIES]
    assert len(set(abouts)) == len(abouts)
    assert all(re.match(r"[A-Z1].*\.\Z", about) for about in abouts)
