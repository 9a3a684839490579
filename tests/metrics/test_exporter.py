# SPDX-License-Identifier: Apache-2.0
"""The exporter of the library: by itself, and inside other servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from gitprompt.metrics import (
    EventBus,
    Exporter,
    Metrics,
)
from tests.scraping import OPENMETRICS, read
from tests.world import eventually


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def exporter(metrics: Metrics) -> Iterator[Exporter]:
    with Exporter("127.0.0.1:0", metrics=metrics) as running:
        yield running


def fetch(exporter: Exporter, path: str = "/metrics", **options: Any) -> httpx.Response:
    return httpx.request(
        options.pop("method", "GET"), f"http://127.0.0.1:{exporter.port}{path}", **options
    )


class Broken:
    def collect(self) -> Iterator[Metric]:
        raise RuntimeError("it is broken")


class Wild:
    """A collector whose label cannot be encoded."""

    def collect(self) -> Iterator[Metric]:
        wild = GaugeMetricFamily("wild", "It is.", labels=["name"])
        wild.add_metric(["\ud800"], 1)
        yield wild


def test_it_serves_metrics_and_health_and_nothing_else(exporter: Exporter) -> None:
    found = fetch(exporter)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert read(found.text)("pipelines_active") == 0
    opened = fetch(exporter, headers={"Accept": OPENMETRICS})
    assert opened.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert read(opened.text, is_openmetrics=True)("pipelines_active") == 0
    assert fetch(exporter, "/health").text == "ok\n"
    assert fetch(exporter, "/other").status_code == 404
    assert fetch(exporter, "/metrics/more").status_code == 404
    assert fetch(exporter, method="POST").status_code == 405
    assert fetch(exporter, method="HEAD").content == b""


def test_a_token_is_asked_for_where_there_is_one(metrics: Metrics) -> None:
    with Exporter("127.0.0.1:0", metrics=metrics, token="s3cret") as exporter:
        assert fetch(exporter).status_code == 401
        assert fetch(exporter, headers={"Authorization": "Bearer s3cre"}).status_code == 401
        assert fetch(exporter, headers={"Authorization": "bearer s3cret"}).status_code == 200
        assert fetch(exporter, "/health").status_code == 200


def test_collectors_of_others_are_served_and_duplicates_refused(exporter: Exporter) -> None:
    counter = Counter("my_custom_metric", "Custom application metric", registry=None)
    exporter.must_register(counter)
    counter.inc(3)
    with pytest.raises(ValueError, match="my_custom_metric"):
        exporter.register(Counter("my_custom_metric", "Again", registry=None))
    with pytest.raises(ValueError, match="Duplicated"):
        exporter.register(Metrics())
    Counter("another", "Registered by itself", registry=exporter.registry).inc()
    text = fetch(exporter).text
    assert "my_custom_metric_total 3.0" in text
    assert "another_total 1.0" in text
    assert "_created" not in text
    exporter.registry.unregister(counter)
    assert "my_custom_metric" not in fetch(exporter).text


def test_a_collector_that_raises_is_left_out(
    exporter: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        exporter.must_register(Broken(), Wild())
        for accept in ("", OPENMETRICS):
            for _ in range(2):
                found = fetch(exporter, headers={"Accept": accept})
                assert found.status_code == 200
                assert "gitprompt_pipelines_active 0.0" in found.text
                assert "wild{" not in found.text
    assert len(caplog.records) == 2


def test_a_port_in_use_is_told_at_the_start(exporter: Exporter, metrics: Metrics) -> None:
    second = Exporter(f"127.0.0.1:{exporter.port}", metrics=metrics)
    with pytest.raises(OSError, match="in use"):
        second.start()
    assert second.shutdown()


def test_what_is_none_is_refused_at_once(metrics: Metrics) -> None:
    nothing: Any = 1
    with pytest.raises(TypeError, match="no collector"):
        Exporter(metrics=metrics).register(nothing)
    with pytest.raises(TypeError, match="PriceTable"):
        Metrics(prices=nothing)
    with pytest.raises(ValueError, match="one event"):
        EventBus(capacity=0)


@pytest.mark.parametrize("address", ["", "9090", ":", ":x", ":70000", "host:", "a:1:b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Exporter(address)


def test_it_listens_on_ipv6_too(metrics: Metrics) -> None:
    with Exporter("[::1]:0", metrics=metrics) as exporter:
        assert httpx.get(f"http://[::1]:{exporter.port}/health").text == "ok\n"


def test_a_scrape_in_flight_finishes_while_it_shuts_down(metrics: Metrics) -> None:
    inside, release = threading.Event(), threading.Event()

    class Slow:
        def describe(self) -> list[Metric]:
            return []

        def collect(self) -> Iterator[Metric]:
            inside.set()
            release.wait()
            yield GaugeMetricFamily("slow", "It is.", value=1)

    exporter = Exporter("127.0.0.1:0", metrics=metrics)
    exporter.register(Slow())
    exporter.start()
    texts: list[str] = []
    scraping = threading.Thread(target=lambda: texts.append(fetch(exporter).text))
    scraping.start()
    inside.wait()
    assert not exporter.shutdown(timeout=0.2)
    release.set()
    assert exporter.shutdown()
    assert exporter.shutdown()
    scraping.join()
    assert "slow 1.0" in texts[0]
    with pytest.raises(httpx.ConnectError):
        fetch(exporter)
    with pytest.raises(RuntimeError):
        exporter.start()


def test_serve_forever_ends_with_shutdown(metrics: Metrics) -> None:
    exporter = Exporter("127.0.0.1:0", metrics=metrics)
    serving = threading.Thread(target=exporter.serve_forever)
    serving.start()
    eventually(lambda: exporter.port != 0)
    assert fetch(exporter, "/health").status_code == 200
    begin = time.monotonic()
    assert exporter.shutdown()
    serving.join(timeout=5)
    assert not serving.is_alive()
    assert time.monotonic() - begin < 2


def test_a_client_that_says_nothing_keeps_nobody_waiting(exporter: Exporter) -> None:
    with socket.create_connection(("127.0.0.1", exporter.port)):
        assert fetch(exporter).status_code == 200
        assert exporter.shutdown()


def test_it_may_start_again_at_once_on_the_same_port(metrics: Metrics) -> None:
    with Exporter("127.0.0.1:0", metrics=metrics) as first:
        assert fetch(first).status_code == 200
        address = f"127.0.0.1:{first.port}"
    with Exporter(address, metrics=metrics) as second:
        assert fetch(second).status_code == 200


def test_it_is_an_asgi_application_under_any_path(metrics: Metrics) -> None:
    app = Exporter(metrics=metrics).asgi_app()
    site = Starlette(routes=[Route("/metrics", app), Mount("/monitoring", app)])

    async def ask(application: Any, *paths: str) -> list[int]:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return [(await client.get(path)).status_code for path in paths]

    paths = (
        "/metrics",
        "/monitoring/metrics",
        "/monitoring/health",
        "/monitoring/x",
        "/monitoring/",
    )
    assert asyncio.run(ask(site, *paths)) == [200, 200, 200, 404, 200]
    assert asyncio.run(ask(app, "/metrics", "/health", "/x", "/")) == [200, 200, 404, 404]


def test_it_is_a_wsgi_application(metrics: Metrics) -> None:
    said: list[str] = []
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/metrics"
    app = Exporter(metrics=metrics).wsgi_app()
    body = b"".join(app(environ, lambda status, _headers: said.append(status)))
    assert said == ["200 OK"]
    assert b"gitprompt_pipelines_active 0.0" in body
