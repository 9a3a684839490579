# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus that scrapes every second, and what ships for it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.pages import DEPLOY
from tests.world import eventually

PROMETHEUS = DEPLOY / "prometheus"

needs_prometheus = pytest.mark.skipif(
    not shutil.which("prometheus") or not shutil.which("promtool"),
    reason="prometheus and promtool are not installed (apt-get install prometheus)",
)


class Panel(NamedTuple):
    """One query of the dashboard."""

    title: str
    ref: str
    expr: str


def panels() -> list[Panel]:
    found = json.loads((DEPLOY / "grafana/gitprompt-dashboard.json").read_text())
    queries = [
        Panel(panel["title"], target["refId"], target["expr"])
        for panel in found["panels"]
        for target in panel.get("targets", ())
    ]
    notes = [Panel(one["name"], "note", one["expr"]) for one in found["annotations"]["list"]]
    return queries + notes


def filled(expr: str, namespace: str = "gitprompt", **variables: str) -> str:
    """A query as Grafana would send it."""
    values = {
        "__rate_interval": "1m", "__range": "5m", "provider": ".*", "model": ".*", "prompt": ".*",
        **variables,
    }  # fmt: skip
    expr = re.sub(r"\$(\w+)", lambda match: values[match[1]], expr)
    return expr.replace("gitprompt_", f"{namespace}_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=30)

    def query(self, expr: str) -> dict[frozenset[tuple[str, str]], float]:
        """The value of each series of an instant query, by its labels without target and job."""
        said = self.http.get("/query", params={"query": expr}).json()
        assert said["status"] == "success", (expr, said)
        result = said["data"]["result"]
        return {
            frozenset(
                (name, value)
                for name, value in one["metric"].items()
                if name not in ("__name__", "instance", "job")
            ): float(one["value"][1])
            for one in result
        }

    def value(self, expr: str) -> float | None:
        """The only value of a query; None where there is none."""
        found = list(self.query(expr).values())
        assert len(found) <= 1, (expr, found)
        return found[0] if found else None

    def scrapes(self) -> float:
        return self.value("sum(count_over_time(up[10m]))") or 0

    def wait_for_scrapes(self, number: int, targets: int = 1) -> None:
        """So many more scrapes of each target."""
        wanted = self.scrapes() + number * targets
        eventually(lambda: self.scrapes() >= wanted, seconds=60)

    def alerts(self) -> dict[str, str]:
        """Which alerts are pending or firing."""
        found = self.http.get("/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"]: one["state"] for one in found}


@contextmanager
def prometheus(
    folder: Path, targets: Sequence[str], *, namespace: str = "gitprompt"
) -> Iterator[Prometheus]:
    folder.mkdir()
    rules = (PROMETHEUS / "alerts.yml").read_text()
    (folder / "alerts.yml").write_text(rules.replace("gitprompt_", f"{namespace}_"))
    config: Mapping[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": "gitprompt", "static_configs": [{"targets": list(targets)}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=log, stderr=log,
    )  # fmt: skip
    found = Prometheus(f"http://127.0.0.1:{port}")

    def is_ready() -> bool:
        try:
            return httpx.get(f"{found.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually(is_ready, seconds=30)
        eventually(lambda: found.value("sum(up)") == len(targets), seconds=30)
        yield found
    finally:
        found.http.close()
        process.terminate()
        process.wait()
        log.close()
