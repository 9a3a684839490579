# SPDX-License-Identifier: Apache-2.0
"""Points of a chart are inside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.server.ui.looks import charts

VALUES = st.lists(st.floats(0, 1e9), min_size=1, max_size=20)


@given(VALUES)
def test_every_point_is_inside(values: list[float]) -> None:
    top = charts.ceiling(values)
    assert top >= max(values)
    points = list(enumerate(values))
    chart = charts.lines(
        {"a": points}, horizontal=[(0, "0"), (len(values), "n")], vertical=[(0, "0"), (top, "t")],
        marks=[(-5, "before"), (0, "first")], levels=[(top / 2, "half")],
    )  # fmt: skip
    (line,) = chart.lines
    assert all(chart.left <= x <= chart.width and 0 <= y <= chart.bottom for x, y in line.dots)
    assert [mark.text for mark in chart.marks] == ["first"]
    assert len(line.points.split()) == len(values)
    (level,) = chart.levels
    assert 0 <= level.at <= chart.bottom


@pytest.mark.parametrize(
    ("values", "top"),
    [([], 1), ([0], 1), ([3], 5), ([10], 10), ([11], 20), ([0.03], 0.05), ([999], 1_000)],
)
def test_a_ceiling_is_a_round_number(values: list[float], top: float) -> None:
    assert charts.ceiling(values) == pytest.approx(top)


def test_one_moment_and_one_value_are_a_chart_too() -> None:
    chart = charts.lines({"a": [(1, 1)]}, horizontal=[(1, "x")], vertical=[(1, "y")])
    assert len(chart.lines[0].dots) == 1
