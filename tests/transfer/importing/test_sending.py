# SPDX-License-Identifier: Apache-2.0
"""Telemetry is sent once, with times that can be; what is too large, or says two things, is told and kept."""

from __future__ import annotations

import time
from pathlib import Path

from tests.transfer.moving_in import LANGFUSE, House, losses, observation, trace
from tests.world import Server


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
