# SPDX-License-Identifier: Apache-2.0
"""Records that come twice."""

from __future__ import annotations

from tests.transfer.moving_in import House, losses, observation, trace


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
