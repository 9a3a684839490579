# SPDX-License-Identifier: Apache-2.0
"""Langfuse's exports: the field map row by row, all four types of scores, and prompts as Git."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.transfer.moving_in import FIXTURES, LANGFUSE, House, fixture, losses
from tests.world import run

TRACE = "7c1f0c52-5d0b-4a53-9b1e-0f7b7a0e4a11"
AGENT = "9f3ad1c07be24c6a8d51e0b2f4776a90"


def test_every_fixture_comes_over_and_the_same_again_changes_nothing(house: House) -> None:
    dry = house.migrate(*LANGFUSE, options=("--dry-run",))
    assert dry["server"] == {"traces": 0, "prompts": 0}
    first = house.migrate(*LANGFUSE)
    assert first["counts"] == {
        "labels": {"new": 4, "there": 0}, "prompt versions": {"new": 5, "there": 0},
        "scores": {"new": 7, "there": 0}, "spans": {"new": 6, "there": 0}, "traces": {"new": 3, "there": 0},
    }  # fmt: skip
    assert first["losses"] == dry["losses"]
    assert (first["server"], first["verified"]) == (
        {"traces": 3, "prompts": 3},
        {"read": 3, "other": 0, "gone": 0},
    )
    before = state(house)
    again = house.migrate(*LANGFUSE)
    assert {kind: number["new"] for kind, number in again["counts"].items()} == dict.fromkeys(
        first["counts"], 0
    )
    assert again["losses"] == first["losses"]
    assert state(house) == before


def state(house: House) -> list[Any]:
    traces = [
        house.client.get(f"/v1/traces/{trace['trace_id']}")
        for trace in house.client.get("/v1/traces")["items"]
    ]
    prompts = house.client.get("/v1/prompts")["items"]
    return [
        traces,
        house.client.get("/v1/scores")["items"],
        prompts,
        calls(house),
    ]


def test_the_field_map_row_by_row(house: House) -> None:
    house.migrate(*LANGFUSE)
    trace = house.client.get(f"/v1/traces/{TRACE}")
    given = fixture("langfuse-trace-full.json")
    assert trace["trace_id"] == given["id"]  # trace.id: preserved verbatim
    assert trace["prompt_name"] == given["name"]  # trace.name
    assert trace["created_at"] == 1_789_373_702  # trace.timestamp: Unix seconds
    assert trace["metadata"]["timestamp_ms"] == 1_789_373_702_100  # and its milliseconds
    spans = {span["span_id"]: span for span in trace["spans"]}
    span, call = spans["obs-span-0001"], spans["obs-gen-0001"]
    assert [one["name"] for one in trace["spans"]] == [
        "retrieve-context",
        "triage-llm",
        "fallback-considered",
    ]
    assert (
        span["start_time"] == 20
    )  # observation.startTime: relative to the trace's start, in milliseconds
    assert span["end_time"] == 380  # observation.endTime
    assert span["metadata"]["duration_ms"] == 360  # and the duration
    assert span["metadata"]["retriever.k"] == 2  # observation.metadata: one level flattened
    assert call["metadata"]["nested.a"] == {"b": 1}  # and no more
    (score,) = house.client.get("/v1/scores", name="accuracy", trace_id=TRACE)["items"]
    assert (score["value"], score["span_id"]) == (0.92, "obs-gen-0001")  # score.value


def test_what_the_map_does_not_name_comes_too(house: House) -> None:
    house.migrate(*LANGFUSE)
    trace = house.client.get(f"/v1/traces/{TRACE}")
    assert (trace["session_id"], trace["user_id"], trace["environment"]) == (
        "sess-42",
        "user-17",
        "production",
    )
    assert (trace["release"], trace["tags"]) == ("api@4.2.0", ["triage", "vip"])
    assert (trace["input"], trace["output"]) == (
        {"ticket": "Where is my refund for order 7731?"},
        {"team": "billing"},
    )
    assert trace["version_tag"] == "2"
    call = next(span for span in trace["spans"] if span["span_id"] == "obs-gen-0001")
    assert (
        call["facts"]["tokens_in"],
        call["facts"]["tokens_cached"],
        call["facts"]["tokens_out"],
    ) == (412, 256, 9)
    assert call["facts"]["cost_usd"] == pytest.approx(4.8e-05)
    assert (call["facts"]["prompt_name"], call["facts"]["prompt_version"]) == (
        "support/triage",
        "2",
    )
    assert (call["metadata"]["ttft_ms"], call["metadata"]["model_parameters"]["max_tokens"]) == (
        410,
        "256",
    )
    spans = {span["span_id"]: span for span in house.client.get(f"/v1/traces/{AGENT}")["spans"]}
    assert [spans[name]["status"] for name in ("33a1d0c4b7e95f12", "b9272e01c4d352a9")] == [
        "error",
        "ok",
    ]
    assert spans["6f0e8d7c5b4a3921"]["metadata"]["status_message"] == "HTTP 503 from search backend"
    assert spans["6f0e8d7c5b4a3921"]["facts"] == {"kind": "tool", "name": "web-search"}
    scores = {
        (one["name"], one["trace_id"]): one for one in house.client.get("/v1/scores")["items"]
    }
    assert scores["sentiment", TRACE]["value"] == "frustrated"
    assert (scores["resolved", TRACE]["type"], scores["resolved", TRACE]["value"]) == (
        "boolean",
        True,
    )
    assert (scores["session_csat", None]["session_id"], scores["session_csat", None]["value"]) == (
        "sess-42",
        4,
    )
    assert scores["reviewer_note", AGENT]["type"] == "text"
    assert calls(house) == {("support/triage", "2"): 1, ("headline", "7"): 1}


def calls(house: House) -> dict[tuple[str, str], int]:
    """How many calls each version has, of those that have some."""
    listed = [
        one
        for name in ("support/triage", "headline")
        for one in house.client.get(f"/v1/prompts/{quote(name, safe='')}/versions", stats="true")[
            "items"
        ]
    ]
    return {
        (one["name"], one["version_tag"]): one["stats"]["calls"]
        for one in listed
        if one.get("stats")
    }


def test_prompts_are_git_with_their_authors_dates_and_labels(house: House) -> None:
    report = house.migrate(str(FIXTURES / "langfuse-prompts.json"))
    remote = house.server.remote(workspace=house.workspace)
    run("git", "clone", "-q", remote, "clone", cwd=house.folder)
    clone = house.folder / "clone"
    tags = run(
        "git",
        "for-each-ref",
        "--sort=taggerdate",
        "--format=%(refname:lstrip=2) %(taggername) %(taggerdate:unix) %(subject)",
        "refs/tags",
        cwd=clone,
    )
    assert tags.splitlines() == [
        "prompts/support/triage/1 API 1785747600 first cut",
        "prompts/shared/tone/1 API 1787234400 shared/tone 1",
        "prompts/support/triage/2 cluser01 1787235151 chat history placeholder + shared tone",
        "prompts/headline/7 API 1788249600 v7",
        "prompts/support/triage/4 cluser02 1789142580 support/triage 4",
    ]
    assert len(run("git", "log", "--format=%h", "main", cwd=clone).splitlines()) == 5
    run("git", "fetch", "-q", "origin", "refs/labels/*:refs/labels/*", cwd=clone)
    move = run(
        "git",
        "log",
        "-1",
        "--format=%an %at %s",
        "refs/labels/support/triage@production",
        cwd=clone,
    )
    assert move.strip() == "langfuse 1787298310 support/triage: production → 2"
    served = house.client.get("/v1/prompts/support%2Ftriage?label=production&render=false")[
        "content"
    ]
    system, history, _ = served["messages"]
    assert history == {"type": "placeholder", "name": "history"}
    assert "Be brief. Use the customer's first name." in system["content"]
    rendered = house.client.get(
        "/v1/prompts/headline?version=7&variables[count]=3&variables[topic]=sun"
    )
    assert (
        rendered["text"] == "Write 3 headlines about sun.\nKeep literal braces: {{{{not_a_var}}}}\n"
    )
    assert house.client.get("/v1/prompts/support%2Ftriage?version=1&render=false")["content"][
        "response_format"
    ] == {"type": "json_object"}
    reasons = [loss["reason"] for loss in report["losses"] if loss["field"] == "prompt.labels"]
    assert any("latest" in reason for reason in reasons)
    assert any("reads as a version" in reason for reason in reasons)


def test_blob_exports_in_snake_case_are_the_same(house: House) -> None:
    trace, *_ = fixture("langfuse-traces.json")["data"]
    observation = fixture("langfuse-observations.json")["data"][1]

    def snake(record: dict[str, Any]) -> dict[str, Any]:
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in key): value
            for key, value in record.items()
        }

    generation = snake(observation)
    generation["provided_model_name"] = generation.pop("model")
    generation["model_parameters"] = json.dumps(generation["model_parameters"])
    house.migrate(house.write("t.jsonl", snake(trace)), house.write("o.jsonl", generation))
    stored = house.client.get(f"/v1/traces/{TRACE}")
    (span,) = stored["spans"]
    assert (stored["session_id"], span["start_time"], span["facts"]["model"]) == (
        "sess-42",
        400,
        "gpt-4o-mini-2024-07-18",
    )
    assert span["metadata"]["model_parameters"]["temperature"] == 0.1


def test_observations_that_come_alone_get_their_trace_later(house: House) -> None:
    _, observations, *_ = LANGFUSE
    house.migrate(observations)
    assert [span["start_time"] for span in house.client.get(f"/v1/traces/{TRACE}")["spans"]] == [
        0,
        380,
        1781,
    ]
    report = house.migrate(*LANGFUSE[:2])
    assert report["counts"]["spans"] == {"new": 0, "there": 6}
    trace = house.client.get(f"/v1/traces/{TRACE}")
    assert (trace["name"], len(trace["spans"]), trace["metadata"]["channel"]) == (
        "support/triage",
        3,
        "email",
    )
    assert "span" not in losses(report)


def test_a_trace_that_comes_first_is_what_its_observations_are_placed_by(house: House) -> None:
    traces, observations, *_, full = LANGFUSE
    house.migrate(traces)
    told = losses(house.migrate(observations))
    assert "span" not in told
    assert "span.start_time" not in told
    trace = house.client.get(f"/v1/traces/{TRACE}")
    assert [span["start_time"] for span in trace["spans"]] == [20, 400, 1801]
    assert "spans_start_ms" not in trace["metadata"]
    assert house.migrate(full)["counts"]["spans"] == {"new": 0, "there": 3}
