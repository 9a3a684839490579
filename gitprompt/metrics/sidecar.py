# SPDX-License-Identifier: Apache-2.0
"""What the sidecar records in addition: requests, ingest, syncs, labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitprompt.metrics import families
from gitprompt.metrics.families import FAMILIES, Family
from gitprompt.metrics.recorder import Metrics


class SidecarMetrics(Metrics):
    """All metrics, those of applications too; `options` are those of `Metrics`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(families=FAMILIES, **options)

    def record_http(self, method: str, route: str, status: int, seconds: float) -> None:
        """`method` and `route` (a template) are of a fixed set."""
        with self._lock:
            self._known.http(method, route, status).observe(seconds)

    def record_prompt_request(self, workspace: str, prompt: str, result: str) -> None:
        with self._lock:
            self._known.prompt(workspace, prompt)[result].value += 1

    def record_ingest(self, kind: str, result: str, number: int = 1) -> None:
        """`kind` and `result` are of a fixed set."""
        with self._lock:
            self._known.of(families.INGEST_EVENTS).cell(kind, result).value += number

    def record_commit(self, seconds: float) -> None:
        with self._lock:
            self._known.of(families.INGEST_COMMIT).histogram().observe(seconds)

    def record_sync(self, driver: str, result: str, seconds: float | None) -> None:
        """`seconds` None: it could not even begin."""
        with self._lock:
            self._known.of(families.SYNC_RUNS).cell(driver, result).value += 1
            if seconds is not None:
                self._known.of(families.SYNC_DURATION).histogram().observe(seconds)

    def record_label_moves(self, workspace: str, label: str, number: int) -> None:
        with self._lock:
            self._known.moves(workspace, label).value += number

    def know_driver(self, driver: str) -> None:
        """Have the counters of a driver's syncs at 0."""
        with self._lock:
            for result in ("success", "error"):
                self._known.of(families.SYNC_RUNS).cell(driver, result)

    def set_gauge(self, gauge: Family, value: float, *labels: str) -> None:
        with self._lock:
            self._known.of(gauge).cell(*labels).value = value

    def set_label_versions(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """All labels: (workspace, prompt, label, version). What is not among them is gone; prompts
        beyond the cap are left out."""
        with self._lock:
            self._known.forget_pointing()
            for workspace, prompt, label, version in rows:
                cell = self._known.pointing(workspace, prompt, label, version)
                if cell is not None:
                    cell.value = 1.0
                    self._known.moves(workspace, label)
