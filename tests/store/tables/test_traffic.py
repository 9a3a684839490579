# SPDX-License-Identifier: Apache-2.0
"""What prompts do lately, held against the statistics of all versions."""

from __future__ import annotations

from typing import Any

from gitprompt.core.telemetry.usage import HOUR
from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.traffic import (
    Answering,
    AnsweringVersions,
    HoursOfVersions,
    PromptTraffic,
    TrafficOfPrompts,
)
from tests.store.stored import new_log

NOW = 100 * HOUR


def called(database: Database, prompt: str, version: str, *, at: int = NOW, **fields: Any) -> None:
    database.write_now(new_log(prompt_name=prompt, version_tag=version, created_at=at, **fields))


def test_the_versions_of_a_prompt_are_added_up_since_an_hour(database: Database) -> None:
    for version, ms in (("1.0.0", 10), ("1.0.1", 20), ("2.0.0", 900)):
        called(database, "a", version, latency_ms=ms, cost_usd=0.5, cost_nano=500_000_000)
    called(database, "a", "1.0.0", status="error")
    called(database, "a", "1.0.0", at=NOW - HOUR)
    called(database, "b", "1", latency_ms=7)
    called(database, "other", "1")
    found = database.read_now(TrafficOfPrompts("default", ["a", "b", "nobody"], NOW + 60))
    assert found == {"a": PromptTraffic(4, 1, 1.5, 900), "b": PromptTraffic(1, 0, None, 7)}
    before = database.read_now(TrafficOfPrompts("default", ["a"], NOW - 1))
    assert before["a"].calls == 5
    everything = database.read_now(StatisticsQuery("default", prompt_name="a"))
    assert before["a"].calls == sum(row.calls for row in everything)


def test_nothing_of_another_workspace_or_without_names(database: Database) -> None:
    called(database, "a", "1", workspace="else")
    assert database.read_now(TrafficOfPrompts("default", ["a"], 0)) == {}
    assert database.read_now(TrafficOfPrompts("default", [], 0)) == {}
    assert database.read_now(AnsweringVersions("default", ["a"], 0)) == {}


def test_which_versions_answer(database: Database) -> None:
    for version in ("1.4.2", "1.4.2", "1.3.0", ""):
        called(database, "welcome", version)
    called(database, "welcome", "1.2.0", at=NOW - 5 * HOUR)
    called(database, "triage", "2")
    found = database.read_now(AnsweringVersions("default", ["welcome", "triage"], NOW))
    assert found == {"welcome": {"": 1, "1.3.0": 1, "1.4.2": 2}, "triage": {"2": 1}}
    assert database.read_now(Answering("default", NOW)) == found
    assert database.read_now(Answering("other", NOW)) == {}


def test_the_hours_of_versions_in_order(database: Database) -> None:
    called(database, "a", "1", at=NOW)
    called(database, "a", "1", at=NOW + HOUR, status="error")
    called(database, "a", "2", at=NOW + HOUR)
    called(database, "a", "3", at=NOW + HOUR)
    rows = database.read_now(HoursOfVersions("default", "a", ["1", "2"], NOW))
    assert [tuple(row) for row in rows] == [("1", 100, 1, 0), ("1", 101, 1, 1), ("2", 101, 1, 0)]
    assert database.read_now(HoursOfVersions("default", "a", [], NOW)) == []
