# SPDX-License-Identifier: Apache-2.0
"""The numbers of suites."""

from __future__ import annotations

from gitprompt.store.database import Database
from gitprompt.store.tables import scores
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.suites import NumberedSuites, RecentSuites, SuiteNames, SuiteRemoval
from tests.store.stored import new_result, new_suite, statistics_of


def test_a_suite_keeps_its_number(database: Database) -> None:
    database.write_now(SuiteNames("default", ["a", "b"], 1))
    before = database.read_now(NumberedSuites("default"))
    database.write_now(SuiteNames("default", ["b", "a", "c"], 2))
    after = database.read_now(NumberedSuites("default"))
    assert {name: after[name] for name in before} == before
    assert after["c"].id > max(suite.id for suite in before.values())


def test_the_number_of_a_suite_that_is_gone_is_not_given_again(database: Database) -> None:
    first = new_suite(database)
    database.write_now(SuiteRemoval("default", first))
    assert new_suite(database) > first


def test_a_suite_goes_with_its_results_and_their_scores(database: Database) -> None:
    suite, other = new_suite(database), new_suite(database, "other")
    for one in (suite, suite, other):
        database.write_now(new_result(one))
    database.write_now(SuiteRemoval("default", suite))
    assert statistics_of(database)[0].scores == 1
    assert database.read_now(Part(scores.LISTING, "default", Window(9)))[1] == 1


def test_names_of_suites_are_remembered_of_every_workspace(database: Database) -> None:
    actor = Actor("default", "test")
    database.write_now(actor.did("x", 1))
    database.write_now(actor._replace(workspace="other").did("x", 1))
    new_suite(database, "a")
    new_suite(database, "b")
    new_suite(database, "c", "other")
    assert set(database.read_now(RecentSuites(2))) == {"b", "c"}
