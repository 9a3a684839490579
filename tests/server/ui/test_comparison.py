# SPDX-License-Identifier: Apache-2.0
"""Numbers of two versions beside each other say how many they are of."""

from __future__ import annotations

from typing import Any

from gitprompt.core.publication import Version
from gitprompt.server.ui.comparison import Compared, VersionStep, side_by_side
from gitprompt.store.tables.rollups import VersionStatistics


def statistics(calls: int, errors: int = 0, **fields: Any) -> VersionStatistics:
    values = {
        "prompt_name": "p", "version_tag": "1", "calls": calls, "errors": errors,
        "error_rate": errors / calls if calls else 0.0, "tokens_in": 10 * calls, "tokens_out": calls,
        "tokens_cached": 0, "cost_usd": None, "unpriced": calls, "latency_p50_ms": None,
        "latency_p95_ms": None, "scores": 0, "mean_score": None, "scores_by_suite": {},
        "scores_by_name": {}, **fields,
    }  # fmt: skip
    return VersionStatistics(**values)


def rows(old: VersionStatistics | None, new: VersionStatistics | None) -> dict[str, Compared]:
    return {row.name: row for row in side_by_side(old, new)}


def test_a_rate_changes_by_points_and_a_time_by_a_share() -> None:
    found = rows(
        statistics(98_001, 304, latency_p95_ms=1_180, cost_usd=40.18, unpriced=0),
        statistics(11_640, 14, latency_p95_ms=640, cost_usd=3.96, unpriced=0),
    )
    assert found["calls"][1:3] == ("98,001", "11,640")
    assert found["error rate"][1:] == ("0.31 %", "0.12 %", "−0.19 pp", False)
    assert found["p95"][1:] == ("1,180 ms", "640 ms", "−46 %", False)
    assert found["cost a call"][1:4] == ("$0.00041", "$0.00034", "−17 %")
    assert found["tokens in a call"][1:3] == ("10", "10")


def test_few_calls_are_said_and_nothing_is_a_dash() -> None:
    found = rows(None, statistics(7, 1))
    assert found["calls"][1:3] == ("–", "7")
    assert found["error rate"] == Compared("error rate", "–", "14 %", "", True)
    assert found["cost a call"][1:4] == ("–", "–", "")
    assert rows(None, None)["p50"].before == "–"


def test_scores_have_how_many_they_are_means_of() -> None:
    tone: Any = {"scores_by_suite": {"tone": {"scores": 120, "mean": 0.83}}}
    better: Any = {
        "scores_by_suite": {"tone": {"scores": 40, "mean": 0.91}},
        "scores_by_name": {"liked": {"scores": 3, "mean": 1.0}},
    }
    found = rows(statistics(50, **tone), statistics(50, **better))
    assert found["tone (n)"] == Compared("tone (n)", "0.83 (120)", "0.91 (40)", "+0.08", False)
    assert found["liked (n)"] == Compared("liked (n)", "–", "1 (3)", "", True)


def test_a_number_that_says_less_than_the_changes_deserve() -> None:
    version = Version("p", "1", "", None, "", 0, "", "")
    plain = VersionStep(version, version, [], [], [], "minor", "patch", [])
    assert plain.is_short
    assert not plain._replace(published="major").is_short
    assert not plain._replace(published=None).is_short
    assert not plain._replace(deserved=None).is_short
