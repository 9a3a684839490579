# SPDX-License-Identifier: Apache-2.0
"""Points of custom metrics, and their steps."""

from __future__ import annotations

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables import points
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.points import Aggregate, NewPoints, PointRow, Step, Steps
from gitprompt.store.tables.rows import Condition


def store(database: Database, *values: tuple[int, float], name: str = "m") -> int:
    """Points of (milliseconds, value)."""
    rows = [PointRow("default", name, value, "gauge", "{}", None, None, at) for at, value in values]
    return database.write_now(NewPoints(rows, Actor("default", "t").did("metric:create", 1)))


def steps(database: Database, aggregate: Aggregate, step: int = 1_000) -> list[Step]:
    conditions = [Condition("workspace", "default"), Condition("name", "m")]
    return database.read_now(Steps(conditions, step, aggregate))


def test_points_that_wait_together_each_tell_their_number(database: Database) -> None:
    assert store(database, (1, 1.0), (2, 2.0)) == 2
    assert store(database, (3, 1.0)) == 1


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("avg", 2.0), ("sum", 6.0), ("min", 1.0), ("max", 3.0), ("count", 3.0), ("last", 2.0)],
)
def test_the_points_of_a_step_are_one_value(
    database: Database, aggregate: Aggregate, expected: float
) -> None:
    store(database, (1_900, 2.0), (1_000, 3.0), (1_500, 1.0), (2_000, 9.0))
    first, second = steps(database, aggregate)
    assert first == Step(1_000, expected, 3)
    assert type(first.value) is float
    assert second == Step(2_000, 1.0 if aggregate == "count" else 9.0, 1)


def test_of_two_points_at_one_moment_the_last_is_what_came_last(database: Database) -> None:
    store(database, (1_000, 1.0), (1_000, 5.0))
    store(database, (1_000, 3.0))
    assert steps(database, "last") == [Step(1_000, 3.0, 3)]


def test_steps_are_of_the_points_that_meet_all_conditions(database: Database) -> None:
    store(database, (1_000, 1.0), name="other")
    store(database, (500, 1.0), (1_500, 2.0), (2_500, 4.0))
    conditions = [
        Condition("workspace", "default"), Condition("name", "m"),
        Condition("timestamp", 1_000, ">="), Condition("timestamp", 2_000, "<"),
    ]  # fmt: skip
    assert database.read_now(Steps(conditions, 1_000, "sum")) == [Step(1_000, 2.0, 1)]


def test_no_more_steps_than_a_page_holds_come_oldest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "MAX_STEPS", 2)
    store(database, (3, 3.0), (1, 1.0), (2, 2.0))
    assert [step.timestamp for step in steps(database, "sum", 1)] == [1, 2]
