# SPDX-License-Identifier: Apache-2.0
"""What the demo sends says what the demo tells: the newest version does worse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitprompt.cli.client import Client
from gitprompt.cli.exchange import samples
from gitprompt.clock import now
from tests.world import Clone, Server


def test_the_samples_are_taken_and_say_that_the_third_version_does_worse(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        clone = Clone.init(tmp_path / "c")
        clone.write("evals/welcome-tone.yaml", "prompt_name: welcome\ncriteria: {min_score: 0.8}\n")
        clone.commit("Add a suite")
        clone.git("push", "-q", server.remote(), "main")
        with Client(server.url, server.key()) as client:
            number = samples.send(client, now())
        assert server.get("/v1/traces/count")["count"] == number
        found: list[dict[str, Any]] = server.get(
            "/v1/metrics/summary?window=7d&prompt_name=welcome"
        )["items"]
        by_version = {row["version_tag"]: row for row in found}
        old, new = by_version["1.0.0"], by_version["1.2.0"]
        assert new["error_rate"] > 3 * old["error_rate"]
        assert new["latency_p95_ms"] > 1.5 * old["latency_p95_ms"]
        assert new["mean_score"] < 0.8 < old["mean_score"]
        assert old["cost_usd"] > 0
        (agent,) = server.get("/v1/traces?tag=agent")["items"]
        assert agent["totals"]["spans"] > 30
        assert agent["totals"]["errors"] == 2
    finally:
        server.stop()
