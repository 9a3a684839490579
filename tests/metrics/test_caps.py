# SPDX-License-Identifier: Apache-2.0
"""Caps: the first values of a label keep their names, the rest is 'other' and counted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.metrics import families
from gitprompt.metrics.caps import Caps, check_buckets, check_caps
from gitprompt.metrics.clean import OTHER
from gitprompt.metrics.series import Series


@pytest.fixture
def overflow() -> Series:
    return Series(families.LABEL_OVERFLOW, ())


def overflows(series: Series, label: str) -> float:
    return series.cell(label).value


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(1, 6))
def test_the_first_so_many_keep_their_names_and_the_rest_is_counted(
    tools: list[str], cap: int
) -> None:
    series = Series(families.LABEL_OVERFLOW, ())
    caps = Caps({"tool": cap}, series)
    kept = list(dict.fromkeys(tools))[:cap]
    assert [caps.capped("tool", tool) for tool in tools] == [
        tool if tool in kept else OTHER for tool in tools
    ]
    assert overflows(series, "tool") == sum(tool not in kept for tool in tools)


def test_a_cap_that_is_not_given_is_the_usual_one(overflow: Series) -> None:
    caps = Caps({"tool": 1}, overflow)
    usual = families.CAPS["provider"]
    admitted = [caps.admit("provider", f"p{number}") for number in range(usual + 1)]
    assert admitted == [True] * usual + [False]


def test_labels_do_not_take_each_others_places(overflow: Series) -> None:
    caps = Caps({"tool": 1, "suite": 1}, overflow)
    assert caps.admit("tool", "a")
    assert caps.admit("suite", "b")
    assert not caps.knows("suite", "a")


def test_what_is_refused_is_not_known_later(overflow: Series) -> None:
    caps = Caps({"model": 1}, overflow)
    caps.admit("model", ("p", "first"))
    assert not caps.admit("model", ("p", "second"))
    assert caps.knows("model", ("p", "first"))
    assert not caps.knows("model", ("p", "second"))


def test_a_refusal_counts_for_so_many_recordings(overflow: Series) -> None:
    caps = Caps({"tool": 1}, overflow)
    caps.admit("tool", "a", number=9)
    assert overflows(overflow, "tool") == 0
    caps.admit("tool", "b", number=7)
    caps.admit("tool", "b", number=0)
    assert overflows(overflow, "tool") == 7


def test_the_name_other_takes_no_place(overflow: Series) -> None:
    caps = Caps({"tool": 1}, overflow)
    assert caps.capped("tool", OTHER) == OTHER
    assert caps.capped("tool", "mine") == "mine"
    assert overflows(overflow, "tool") == 0


def test_a_name_may_have_types_until_there_are_twice_as_many_pairs(overflow: Series) -> None:
    caps = Caps({"stage": 2}, overflow)
    asked = ["a:1", "a:2", "a:3", "b:1", "a:4", "b:2", "c:1", "a:3"]
    told = [":".join(caps.typed("stage", *pair.split(":"))) for pair in asked]
    assert told == ["a:1", "a:2", "a:3", "b:1", "a:other", "b:other", "other:other", "a:3"]
    assert overflows(overflow, "stage") == 3


@pytest.mark.parametrize(("cap", "admitted", "is_half"), [(4, 1, False), (4, 2, True), (1, 0, False), (3, 1, False), (3, 2, True)])  # fmt: skip
def test_a_label_is_half_full_at_half_of_its_cap(
    overflow: Series, cap: int, admitted: int, is_half: bool
) -> None:
    caps = Caps({"provider": cap}, overflow)
    for number in range(admitted):
        caps.admit("provider", f"p{number}")
    assert caps.is_half_full("provider") == is_half


def test_every_capped_label_has_its_overflow_at_0_from_the_start(overflow: Series) -> None:
    Caps({}, overflow)
    assert dict(overflow.copies()) == {(label,): 0.0 for label in families.CAPS}


@pytest.mark.parametrize("cap", [-1, 0, 100_001])
def test_a_cap_that_is_not_sane_names_its_label(cap: int) -> None:
    with pytest.raises(ValueError, match="model: a cap must be between 1 and 100000"):
        check_caps({"tool": 5, "model": cap})


def test_the_smallest_and_the_largest_cap_are_taken() -> None:
    assert check_caps({"tool": 1, "model": 100_000}) == {"tool": 1, "model": 100_000}


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ([1, math.inf], "finite"),
        ([-math.inf, 1], "finite"),
        ([2, 1], "ascend"),
        ([0, 1, 1], "ascend"),
    ],
)
def test_bounds_that_cannot_be_name_their_histogram(bounds: Sequence[float], says: str) -> None:
    with pytest.raises(ValueError, match=f"tool_call_duration_seconds: .*{says}"):
        check_buckets({"eval_score": [0.5], "tool_call_duration_seconds": bounds})


def test_what_is_no_histogram_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"'db_size_bytes' is no histogram.* eval_score.* sync_"):
        check_buckets({"db_size_bytes": [1]})
