# SPDX-License-Identifier: Apache-2.0
"""What a scrape says, read by the client library's own parsers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.samples import Exemplar

from tests.world import Server

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Samples:
    """The samples of a scrape; names are without the namespace."""

    def __init__(self, families: Iterable[Metric], namespace: str = "gitprompt") -> None:
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.exemplars: dict[tuple[str, frozenset[tuple[str, str]]], Exemplar] = {}
        for family in families:
            for sample in family.samples:
                key = sample.name.removeprefix(f"{namespace}_"), frozenset(sample.labels.items())
                assert key not in self.values, f"{key} is there twice"
                self.values[key] = sample.value
                if sample.exemplar is not None:
                    self.exemplars[key] = sample.exemplar

    def __call__(self, name: str, /, **labels: str) -> float:
        """The value of one series. Raises KeyError where there is none."""
        return self.values[name, frozenset(labels.items())]

    def total(self, name: str, /, **labels: str) -> float:
        """The sum of the series that have these labels among theirs."""
        wanted = labels.items()
        return sum(
            value for (found, own), value in self.values.items() if found == name and wanted <= own
        )

    def labels(self, name: str, label: str) -> set[str]:
        """The values of a label."""
        return {dict(own)[label] for found, own in self.values if found == name}


def read(text: str, *, namespace: str = "gitprompt", is_openmetrics: bool = False) -> Samples:
    if is_openmetrics:
        return Samples(openmetrics(text), namespace)  # type: ignore[no-untyped-call]
    return Samples(plain(text), namespace)


def scrape(server: Server, *, namespace: str = "gitprompt", accept: str = "") -> Samples:
    with httpx.Client() as client:
        response = client.get(f"{server.url}/metrics", headers={"Accept": accept} if accept else {})
    assert response.status_code == 200, response.text
    return read(response.text, namespace=namespace, is_openmetrics="openmetrics" in accept)


class Posting:
    """Posts to a server of its own, and says what a post has added to a series."""

    def __init__(self, server: Server, namespace: str = "gitprompt") -> None:
        self.server = server
        self.namespace = namespace
        self.before = scrape(server, namespace=namespace)

    def post(self, path: str, body: Any, method: str = "POST") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = self.server.request(path, method=method, headers=headers, content=content)
        assert response.status_code < 300, response.text
        return response.json()

    def refused(self, path: str, body: Any) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = self.server.request(path, method="POST", headers=headers, content=content)
        assert response.status_code >= 400, response.text
        return response.status_code

    def trace(self, **more: Any) -> str:
        made: str = self.post("/v1/traces", {"prompt_name": "welcome", **more})["trace_id"]
        return made

    def span(self, trace: str, name: str, **more: Any) -> Any:
        body = {"name": name, "status": "ok", "start_time": 1000, "end_time": 1500, **more}
        return self.post(f"/v1/traces/{trace}/spans", body)

    def added(self) -> Added:
        """What there is more than at the last call."""
        before, self.before = self.before, scrape(self.server, namespace=self.namespace)
        return Added(before, self.before)


class Added:
    def __init__(self, before: Samples, after: Samples) -> None:
        self.before = before
        self.after = after

    def __call__(self, name: str, /, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return round(self.after.values[key] - self.before.values.get(key, 0.0), 9)

    @property
    def changed(self) -> dict[str, float]:
        """Totals by name, of the application's metrics that changed at all."""
        names = {name for name, _ in self.after.values}
        totals = {name: self.after.total(name) - self.before.total(name) for name in names}
        families = ("pipeline", "stage", "provider", "tool", "validation", "eval")
        return {
            name: round(total, 9)
            for name, total in totals.items()
            if total and name.startswith(families) and not name.endswith("_bucket")
        }
