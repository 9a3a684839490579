# SPDX-License-Identifier: Apache-2.0
"""Real telemetry → a real server → a real Prometheus → every panel and every alert that ships."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gitprompt import __version__
from tests.pages import blocks
from tests.prometheus import (
    PROMETHEUS,
    Panel,
    filled,
    free_port,
    needs_prometheus,
    panels,
    prometheus,
)
from tests.scraping import OPENMETRICS
from tests.world import WELCOME, Clone, Server, eventually, run

pytestmark = [needs_prometheus, pytest.mark.clients]

N = 10  # of everything that is posted, after one of each
PROVIDERS = "openai|acme"  # what the dashboard's variable is set to: the slow one is not looked at


class Posts:
    """What an application posts."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def send(self, path: str, body: Any, method: str = "POST") -> Any:
        return self.server.request(
            path, method=method, headers={"Content-Type": "application/json"},
            content=json.dumps(body).encode(),
        )  # fmt: skip

    def post(self, path: str, body: Any) -> Any:
        response = self.send(path, body)
        assert response.status_code < 300, response.text
        return response.json()

    def call(self, **fields: Any) -> None:
        self.post("/v1/logs", {
            "prompt_name": "welcome", "version_tag": "1.0.0", "provider": "openai",
            "model": "gpt-4o", "latency_ms": 2_000, "cost_usd": 0, **fields,
        })  # fmt: skip


class Load(Posts):
    """Posts known numbers of everything."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.trace = self.post("/v1/traces", {"prompt_name": "welcome"})["trace_id"]
        self.moves = 0
        for version in ("1.0.0", "1.1.0"):
            self.post("/v1/prompts", {
                "name": "welcome", "version": version,
                "messages": [{"role": "user", "content": f"Hello {version}!"}],
            })  # fmt: skip
        self.post("/v1/evaluations", {
            "name": "strict", "prompt_name": "welcome", "criteria": {"min_score": 0.8},
        })  # fmt: skip
        self.post("/v1/runs", {"workflow_name": "stays"})

    def go(self, number: int) -> None:
        for status in ("completed", "failed") * number:
            self.post("/v1/runs", {"workflow_name": "w", "status": status, "start_time": 0,
                                   "end_time": 3_000})  # fmt: skip
        for _ in range(number):
            self.call(tokens_in=100, tokens_cached=20, tokens_out=50, cost_usd=0.5)
            self.call(status="error")
            self.call(provider="acme", model="x", tokens_in=10, cost_usd=None)
            self.call(provider="slow", model="snail", latency_ms=45_000, tokens_in=200_000)
            assert self.send("/v1/logs", {"status": "ok"}).status_code == 422
            for score in (0.5, 0.9):
                self.post("/v1/evaluations/strict/results", {"score": score})
            self.server.get("/v1/prompts/welcome")
            assert self.server.request("/v1/prompts/welcome?version=9.9.9").status_code == 404
            self.moves += 1
            version = "1.1.0" if self.moves % 2 else "1.0.0"
            path = "/v1/prompts/welcome/labels/production"
            assert self.send(path, {"version_tag": version}, method="PUT").status_code == 200
        self.post(f"/v1/traces/{self.trace}/spans", list(self.spans()) * number)

    def spans(self) -> Iterator[Mapping[str, Any]]:
        for status in ("ok", "error"):
            for name, metadata in (
                ("search", {"kind": "tool"}), ("extra", {"kind": "tool"}),
                ("parse", {"stage_type": "transform"}),
            ):  # fmt: skip
                yield {"name": name, "status": status, "start_time": 0, "end_time": 300,
                       "metadata": metadata}  # fmt: skip
            yield {"name": "pii", "start_time": 0, "end_time": 20,
                   "metadata": {"kind": "validator", "passed": status == "ok"}}  # fmt: skip


Found = dict[frozenset[tuple[str, str]], float]


def labelled(value: Any, **labels: str) -> tuple[frozenset[tuple[str, str]], Any]:
    return frozenset(labels.items()), value


def expectations(servers: int) -> Mapping[tuple[str, str], Callable[[Found], None]]:
    """What each query must answer, N of everything having come to each of the servers within the
    minute."""
    total = N * servers
    every = total + servers  # where the series is at 0 from the start, the first one counts too

    def series(expected: Mapping[str, float], share: float) -> Callable[[Found], None]:
        """Of a rate or an increase, which Prometheus extrapolates to the ends of its window: by the
        label values in one string."""

        def check(found: Found) -> None:
            said = {
                " ".join(value for _, value in sorted(key)): value for key, value in found.items()
            }
            for name, number in expected.items():
                assert said.pop(name) == pytest.approx(number * share, rel=0.25, abs=1e-9), (
                    name,
                    number,
                )
            assert not any(said.values()), said

        return check

    def per_second(**expected: float) -> Callable[[Found], None]:
        return series(
            {name.replace("__", " ").replace("_x_", "-"): n for name, n in expected.items()}, 1 / 60
        )

    def exactly(value: float) -> Callable[[Found], None]:
        def check(found: Found) -> None:
            assert list(found.values()) == [pytest.approx(value, rel=1e-6)], found

        return check

    def between(low: float, high: float, *names: str) -> Callable[[Found], None]:
        def check(found: Found) -> None:
            assert found
            said = {" ".join(value for _, value in sorted(key)) for key in found}
            assert said >= set(names), said
            values = [value for value in found.values() if value == value]  # NaN: nothing came
            assert values
            assert all(low <= value <= high for value in values), found

        return check

    def quantile(value: float) -> Callable[[Found], None]:
        def check(found: Found) -> None:
            for number in found.values():
                assert number == pytest.approx(value, rel=1e-3)
            assert found

        return check

    def pointed_at(found: Found) -> None:
        assert found == dict([
            labelled(1, workspace="default", prompt="welcome", label="production",
                     version="1.1.0" if (N + 1) % 2 else "1.0.0"),
        ])  # fmt: skip

    def latency(found: Found) -> None:
        said = {dict(key)["le"]: value for key, value in found.items()}
        assert said["0.25"] == 0
        assert said["0.5"] == said["+Inf"] == pytest.approx(2 * total, rel=0.25)

    return {
        ("Active pipelines", "A"): exactly(servers),
        ("Completion rate", "A"): per_second(**{"": every}),
        ("Error rate", "A"): exactly(0.5),
        ("p95 duration", "A"): quantile(2.5 + 2.5 * 0.95),
        ("Total cost", "A"): series({"": 0.5 * total}, 1),
        ("Total tokens", "A"): series({"": 160 * total}, 1),
        ("Stage latency", "A"): latency,
        ("Stage p95", "A"): quantile(0.25 + 0.25 * 0.95),
        ("Stage throughput", "A"): per_second(parse__success=total, parse__error=total),
        ("API latency", "A"): quantile(1 + 1.5 * 0.5),
        ("API latency", "B"): quantile(1 + 1.5 * 0.95),
        ("API latency", "C"): quantile(1 + 1.5 * 0.99),
        ("Request rate", "A"): series(
            {"gpt-4o openai success": total, "gpt-4o openai error": total, "x acme success": total}, 1 / 60
        ),
        ("Request errors", "A"): series({"": 1 / 3}, 1),
        ("Token consumption", "A"): per_second(input=90 * total, cached=20 * total, output=50 * total),
        ("Cost per hour", "A"): series({"gpt-4o openai": 0.5 * total * 60}, 1),
        ("Unpriced calls", "A"): per_second(x__acme=total),
        ("Tool call p95", "A"): quantile(0.25 + 0.25 * 0.95),
        ("Tool calls", "A"): per_second(
            success__search=total, error__search=total, success__other=total, error__other=total
        ),
        ("Validations", "A"): per_second(
            passed__pii=total, failed__pii=total, passed__strict=total, failed__strict=total
        ),
        ("Validation p95", "A"): lambda found: quantile(0.01 + 0.015 * 0.95)(
            {key: value for key, value in found.items() if value == value}
        ),
        ("Mean score", "A"): series({"strict": 0.7}, 1),
        ("Evaluations", "A"): per_second(passed__strict=total, failed__strict=total),
        ("What labels point at", "A"): pointed_at,
        ("Label moves", "A"): series({"production default": total}, 1),
        ("Label moves", "note"): series({"production default": total}, 1),
        ("Prompt requests", "A"): per_second(welcome=2 * total),
        ("Refused prompt requests", "A"): per_second(**{"": total}),
        ("Moved version tags", "A"): exactly(0),
        ("Rejected refs", "A"): exactly(0),
        ("Versions", "A"): exactly(2 * servers),
        ("Since last sync", "A"): between(-1, 10),
        ("Ingest queue", "A"): exactly(0),
        ("Labels that overflow", "A"): series({"": 2 * every}, 1),
        ("HTTP p99", "A"): between(0, 10, "/v1/logs", "/v1/prompts/{name}", "/metrics"),
        ("HTTP requests", "A"): between(0, 10 * total, "GET 200", "POST 202", "POST 422", "GET 404"),
        ("Ingest", "A"): per_second(
            log__stored=4 * every, log__rejected=every, run__stored=2 * every + servers,
            result__stored=2 * every, span__stored=8 * every, trace__stored=servers,
        ),
        ("Commit p99", "A"): between(0, 10),
        ("Syncs", "A"): between(0, 10 * servers, "filesystem success", "filesystem error"),
        ("Sync p95", "A"): between(0, 10),
        ("Databases", "A"): between(1_000, 1e9, "index", "telemetry"),
        ("Memory", "A"): between(2e7, 1e9, __version__),
        ("Processor", "A"): between(0, 4, __version__),
    }  # fmt: skip


ALERTS: Mapping[str, str] = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


def test_every_panel_is_expected() -> None:
    assert {(panel.title, panel.ref) for panel in panels()} == set(expectations(1))


@pytest.mark.parametrize(
    ("namespace", "number"), [("gitprompt", 1), ("promptkit", 1), ("gitprompt", 2)]
)
def test_every_panel_shows_what_was_posted(tmp_path: Path, namespace: str, number: int) -> None:
    servers = [
        Server(tmp_path / f"data{at}", "--metrics-namespace", namespace, "--metrics-caps", "tool=1").start()
        for at in range(number)
    ]  # fmt: skip
    targets = [server.url.removeprefix("http://") for server in servers]

    def show(panel: Panel) -> Found:
        return real.query(filled(panel.expr, namespace, provider=PROVIDERS))

    try:
        with prometheus(tmp_path / "prometheus", targets, namespace=namespace) as real:
            real.wait_for_scrapes(2, number)
            shown = {panel.title: show(panel) for panel in panels()}
            for title in ("Error rate", "Request errors", "Total cost", "Moved version tags"):
                assert list(shown[title].values()) == [0], f"{title} of a healthy server"
            assert real.alerts() == {}
            loads = [Load(server) for server in servers]
            for load in loads:
                load.go(1)  # a series must be there before an increase of it can be seen
            real.wait_for_scrapes(2, number)
            for load in loads:
                load.go(N)
            real.wait_for_scrapes(2, number)
            expected = expectations(number)
            table = []
            for panel in panels():
                found = show(panel)
                expected[panel.title, panel.ref](found)
                table.append((panel, found))
            exact = real.value(f"sum({namespace}_provider_requests_total)")
            assert exact == 4 * (N + 1) * number
            values = {name: real.query(filled(expr, namespace)) for name, expr in ALERTS.items()}
            alerts = [(Panel(name, "alert", ALERTS[name]), found) for name, found in values.items()]
            if os.environ.get("PANEL_TABLE") and (namespace, number) == ("gitprompt", 1):
                write_table(table + alerts, Path(os.environ["PANEL_TABLE"]))
            assert list(values["HighPipelineErrorRate"].values()) == [pytest.approx(0.5)]
            assert values["HighProviderLatency"] == dict(
                [labelled(pytest.approx(30 + 30 * 0.95), provider="slow", model="snail")]
            )
            tokens = (200_160 * N) * number
            assert list(values["HighTokenConsumption"].values()) == [
                pytest.approx(tokens, rel=0.25)
            ]
            assert list(values["IngestRejecting"].values()) == [pytest.approx(0.2)]
            for name in ("SyncFailing", "IndexStale", "VersionTagMoved"):
                assert values[name] == {}
            eventually(lambda: len(real.alerts()) == 4)
    finally:
        for server in servers:
            server.stop()


def write_table(table: list[tuple[Panel, Found]], path: Path) -> None:
    """For whoever wants to see the values that were returned."""
    with path.open("w") as file:
        for panel, found in table:
            values = "; ".join(
                f"{' '.join(value for _, value in sorted(key))} {number:.4g}".strip()
                for key, number in sorted(found.items(), key=lambda one: sorted(one[0]))
                if number
            )
            file.write(
                f"| {panel.title} ({panel.ref}) | `{' '.join(panel.expr.split())}` | {values or 0} |\n"
            )


def test_every_alert_goes_pending_under_the_failure_it_is_for(clone: Clone, tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    clone.commit("Add welcome", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    for workspace in ("default", "broken"):
        clone.push_all(server.remote(workspace=workspace))
    server.stop()
    shutil.rmtree(server.data / "repos/broken.git/objects")
    server.start()
    target = server.url.removeprefix("http://")
    try:
        with prometheus(tmp_path / "prometheus", [target]) as real:
            load = Posts(server)
            for number in (1, N):
                for _ in range(number):
                    load.post("/v1/runs", {"workflow_name": "w", "status": "failed"})
                    load.call(latency_ms=45_000, tokens_in=200_000)
                    assert load.send("/v1/logs", {}).status_code == 422
                real.wait_for_scrapes(2)
            clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
            clone.git("push", server.remote(), "main")
            hosted = server.data / "repos/default.git"
            run(
                "git",
                "update-ref",
                "refs/tags/prompts/welcome/1.0.0",
                "refs/heads/main",
                cwd=hosted,
            )
            eventually(lambda: set(real.alerts()) == set(ALERTS) - {"NodeDown"}, seconds=30)
            assert real.value("sum(gitprompt_moved_tags)") == 1
            server.stop()
            eventually(lambda: "NodeDown" in real.alerts(), seconds=30)
    finally:
        server.stop()


def test_a_program_with_only_the_library_is_scraped(tmp_path: Path) -> None:
    """The example of docs/metrics.md, as it is printed but for its port."""
    port = free_port()
    program = blocks("docs/metrics.md", "python")[0].replace(":9090", f"127.0.0.1:{port}", 1)
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", program])
    try:
        with prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}"]) as real:
            eventually(lambda: real.value("sum(gitprompt_provider_requests_total)") == 2)
            assert real.value("gitprompt_pipelines_active") == 0
            assert real.value('gitprompt_pipeline_duration_seconds_count{status="success"}') == 1
            tokens = 'gitprompt_provider_tokens_total{type="cached",model="gpt-4o"}'
            assert real.value(tokens) == 20
            assert real.value("sum(gitprompt_provider_cost_total)") == 0.05
            assert (
                real.value('gitprompt_provider_request_duration_seconds_sum{model="claude-3"}')
                == 2.5
            )
            assert (
                real.value('gitprompt_stage_elements_total{stage="retrieve",status="success"}') == 1
            )
            for panel in panels():
                real.query(filled(panel.expr))  # those of the application show it too
    finally:
        process.terminate()
    assert process.wait() == 0


def promtool(*command: str, stdin: str = "", cwd: Path | None = None) -> str:
    done = subprocess.run(
        ["promtool", *command], input=stdin, capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_and_configuration_are_right(tmp_path: Path) -> None:
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))
    promtool("check", "rules", str(PROMETHEUS / "alerts.yml"))
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml", cwd=PROMETHEUS)
    tested = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tested for case in test["alert_rule_test"]]
    for name in ALERTS:
        outcomes = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == name}
        assert outcomes == {True, False}, name


def test_promtool_finds_nothing_wrong_with_a_scrape(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    load = Load(server)
    load.go(1)
    text = server.request("/metrics", key=None).text
    server.stop()
    assert promtool("check", "metrics", stdin=text) == ""


def test_a_scrape_while_the_server_stops_is_whole_or_refused(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    texts: list[str] = []
    headers = {"Accept": OPENMETRICS}
    with httpx.Client() as client:
        texts.append(client.get(f"{server.url}/metrics", headers=headers).text)
        assert server.process is not None
        server.process.terminate()
        for _ in range(50):
            try:
                texts.append(client.get(f"{server.url}/metrics", headers=headers).text)
            except httpx.TransportError:
                break
    assert server.stop() == 0
    assert all(text.endswith("# EOF\n") for text in texts)
