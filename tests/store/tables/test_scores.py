# SPDX-License-Identifier: Apache-2.0
"""Scores of traces, spans, sessions and runs, and the results of suites among them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.errors import Conflict, NotFound
from gitprompt.store.database import Database
from gitprompt.store.tables import scores
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.retention import OldRows
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.scores import OneScore, ScoreDeletion, ScoreRow, StoredResult
from gitprompt.store.tables.traces import EnsuredTrace
from tests import databases
from tests.store.stored import (
    new_result,
    new_run,
    new_scores,
    new_suite,
    new_trace,
    statistics_of,
)

ACTOR = Actor("default", "test")
UUID = "550E8400-e29b-41d4-a716-446655440000"


def means(database: Database) -> dict[str, float]:
    """By name, of the only prompt version that has scores."""
    (row,) = statistics_of(database)
    return {name: mean["mean"] for name, mean in row.scores_by_name.items()}


def listed(database: Database, *conditions: Condition) -> list[ScoreRow]:
    rows, total, *_ = database.read_now(Part(scores.LISTING, "default", Window(99), conditions))
    assert total == len(rows)
    return [ScoreRow(*row[1:]) for row in rows]


# Results


def test_a_result_needs_a_suite_of_its_workspace(database: Database) -> None:
    suite = new_suite(database, workspace="other")
    with pytest.raises(NotFound, match="Evaluation not found"):
        database.write_now(new_result(suite))


def test_the_same_result_sent_twice_is_one(database: Database) -> None:
    suite = new_suite(database)
    first = database.write_now(new_result(suite, score_id="r"))
    again = database.write_now(new_result(suite, score_id="r"))
    assert again == StoredResult(first.id, False, 7_200)
    with pytest.raises(Conflict, match="Result r exists with other content"):
        database.write_now(new_result(suite, 0.6, score_id="r"))
    assert statistics_of(database)[0].scores == 1


def test_what_was_scored_is_what_the_trace_of_its_run_names(database: Database) -> None:
    suite = new_suite(database)
    database.write_now(new_trace("t", prompt="other"))
    database.write_now(new_run("run", trace_id="t"))
    database.write_now(new_result(suite, 0.25, run_id="run"))
    (row,) = statistics_of(database)
    assert (row.prompt_name, row.version_tag, row.mean_score) == ("other", "1", 0.25)


def test_a_score_is_optional_and_counts_only_if_it_is_there(database: Database) -> None:
    suite = new_suite(database)
    database.write_now(new_result(suite, None))
    assert statistics_of(database) == []
    database.write_now(new_result(suite, 1.0))
    assert statistics_of(database)[0].mean_score == 1.0


def test_results_are_listed_of_one_suite_newest_first(database: Database) -> None:
    suite, other = new_suite(database), new_suite(database, "other")
    stored = [database.write_now(new_result(one)).id for one in (suite, other, suite)]
    rows, total, *_ = database.read_now(
        Part(scores.LISTING, "default", Window(9), [Condition("suite", suite)])
    )
    assert (total, [row[0] for row in rows]) == (2, [stored[2], stored[0]])


# Scores of no suite


def test_the_same_id_again_takes_the_place(database: Database) -> None:
    database.write_now(new_trace(UUID))
    first = {"trace_id": UUID, "number": -1.0}
    (stored,) = database.write_now(new_scores(first))
    assert stored.is_new
    (again,) = database.write_now(new_scores(first, now=99_999))
    assert (again.is_new, again.row) == (False, stored.row)
    (other,) = database.write_now(new_scores({**first, "number": 3.0}, now=99_999))
    assert (other.is_new, other.row.number, other.row.created_at) == (True, 3.0, 7_200)
    assert means(database) == {"tone": 3.0}
    assert [row.number for row in listed(database)] == [3.0]


def test_a_score_of_a_suites_name_has_a_mean_of_its_own(database: Database) -> None:
    database.write_now(new_result(new_suite(database)))
    database.write_now(
        new_scores({"name": "q", "number": 9.0, "prompt_name": "p", "version_tag": "1"})
    )
    for _ in range(2):
        (row,) = statistics_of(database)
        assert (row.scores, row.mean_score) == (1, 0.5)
        assert row.scores_by_suite == {"q": {"scores": 1, "mean": 0.5}}
        assert row.scores_by_name == {"q": {"scores": 1, "mean": 9.0}}
        database.write_now(RollupRebuild(0))


@pytest.mark.parametrize("way", ["ensured", "new", "late"])
def test_a_score_may_come_before_its_trace_says_what_prompt_it_is_of(
    database: Database, way: str
) -> None:
    sent = UUID.replace("-", "").lower()
    database.write_now(new_scores({"trace_id": sent, "number": 0.5}))
    assert statistics_of(database)[0].prompt_name is None
    trace = new_trace(UUID)
    if way == "late":
        database.write_now(EnsuredTrace(*new_trace(UUID, prompt=None)))
    database.write_now(trace if way == "new" else EnsuredTrace(*trace))
    for _ in range(2):
        (row,) = statistics_of(database)
        assert (row.prompt_name, row.version_tag, means(database)) == ("p", "1", {"tone": 0.5})
        database.write_now(RollupRebuild(0))
    assert [one.prompt_name for one in listed(database)] == ["p"]


def test_a_score_of_a_run_is_of_the_prompt_of_its_trace(database: Database) -> None:
    database.write_now(new_trace(UUID))
    database.write_now(new_run("run", trace_id=UUID))
    database.write_now(new_scores({"run_id": "run", "number": 0.5}))
    assert statistics_of(database)[0].prompt_name == "p"


def test_a_trace_is_found_by_every_spelling_of_its_id(database: Database) -> None:
    database.write_now(new_scores({"trace_id": UUID, "text": "good", "type": "categorical"}))
    for spelling in (UUID, UUID.lower(), UUID.replace("-", "")):
        assert len(listed(database, Condition("trace_id", spelling, "spells"))) == 1
    assert listed(database, Condition("trace_id", "other", "spells")) == []


def test_a_deleted_score_counts_no_more(database: Database) -> None:
    database.write_now(new_scores({"session_id": "s", "number": 1.0}))
    deletion = ScoreDeletion("default", "s0", ACTOR.did("score:delete", 1))
    database.write_now(deletion)
    assert (statistics_of(database), database.read_now(OneScore("default", "s0"))) == ([], None)
    with pytest.raises(NotFound, match="Score not found"):
        database.write_now(deletion)


def test_old_scores_are_forgotten_and_stay_counted(database: Database) -> None:
    database.write_now(new_scores({"session_id": "s", "number": 1.0, "created_at": 10}))
    assert database.write_now(OldRows(100, 9)) == 1
    assert listed(database) == []
    assert statistics_of(database)[0].scores_by_name["tone"]["scores"] == 1


FIELDS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["tone", "user feedback"]),
        "number": st.none() | st.integers(-5, 5).map(float),
        "trace_id": st.none() | st.sampled_from(["t1", "t2"]),
        "score_id": st.sampled_from(["a", "b", "c"]),
    }
)
STEPS = st.lists(
    FIELDS | st.sampled_from(["delete a", "trace t1", "trace t2", "name t1"]), max_size=12
)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_rollups_are_a_function_of_the_scores(
    steps: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = Database(databases.location(tmp_path_factory.mktemp("scores")))
    try:
        for step in steps:
            if isinstance(step, dict):
                database.write_now(new_scores(step))
            elif step == "delete a":
                if database.read_now(OneScore("default", "a")):
                    database.write_now(ScoreDeletion("default", "a", ACTOR.did("x", 1)))
            else:
                what, _, trace = step.partition(" ")
                prompt = "p" if what == "name" else None
                database.write_now(EnsuredTrace(*new_trace(trace, prompt=prompt)))
        kept = statistics_of(database)
        database.write_now(RollupRebuild(0))
        assert statistics_of(database) == kept
    finally:
        database.close()
