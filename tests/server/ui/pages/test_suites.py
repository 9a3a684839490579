# SPDX-License-Identifier: Apache-2.0
"""Suites: what passes, how scores went from version to version, and which version does worse."""

from __future__ import annotations

import uuid

import pytest

from gitprompt.server.ui.pages.suites import judged
from gitprompt.store.tables.scores import VersionResults
from tests.server.client import Client, publish
from tests.server.ui.browsing import Browser
from tests.world import Server


def results(version: str, mean: float, number: int = 40, deviation: float = 0.1) -> VersionResults:
    return VersionResults(version, number, mean, mean / 2, deviation, 1, 9)


def fell(
    *found: VersionResults, min_score: float | None = 0.8
) -> list[tuple[str, bool | None, str]]:
    return [(one.results.version, one.passes, one.fell_from) for one in judged(found, min_score)]


def test_the_newest_version_is_first_and_judged_against_the_one_before() -> None:
    assert fell(results("1.9.0", 0.9), results("1.10.0", 0.7), results("", 0.1)) == [
        ("1.10.0", False, "1.9.0"), ("1.9.0", True, ""), ("", False, ""),
    ]  # fmt: skip


def test_what_chance_explains_is_no_regression() -> None:
    assert fell(results("1.0.0", 0.90), results("1.1.0", 0.89))[0] == ("1.1.0", True, "")
    assert fell(results("1.0.0", 0.95), results("1.1.0", 0.85))[0] == ("1.1.0", True, "1.0.0")
    assert fell(results("1.0.0", 0.95, 1), results("1.1.0", 0.85, 1))[0] == ("1.1.0", True, "")
    assert fell(results("1.0.0", 0.95), results("1.1.0", 0.85), min_score=None)[0] == (
        "1.1.0",
        None,
        "1.0.0",
    )
    assert judged([], 0.8) == []


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    client = Client(server, **{"X-Workspace-Id": "suited"})
    for version in ("1.0.0", "1.1.0"):
        publish(client, "welcome", version, version)
    client.post("/v1/evaluations", {"name": "tone/warm", "prompt_name": "welcome", "description": "Warm <b>",
                                    "criteria": {"min_score": 0.8}})  # fmt: skip
    client.post("/v1/evaluations", {"name": "untried", "prompt_name": "welcome"})
    for version, scores in (("1.0.0", (0.9, 0.92)), ("1.1.0", (0.5, 0.6))):
        for score in scores:
            trace = str(uuid.uuid4())
            client.post(
                "/v1/traces", {"trace_id": trace, "prompt_name": "welcome", "version_tag": version}
            )
            run = client.post("/v1/runs", {"workflow_name": "judge", "trace_id": trace})["run_id"]
            client.post("/v1/evaluations/tone%2Fwarm/results", {"run_id": run, "score": score})
    return Browser(server, workspace="suited")


def test_suites_say_whether_the_newest_version_passes(browser: Browser) -> None:
    page = browser.page("suites")
    assert "tone/warm Warm <b> welcome 0.8 1.1.0 0.55 2 few ✕ fails ↓ worse than 1.0.0" in page
    assert "untried" in page
    assert "no results" in page


def test_a_suite_shows_its_trend(browser: Browser) -> None:
    page = browser.page("suites/tone/warm")
    assert "passes from 0.8" in page
    assert "1.1.0 2 few 0.55 0.5 0 % ✕ fails ↓ worse than 1.0.0" in page
    assert "1.0.0 2 few 0.91 0.9 100 % ✓ passes" in page
    assert "By day" in page
    assert "1 to 4 of 4 results" in page
    assert "no passing score is set" in browser.page("suites/untried")
    assert browser.get("suites/nothing").status_code == 404
