# SPDX-License-Identifier: Apache-2.0
"""The numbers of suites, and the results of their evaluations."""

from __future__ import annotations

import pytest

from gitprompt.errors import Conflict, NotFound
from gitprompt.store.database import Database
from gitprompt.store.tables import results
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.results import (
    NumberedSuites,
    RecentSuites,
    ResultInsertion,
    ResultRow,
    StoredResult,
    SuiteNames,
    SuiteRemoval,
)
from gitprompt.store.tables.rollups import StatisticsQuery, VersionStatistics
from gitprompt.store.tables.rows import Condition, Page, Window
from gitprompt.store.tables.runs import RunInsertion
from tests.store.stored import new_run, new_trace

ACTOR = Actor("default", "test")


def number(database: Database, name: str = "q", workspace: str = "default") -> int:
    database.write_now(SuiteNames(workspace, [name], 9))
    return database.read_now(NumberedSuites(workspace))[name].id


def result(suite: int, score: float | None = 0.5, **fields: str | None) -> ResultInsertion:
    values = {"result_id": None, "run_id": None, "metadata": None, **fields}
    row = ResultRow("default", suite, values["result_id"], values["run_id"], score,
                    values["metadata"], "p", "1", 7_200)  # fmt: skip
    return ResultInsertion(row, ACTOR.did("result:create", 7_200), "q", None)


def scores(database: Database) -> list[VersionStatistics]:
    return database.read_now(StatisticsQuery("default"))


def test_a_suite_keeps_its_number(database: Database) -> None:
    database.write_now(SuiteNames("default", ["a", "b"], 1))
    before = database.read_now(NumberedSuites("default"))
    database.write_now(SuiteNames("default", ["b", "a", "c"], 2))
    after = database.read_now(NumberedSuites("default"))
    assert {name: after[name] for name in before} == before
    assert after["c"].id > max(suite.id for suite in before.values())


def test_the_number_of_a_suite_that_is_gone_is_not_given_again(database: Database) -> None:
    first = number(database)
    database.write_now(SuiteRemoval("default", first))
    assert number(database) > first


def test_a_result_needs_a_suite_of_its_workspace(database: Database) -> None:
    suite = number(database, workspace="other")
    with pytest.raises(NotFound, match="Evaluation not found"):
        database.write_now(result(suite))


def test_the_same_result_sent_twice_is_one(database: Database) -> None:
    suite = number(database)
    first = database.write_now(result(suite, result_id="r"))
    assert database.write_now(result(suite, result_id="r")) == StoredResult(first.id, False, 7_200)
    with pytest.raises(Conflict, match="Result r exists with other content"):
        database.write_now(result(suite, 0.6, result_id="r"))
    assert scores(database)[0].scores == 1


def test_what_was_scored_is_what_the_trace_of_its_run_names(database: Database) -> None:
    suite = number(database)
    database.write_now(new_trace("t", prompt="other"))
    run: RunInsertion = new_run("run", trace_id="t")
    database.write_now(run)
    database.write_now(result(suite, 0.25, run_id="run"))
    (row,) = scores(database)
    assert (row.prompt_name, row.version_tag, row.mean_score) == ("other", "1", 0.25)


def test_a_score_is_optional_and_counts_only_if_it_is_there(database: Database) -> None:
    suite = number(database)
    database.write_now(result(suite, None))
    assert scores(database) == []
    database.write_now(result(suite, 1.0))
    assert scores(database)[0].mean_score == 1.0


def test_a_suite_goes_with_its_results_and_their_scores(database: Database) -> None:
    suite, other = number(database), number(database, "other")
    for one in (suite, suite, other):
        database.write_now(result(one))
    database.write_now(SuiteRemoval("default", suite))
    assert scores(database)[0].scores == 1
    assert database.read_now(Page(results.LISTING, "default", Window(9)))[1] == 1


def test_results_are_listed_of_one_suite_newest_first(database: Database) -> None:
    suite, other = number(database), number(database, "other")
    stored = [database.write_now(result(one)).id for one in (suite, other, suite)]
    rows, total, _ = database.read_now(
        Page(results.LISTING, "default", Window(9), [Condition("suite", suite)])
    )
    assert (total, [row[0] for row in rows]) == (2, [stored[2], stored[0]])


def test_names_of_suites_are_remembered_of_every_workspace(database: Database) -> None:
    database.write_now(ACTOR.did("x", 1))
    database.write_now(ACTOR._replace(workspace="other").did("x", 1))
    number(database, "a")
    number(database, "b")
    number(database, "c", "other")
    assert set(database.read_now(RecentSuites(2))) == {"b", "c"}
