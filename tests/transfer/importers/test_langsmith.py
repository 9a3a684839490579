# SPDX-License-Identifier: Apache-2.0
"""LangSmith's runs, feedback and prompt commits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.transfer.foreign.test_manifests import made, template
from tests.transfer.moving_in import FIXTURES, House, losses

RUNS = str(FIXTURES / "langsmith-runs.jsonl")
ROOT = "01990f10-5a00-7c1a-b07a-7316f9d19c01"
MODEL = "01990f10-5b11-7a72-975c-c015d567fd02"


def test_runs_come_over_once(house: House) -> None:
    dry = house.migrate(RUNS, house="langsmith", options=("--dry-run",))
    first = house.migrate(RUNS, house="langsmith")
    again = house.migrate(RUNS, house="langsmith")
    assert first["counts"] == {"spans": {"new": 4, "there": 0}, "traces": {"new": 2, "there": 0}}
    assert again["counts"] == {"spans": {"new": 0, "there": 4}, "traces": {"new": 0, "there": 2}}
    assert dry["losses"] == first["losses"] == again["losses"]
    trace = house.client.get(f"/v1/traces/{ROOT}")
    assert (trace["session_id"], trace["user_id"], trace["environment"], trace["tags"]) == (
        "thread-9",
        "u-88",
        "prod",
        ["prod", "agent"],
    )
    assert trace["metadata"]["timestamp_ms"] == 1_789_732_800_000
    spans = {span["span_id"]: span for span in trace["spans"]}
    call = spans[MODEL]
    assert (call["parent_id"], call["start_time"], call["end_time"]) == (ROOT, 150, 1950)
    assert (call["facts"]["model"], call["facts"]["tokens_in"], call["facts"]["tokens_cached"]) == (
        "gpt-4o-mini",
        230,
        128,
    )
    assert call["facts"]["cost_usd"] == pytest.approx(0.000045)
    assert call["facts"]["prompt_name"] == "support-triage"
    assert call["metadata"]["ttft_ms"] == 550
    assert spans[ROOT]["facts"] == {
        "kind": "other",
        "type": "chain",
    }  # its tokens are those of the call below it
    assert [span["status"] for span in trace["spans"]] == ["ok", "ok", "error"]
    assert {"run.events", "run.feedback_stats", "run.end_time"} <= losses(first).keys()


def test_feedback_and_prompt_commits(house: House) -> None:
    about = {"trace_id": ROOT, "run_id": MODEL, "created_at": "2026-09-18T13:00:00"}
    feedback = [
        {
            "id": "f1",
            "key": "user_score",
            "score": 1,
            "comment": "good",
            "feedback_source": {"type": "app"},
            **about,
        },
        {"id": "f2", "key": "tone", "score": None, "value": "polite", **about},
        {"id": "f3", "key": "fine", "score": True, **about},
        {"id": "f4", "key": "nothing", "score": None, "value": None, **about},
    ]
    commits = [
        {
            "repo_handle": "triage",
            "commit_hash": "b" * 64,
            "created_at": "2026-09-02T00:00:00",
            "manifest": template("Second {x}"),
            "owner": "ada",
        },
        {
            "repo_handle": "triage",
            "commit_hash": "a" * 64,
            "created_at": "2026-09-01T00:00:00",
            "manifest": template("First {x}"),
            "owner": "ada",
        },
        {
            "repo_handle": "triage",
            "commit_hash": "c" * 64,
            "created_at": "2026-09-03T00:00:00",
            "manifest": made("Odd"),
        },
    ]
    report = house.migrate(
        RUNS, house.write("f.jsonl", *feedback), house.write("c.jsonl", *commits), house="langsmith"
    )
    scores = {one["name"]: one for one in house.client.get("/v1/scores")["items"]}
    assert {name: one["value"] for name, one in scores.items()} == {
        "user_score": 1,
        "tone": "polite",
        "fine": True,
    }
    assert (scores["user_score"]["span_id"], scores["user_score"]["source"]) == (MODEL, "app")
    served: Any = house.client.get("/v1/prompts/triage?render=false")
    assert (served["version"]["version_tag"], served["text"]) == ("2", "Second {{x}}")
    assert served["content"]["metadata"]["langsmith_commit"] == "b" * 64
    told = losses(report)
    assert "without a score" in told["feedback"]
    assert "Odd" in told["prompt commit"]


def test_of_a_cut_input_no_commit_is_numbered(house: House) -> None:
    commits = [
        {
            "repo_handle": "p",
            "commit_hash": letter * 64,
            "created_at": f"2026-09-0{day}T00:00:00",
            "manifest": template(letter),
        }
        for letter, day in (("c", 3), ("b", 2), ("a", 1))
    ]
    path = house.folder / "c.jsonl"
    lines = "\n".join(map(json.dumps, commits))
    path.write_text(lines[:-20])
    assert (
        "not yet imported"
        in losses(house.migrate(str(path), house="langsmith", code=1))["prompt commit"]
    )
    path.write_text(lines)
    house.migrate(str(path), house="langsmith")
    texts = [
        house.client.get(f"/v1/prompts/p?version={at}&render=false")["text"] for at in (1, 2, 3)
    ]
    assert texts == ["a", "b", "c"]
