# SPDX-License-Identifier: Apache-2.0
"""What is at the tip of the default branch: settings and suites, few or far too many."""

from __future__ import annotations

import pytest

from gitprompt.core.publication import Rejection, Suite
from gitprompt.errors import PayloadTooLarge
from gitprompt.git.repository import Repository
from gitprompt.registry import tip
from tests.server.git.test_judges import bomb
from tests.world import Clone

SUITE = "description: short\nprompt_name: welcome\n"


def test_files_are_listed_up_to_a_bound(published: Clone) -> None:
    for at in range(4):
        published.write(f"evals/a/s{at}.yaml", SUITE)
    commit = published.commit("Suites")
    with Repository.open(str(published.path)).reader() as reader:
        paths = sorted(file.path for file in tip.files_below(reader, commit, "evals", most=5))
        assert paths == [f"evals/a/s{at}.yaml" for at in range(4)]
        with pytest.raises(PayloadTooLarge, match="too many files below evals/"):
            list(tip.files_below(reader, commit, "evals", most=4))


def test_suites_that_are_a_million_are_one_rejection(published: Clone) -> None:
    commit = bomb(published, "evals")
    with Repository.open(str(published.path)).reader() as reader:
        (outcome,) = tip.load_suites(reader, commit, {})
    assert isinstance(outcome, Rejection)
    assert "too many files" in outcome.findings[0].message


def test_of_two_files_of_one_suite_the_first_counts(published: Clone) -> None:
    published.write("evals/short.json", '{"description": "x", "prompt_name": "welcome"}')
    published.write("evals/Short.yaml", SUITE)
    commit = published.commit("Two")
    with Repository.open(str(published.path)).reader() as reader:
        outcomes = list(tip.load_suites(reader, commit, {}))
    assert [type(outcome) for outcome in outcomes] == [Suite, Rejection]


def test_settings_that_are_not_valid_are_told_and_the_defaults_hold(published: Clone) -> None:
    published.write("gitprompt.yaml", "labels: 7\n")
    commit = published.commit("Broken")
    with Repository.open(str(published.path)).reader() as reader:
        settings, rejection = tip.load_settings(reader, commit)
    assert settings.root == ""
    assert rejection is not None
    assert rejection.ref == "gitprompt.yaml"
