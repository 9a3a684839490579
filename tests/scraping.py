# SPDX-License-Identifier: Apache-2.0
"""What a scrape says, read by the client library's own parsers."""

from __future__ import annotations

from collections.abc import Iterable

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
