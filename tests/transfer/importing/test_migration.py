# SPDX-License-Identifier: Apache-2.0
"""Input that is cut, doubled, mixed up, too large or wrong: what can be is in, and what is not is told and kept."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.moving_in import FIXTURES, LANGFUSE, House, fixture, losses
from tests.world import Server, eventually

TRACE = "7c1f0c52-5d0b-4a53-9b1e-0f7b7a0e4a11"


def trace(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{number:032x}", "timestamp": "2026-09-14T08:15:02.100Z", "name": "t", **more}


def observation(number: int, whose: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"o{number}", "traceId": f"{whose:032x}", "type": "SPAN", "name": "s",
        "startTime": "2026-09-14T08:15:02.200Z", "endTime": "2026-09-14T08:15:02.300Z", **more,
    }  # fmt: skip


def prompt(name: str, version: Any = 1, text: Any = "Hi {{x}}", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "type": "text",
        "prompt": text,
        "createdAt": "2026-08-03T09:00:00Z",
        **more,
    }


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


def test_ids_that_collide_and_doubles(house: House) -> None:
    dashed = "00000000-0000-0000-0000-000000000001"
    path = house.write(
        "x.jsonl", trace(1), trace(1), {**trace(1), "id": dashed, "name": "other"},
        observation(1, 1), observation(1, 1), observation(1, 1, name="other"), observation(1, 2),
    )  # fmt: skip
    dry = house.migrate(path, options=("--dry-run",))
    report = house.migrate(path)
    assert report["losses"] == dry["losses"]
    assert report["counts"] == {"traces": {"new": 1, "there": 0}, "spans": {"new": 2, "there": 0}}
    told = losses(report)
    assert "the first is kept" in told["trace.name"]
    assert "the first is kept" in told["span.id"]
    assert house.client.get(f"/v1/traces/{dashed}")["name"] == "t"
    assert len(house.kept) == 2
    assert oct(house.rejected.stat().st_mode)[-3:] == "600"


def test_times_that_are_naive_or_yet_to_come(house: House) -> None:
    path = house.write(
        "x.jsonl",
        trace(1, timestamp="2026-09-14T08:15:02.100"),
        trace(2, timestamp="2226-01-01T00:00:00Z"),
        trace(3, timestamp="soon"),
        observation(1, 1, startTime="2026-09-14T08:15:01.000Z", endTime="2026-09-14T08:15:00.000Z"),
        observation(2, 1, startTime=None),
    )
    dry = house.migrate(path, options=("--dry-run",))
    report = house.migrate(path)
    assert report["losses"] == dry["losses"]
    told = losses(report)
    assert "in the future" in told["trace.timestamp"]
    assert "without a time" in told["trace"]
    assert "before its trace" in told["span.start_time"]
    assert "before its start" in told["span.end_time"]
    first = house.client.get(f"/v1/traces/{1:032x}")
    assert first["created_at"] == 1_789_373_702
    assert [(span["start_time"], span["end_time"]) for span in first["spans"]] == [
        (0, 0),
        (None, 200),
    ]
    later = house.client.get(f"/v1/traces/{2:032x}")
    assert later["created_at"] <= time.time()
    assert later["metadata"]["timestamp_ms"] == 8_078_572_800_000


def test_what_is_too_large_is_sent_by_its_beginning_and_kept_whole(house: House) -> None:
    text = "x" * 30_000_000
    path = house.write(
        "x.jsonl", trace(1, input=text), observation(1, 1, output={"a": text}), observation(2, 1)
    )
    report = house.migrate(path)
    assert report["counts"]["spans"]["new"] == 2
    stored = house.client.get(f"/v1/traces/{1:032x}")
    assert stored["input"] == {"cut": 30_000_000, "begins": "x" * 1_000}
    assert stored["spans"][0]["metadata"]["output"]["cut"] > 30_000_000
    assert "only its beginning" in losses(report)["input"]
    kept = house.kept
    assert len(kept) == 2
    assert text in (kept[0]["record"].get("input"), kept[1]["record"].get("input"))


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


def test_prompts_that_break_our_rules_are_rejected_with_their_reason_and_kept(house: House) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLE"[:16]
    records = [
        prompt("Support Triage!", 1, labels=["production", "Production"]),
        prompt("welcome", 1), prompt("Welcome", 1, "Hello"), prompt("welcome", 1, "other"),
        prompt("welcome", "1.0.0", "same precedence"),
        prompt("big", 1, "x" * 2_000_000), prompt("key", 1, f"My key is {secret}"),
        prompt("a/1.0.0/b", 1), prompt("über/größe", 1), prompt("no", "v1"),
        {**prompt("odd", 1), "type": "chat", "prompt": [{"role": "wizard", "content": "x"}]},
    ]  # fmt: skip
    path = house.write("x.jsonl", *records)
    dry = house.migrate(path, options=("--dry-run",))
    report = house.migrate(path)
    again = house.migrate(path)
    assert report["losses"] == dry["losses"] == again["losses"]
    assert again["counts"]["prompt versions"]["new"] == again["counts"]["labels"]["new"] == 0
    names = {one["name"] for one in house.client.get("/v1/prompts")["items"]}
    assert {"Support-Triage", "welcome-2", "Welcome"} <= names
    rejected = {
        f"{one['record']['name']} {one['record']['version']}": one["reason"] for one in house.kept
    }
    assert {"welcome 1", "welcome 1.0.0", "big 1", "no v1", "odd 1"} <= rejected.keys()
    assert all(reason.startswith("rejected: ") for reason in rejected.values())
    assert house.client.get("/v1/sync")["rejected"] == []


@pytest.mark.parametrize(
    ("option", "current", "told"), [("keep", "1", True), ("move", "2", False), ("skip", "1", False)]
)
def test_a_label_that_exists_is_moved_only_if_that_is_said(
    house: House, option: str, current: str, *, told: bool
) -> None:
    house.migrate(house.write("x.jsonl", prompt("a", 1, labels=["production"])))
    path = house.write(
        "y.jsonl", prompt("a", 1), prompt("a", 2, "Two", labels=["production", "staging"])
    )
    report = house.migrate(path, options=("--labels", option))
    labels = {
        one["name"]: one["version_tag"] for one in house.client.get("/v1/prompts/a/labels")["items"]
    }
    assert labels["production"] == current
    assert ("staging" in labels) == (option != "skip")
    assert ("it points at another version" in str(report["losses"])) == told
    if option == "move":
        assert len(house.client.get("/v1/prompts/a/labels/production/history")["items"]) == 2


def test_what_is_published_otherwise_stays(house: House) -> None:
    house.client.post(
        "/v1/prompts",
        {"name": "a", "version": "1", "messages": [{"role": "user", "content": "Mine"}]},
    )
    report = house.migrate(house.write("x.jsonl", prompt("a", 1, "Theirs"), prompt("a", 2, "Two")))
    assert "it stays" in losses(report)["prompt.version"]
    assert (
        house.client.get("/v1/prompts/a?version=1")["content"]["messages"][0]["content"] == "Mine"
    )
    assert house.client.get("/v1/prompts/a")["version"]["version_tag"] == "2"


def test_what_retention_will_delete_is_told(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", env={"GITPROMPT_KEEP_DAYS": "30"}).start()
    try:
        house = House(server, "default", tmp_path)
        report = house.migrate(house.write("x.jsonl", trace(1, timestamp="2025-01-01T00:00:00Z")))
        assert report["keep_days"] == 30
        assert "GITPROMPT_KEEP_DAYS" in losses(report)["trace.timestamp"]
        assert (
            house.migrate(LANGFUSE[0], scopes="read,write", options=("--dry-run",))["keep_days"]
            is None
        )
    finally:
        server.stop()


def test_a_key_that_may_only_read_is_refused_and_nothing_is_written(house: House) -> None:
    said = house.said("--input", LANGFUSE[0], scopes="read", code=1)
    assert "403" in said
    assert house.client.get("/v1/traces/count")["count"] == 0
