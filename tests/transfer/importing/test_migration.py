# SPDX-License-Identifier: Apache-2.0
"""Input that is cut, doubled, mixed up, too large or wrong: what can be is in, and what is not is told and kept."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.transfer.moving_in import (
    FIXTURES,
    LANGFUSE,
    House,
    fixture,
    losses,
    observation,
    prompt,
    trace,
)
from tests.world import eventually

TRACE = "7c1f0c52-5d0b-4a53-9b1e-0f7b7a0e4a11"


def test_a_file_that_is_cut_is_in_up_to_there_and_the_whole_one_goes_on(house: House) -> None:
    whole = json.dumps(
        {"data": [trace(at, observations=[observation(at, at)]) for at in range(1, 9)]}
    )
    path = house.folder / "traces.json"
    path.write_text(whole[: len(whole) * 2 // 3])
    cut = house.migrate(str(path), code=1)
    assert "cut" in cut["broken"]
    assert 0 < cut["counts"]["traces"]["new"] < 8
    path.write_text(whole)
    rest = house.migrate(str(path))
    assert rest["counts"]["traces"]["new"] + rest["counts"]["traces"]["there"] == 8
    assert rest["counts"]["traces"]["there"] == cut["counts"]["traces"]["new"]
    assert house.client.get("/v1/traces/count")["count"] == 8


def test_a_killed_import_goes_on(house: House) -> None:
    records = [
        trace(at, observations=[observation(at * 10 + n, at) for n in range(10)])
        for at in range(1, 3_001)
    ]
    records += [prompt(f"p{at}") for at in range(50)]
    path = house.write("all.jsonl", *records)
    command = [
        sys.executable,
        "-m",
        "gitprompt",
        "migrate",
        "--from",
        "langfuse",
        "--input",
        path,
        "--endpoint",
        house.server.url,
    ]
    env = {
        **os.environ,
        **house.server.env,
        "GITPROMPT_API_KEY": house.server.key(workspace=house.workspace),
    }
    with subprocess.Popen(command, env=env, cwd=house.folder, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: house.client.get("/v1/traces/count")["count"] > 0, 30)
        process.send_signal(signal.SIGKILL)
    assert 0 < house.client.get("/v1/traces/count")["count"] < 3_000
    report = house.migrate(path)
    assert report["server"] == {"traces": 3_000, "prompts": 50}
    assert report["verified"]["other"] == 0
    assert sum(report["counts"]["spans"].values()) == 30_000


def test_folders_with_lines_and_gzip_and_others_files_in_any_order(house: House) -> None:
    folder = house.folder / "mixed"
    folder.mkdir()
    (folder / "a-scores.json").write_text((FIXTURES / "langfuse-scores.json").read_text())
    lines = "\n".join(map(json.dumps, fixture("langfuse-observations.json")["data"]))
    (folder / "b-observations.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "c-traces.json").write_text((FIXTURES / "langfuse-traces.json").read_text())
    (folder / "d-runs.jsonl").write_text((FIXTURES / "langsmith-runs.jsonl").read_text())
    (folder / "notes.txt").write_text("not an export")
    report = house.migrate(str(folder))
    assert report["counts"]["spans"]["new"] == 6
    assert (
        house.client.get(f"/v1/traces/{TRACE}")["spans"][0]["start_time"] == 20
    )  # though they came before it
    assert losses(report)["record"] == "nothing of langfuse's that is known: not imported"
    assert [one["record"]["run_type"] for one in house.kept] == ["chain", "llm", "tool", "chain"]


def test_the_wrong_house_is_told(house: House) -> None:
    said = house.said("--input", str(FIXTURES / "langsmith-runs.jsonl"), code=2)
    assert "Is it --from langsmith?" in said


def test_cycles_odd_shapes_and_odd_numbers(house: House) -> None:
    records = [
        trace(1), observation(1, 1, parentObservationId="o2"), observation(2, 1, parentObservationId="o1"),
        observation(3, 1, metadata=[1, 2], usageDetails={"input": "NaN", "output": -5}, costDetails={"total": "0.5"}, type="GENERATION", model="m"),
        observation(4, 1, metadata="text", usage=7, modelParameters="{broken", level=3, tags={}),
        trace(2, tags="not a list", observations=[{"id": None}, 7, {"id": "deep", "startTime": {}}], scores=["id", {"id": "s"}]),
        {"id": "s1", "traceId": f"{1:032x}", "name": "n", "dataType": "NUMERIC", "value": "NaN"},
        {"id": "s2", "traceId": f"{1:032x}", "name": "n", "dataType": "NUMERIC", "value": 1e12},
        {"id": "s3", "traceId": f"{1:032x}", "name": "n", "dataType": "BOOLEAN", "value": 7},
        {"id": "s4", "traceId": f"{1:032x}", "name": "with blanks", "dataType": "NUMERIC", "value": -2.5},
        {"id": "s5", "datasetRunId": "d", "name": "n", "dataType": "NUMERIC", "value": 1},
        {"id": {}, "timestamp": "2026-01-01T00:00:00Z"}, {"name": "p", "version": 1, "prompt": [7]},
        {"name": "q", "version": 1, "prompt": None, "type": "chat"}, {"unknown": True},
    ]  # fmt: skip
    path = house.folder / "x.jsonl"
    path.write_text(
        "\n".join(map(json.dumps, records))
        + '\n7\n"text"\n{"id": "s6", "traceId": "x", "name": "n", "dataType": "NUMERIC", "value": NaN}'
    )
    dry = house.migrate(str(path), options=("--dry-run",))
    report = house.migrate(str(path))
    assert report["losses"] == dry["losses"]
    assert report["counts"]["traces"]["new"] == 2
    assert report["counts"]["spans"]["new"] == 5
    call = next(
        span
        for span in house.client.get(f"/v1/traces/{1:032x}")["spans"]
        if span["span_id"] == "o3"
    )
    assert (call["facts"]["cost_usd"], call["metadata"]["value"]) == (0.5, [1, 2])
    (score,) = house.client.get("/v1/scores")["items"]
    assert (score["name"], score["value"]) == ("with blanks", -2.5)
    reasons = {loss["reason"] for loss in report["losses"]}
    assert "a numeric score that is no finite number: not imported" in reasons
    assert len(house.kept) >= 8


def test_a_key_that_may_only_read_is_refused_and_nothing_is_written(house: House) -> None:
    said = house.said("--input", LANGFUSE[0], scopes="read", code=1)
    assert "403" in said
    assert house.client.get("/v1/traces/count")["count"] == 0


def test_of_a_cut_input_nothing_is_published_that_the_rest_would_change(house: House) -> None:
    refers = prompt("a", 1, "A @@@langfusePrompt:name=b|version=1@@@")
    path = house.folder / "x.jsonl"
    path.write_text(json.dumps(refers) + '\n{"name": "b", "vers')
    cut = house.migrate(str(path), code=1)
    assert house.client.get("/v1/prompts/count")["count"] == 0
    assert "the rest of the input" in str(cut["losses"])
    path.write_text("\n".join(map(json.dumps, (refers, prompt("b", 1, "B")))))
    house.migrate(str(path))
    assert house.client.get("/v1/prompts/a?render=false")["text"] == "A B"


def test_one_odd_record_takes_no_other_with_it(house: House) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    records = [trace(at) for at in range(1, 1_500)]
    records[500]["input"] = deep
    records[501] = {
        **trace(2_000),
        "tags": ["\0"],
        "observations": [observation(1, 2_000), {"id": "\0", "startTime": "2026-09-14T08:15:02Z"}],
    }
    records.append(prompt("odd", 1, labels=5, tags=7, config=7))
    path = house.write("x.jsonl", *records)
    dry = house.migrate(path, options=("--dry-run",))
    report = house.migrate(path)
    assert report["losses"] == dry["losses"]
    assert report["server"] == {"traces": 1_498, "prompts": 1}
    assert "nested deeper" in losses(report)["trace"]
    assert report["counts"]["spans"]["new"] == 1


def test_an_empty_input_is_told(house: House) -> None:
    assert "no records" in house.migrate(house.write("x.jsonl"), code=1)["broken"]


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "42",
        "1.50",
        '"hi"',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '["\\ud800"]',
        "[broken",
        "true",
    ],
)
def test_a_text_that_looks_like_json_comes_back_as_it_was(house: House, text: str) -> None:
    path = house.write(
        "x.jsonl", trace(1, output=text, observations=[observation(1, 1, output=text)])
    )
    assert house.migrate(path)["verified"] == {"read": 1, "other": 0, "gone": 0}
    stored = house.client.get(f"/v1/traces/{1:032x}")
    assert stored["output"] == stored["spans"][0]["metadata"]["output"] == text
