# SPDX-License-Identifier: Apache-2.0
"""Numbers as lines: the points of an SVG, which a template draws, and says in words what is in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WIDTH, _HEIGHT = 640.0, 160.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 8.0, 8.0, 22.0


class Line(NamedTuple):
    """`points` is what a polyline takes; `dots` are its (x, y), for what is too short for a line. `style` is
    the number of a class: lines differ in colour and in dashes."""

    name: str
    style: int
    points: str
    dots: Sequence[tuple[float, float]]


class Tick(NamedTuple):
    at: float
    text: str


class Chart(NamedTuple):
    width: float
    height: float
    left: float
    bottom: float
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    marks: Sequence[Tick]
    grid: Sequence[Tick]
    levels: Sequence[Tick]


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    horizontal: Sequence[tuple[float, str]],
    vertical: Sequence[tuple[float, str]],
    marks: Sequence[tuple[float, str]] = (),
    levels: Sequence[tuple[float, str]] = (),
) -> Chart:
    """(x, y) of each series. `horizontal` and `vertical` are ticks with their texts, and span the chart;
    `marks` are moments, `levels` heights that a line is drawn at."""
    left, right = horizontal[0][0], horizontal[-1][0]
    low, high = vertical[0][0], vertical[-1][0]

    def x(value: float) -> float:
        return round(_LEFT + (value - left) / ((right - left) or 1) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        share = (value - low) / ((high - low) or 1)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    drawn = []
    for at, (name, points) in enumerate(series.items()):
        places = [(x(across), y(up)) for across, up in points]
        drawn.append(Line(name, at % 6, " ".join(f"{a},{b}" for a, b in places), places))
    return Chart(
        _WIDTH,
        _HEIGHT,
        _LEFT,
        _HEIGHT - _BOTTOM,
        drawn,
        [Tick(x(at), text) for at, text in horizontal],
        [Tick(x(at), text) for at, text in marks if left <= at <= right],
        [Tick(y(at), text) for at, text in vertical],
        [Tick(y(at), text) for at, text in levels],
    )


def ceiling(values: Sequence[float]) -> float:
    """A round number that is not below any of the values: 1, 2 or 5 of some power of ten."""
    most = max(values, default=0)
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next((power * step for step in (1, 2, 5, 10) if power * step >= most), most)
