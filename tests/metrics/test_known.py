# SPDX-License-Identifier: Apache-2.0
"""Which series there are: made together at 0, found again, and 'other' beyond a cap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gitprompt.metrics import families
from gitprompt.metrics.families import Family
from gitprompt.metrics.known import PROMPT_RESULTS, KnownSeries


def known(**caps: int) -> KnownSeries:
    return KnownSeries({}, caps)


def counts(series: KnownSeries, family: Family) -> Mapping[tuple[str, ...], Any]:
    return dict(series.of(family).copies())


def overflow(series: KnownSeries, label: str) -> float:
    return series.of(families.LABEL_OVERFLOW).cell(label).value


def test_a_model_has_all_its_series_at_0_with_its_first_call() -> None:
    series = known()
    series.model("p", "m", failed=False).success.value += 1
    assert counts(series, families.PROVIDER_REQUESTS) == {
        ("p", "m", "success"): 1, ("p", "m", "error"): 0,
    }  # fmt: skip
    types = ("input", "output", "cached")
    assert counts(series, families.PROVIDER_TOKENS) == {("p", "m", type): 0 for type in types}
    for family in (families.PROVIDER_COST, families.PROVIDER_UNPRICED, families.PROVIDER_DURATION):
        assert set(counts(series, family)) == {("p", "m")}


def test_a_model_that_only_failed_gets_series_of_its_own_with_its_first_success() -> None:
    series = known()
    failed = series.model("p", "m", failed=True)
    assert set(counts(series, families.PROVIDER_COST)) == {("p", "other")}
    own = series.model("p", "m", failed=False)
    assert own is not failed
    assert series.model("p", "m", failed=True) is own


def test_one_model_of_two_providers_is_two_models() -> None:
    series = known(model=2)
    first, second = (series.model(provider, "m", failed=False) for provider in ("a", "b"))
    assert first.cost is not second.cost
    series.model("a", "n", failed=False, number=3)
    assert overflow(series, "model") == 3
    assert set(counts(series, families.PROVIDER_COST)) == {("a", "m"), ("b", "m"), ("a", "other")}


def test_a_provider_beyond_its_cap_has_no_models() -> None:
    series = known(provider=1)
    series.model("a", "m", failed=False)
    series.model("b", "m", failed=False)
    assert set(counts(series, families.PROVIDER_COST)) == {("a", "m"), ("other", "other")}


def test_providers_that_only_fail_leave_half_of_the_places_to_others() -> None:
    series = known(provider=4)
    for number in range(10):
        series.model(f"broken{number}", "m", failed=True)
    for name in ("good1", "good2", "good3"):
        series.model(name, "m", failed=False)
    owners = {owner for owner, _ in counts(series, families.PROVIDER_COST)}
    assert owners == {"broken0", "broken1", "good1", "good2", "other"}


@pytest.mark.parametrize("name", [None, "", "\0"])
def test_who_says_no_name_is_unknown(name: str | None) -> None:
    series = known()
    series.tool(name)
    assert set(counts(series, families.TOOL_DURATION)) == {("unknown",)}


def test_names_that_are_one_after_cleaning_share_their_series() -> None:
    series = known()
    assert series.tool("t" * 128).success is series.tool("t" * 500).success
    assert series.stage("a\0b", "t").duration is series.stage("ab", "t").duration


def test_elements_of_a_stage_count_together_whatever_its_types() -> None:
    series = known()
    series.stage("s", "llm").success.value += 1
    series.stage("s", "tool").success.value += 1
    series.elements("s")[1].value += 1
    assert counts(series, families.STAGE_ELEMENTS) == {("s", "success"): 2, ("s", "error"): 1}
    assert set(counts(series, families.STAGE_DURATION)) == {("s", "llm"), ("s", "tool")}


def test_a_validation_that_passed_is_a_success() -> None:
    series = known()
    outcomes = series.validator("v", "schema")
    outcomes.success.value += 2
    outcomes.error.value += 1
    where = ("v", "schema")
    assert counts(series, families.VALIDATIONS) == {(*where, "passed"): 2, (*where, "failed"): 1}


def test_a_suite_beyond_the_cap_counts_as_other() -> None:
    series = known(suite=1)
    series.suite("first").passed.value += 1
    series.suite("second").unjudged.value += 1
    evals = counts(series, families.EVALS)
    assert {labels for labels, value in evals.items() if value} == {
        ("first", "passed"),
        ("other", "unjudged"),
    }
    assert set(counts(series, families.EVAL_SCORE)) == {("first",), ("other",)}


def test_prompts_beyond_the_cap_are_other_in_their_own_workspace() -> None:
    series = known(prompt=1)
    series.prompt("w1", "a")["ok"].value += 1
    series.prompt("w1", "b")["not_found"].value += 1
    series.prompt("w2", "a")["ok"].value += 1
    requests = counts(series, families.PROMPT_REQUESTS)
    assert {labels for labels, value in requests.items() if value} == {
        ("w1", "a", "ok"), ("w1", "other", "not_found"), ("w2", "other", "ok"),
    }  # fmt: skip
    assert len(requests) == 3 * len(PROMPT_RESULTS)


def test_what_a_label_points_at_is_forgotten_and_left_out_beyond_the_cap() -> None:
    series = known(prompt=1)
    assert series.pointing("w", "a", "live", "1.0.0") is not None
    assert series.pointing("w", "b", "live", "1.0.0") is None
    assert overflow(series, "prompt") == 0  # it is asked with every scrape
    series.forget_pointing()
    assert series.pointing("w", "a", "live", "1.1.0") is not None
    assert set(counts(series, families.LABEL_VERSION)) == {("w", "a", "live", "1.1.0")}


def test_labels_beyond_the_cap_move_together() -> None:
    series = known(label=1)
    for workspace, label in (("w", "live"), ("w", "canary"), ("x", "live")):
        series.moves(workspace, label).value += 1
    assert counts(series, families.LABEL_MOVES) == {("w", "live"): 1, ("other", "other"): 2}


def test_given_buckets_take_the_place_of_the_usual_ones() -> None:
    series = KnownSeries({"tool_call_duration_seconds": [5, 50]}, {})
    assert series.tool("t").duration.bounds == (5.0, 50.0)
    assert series.validator("v", "t").duration.bounds == families.VALIDATION_DURATION.buckets


def test_pipelines_have_both_outcomes_before_any_has_ended() -> None:
    assert set(counts(known(), families.PIPELINE_DURATION)) == {("success",), ("error",)}
