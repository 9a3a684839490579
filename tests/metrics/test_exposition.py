# SPDX-License-Identifier: Apache-2.0
"""How /metrics is served: formats, tokens, addresses, settings, and what the sidecar tells of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitprompt import __version__
from tests.scraping import OPENMETRICS, scrape
from tests.world import WELCOME, Clone, Refused, Server


def test_a_new_server_has_everything_at_0(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    found = scrape(server)
    server.stop()
    for status in ("success", "error"):
        assert found("pipeline_duration_seconds_count", status=status) == 0
    assert found("sync_runs_total", driver="filesystem", result="error") == 0
    assert found("pipelines_active") == 0
    assert found("moved_tags") == found("rejected_refs") == found("index_versions") == 0
    assert found("metrics_label_overflow_total", name="model") == 0
    assert found("ingest_events_total", kind="span", result="rejected") == 0
    assert found("db_size_bytes", db="telemetry") > 0
    assert found("process_open_fds") > 0


def test_metrics_are_served_while_the_index_is_broken(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    path = server.data / "index.db"
    path.write_bytes(b"\0" * path.stat().st_size)
    for _ in range(3):
        assert scrape(server)("build_info", version=__version__) == 1
    server.stop()


def test_prompts_labels_and_moves_are_told(clone: Clone, tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    clone.commit("Add welcome", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    clone.push_all(server.remote())
    for version in ("1.0.0", "1.1.0"):
        if version == "1.1.0":
            clone.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
            clone.tag("welcome", version)
            clone.push_all(server.remote())
        server.request("/v1/prompts/welcome/labels/production", method="PUT",
                       headers={"Content-Type": "application/json"},
                       content=json.dumps({"version_tag": version}).encode())  # fmt: skip
    path = "/v1/prompts/welcome?label=production&variables[name]=A"
    etag = server.request(path).headers["etag"]
    assert server.request(path, headers={"If-None-Match": etag}).status_code == 304
    assert server.request("/v1/prompts/welcome?label=production").status_code == 400
    assert server.request("/v1/prompts/welcome?label=none").status_code == 404
    assert server.request("/v1/prompts/ghost").status_code == 404
    found = scrape(server)
    where = {"workspace": "default"}
    assert {key[1] for key in found.values if key[0] == "label_version_info"} == {
        frozenset({**where, "prompt": "welcome", "label": "production", "version": "1.1.0"}.items())
    }
    assert found("label_moves_total", label="production", **where) == 2
    results = {"ok": 1, "not_modified": 1, "invalid": 1, "not_found": 1}
    for result, number in results.items():
        assert found("prompt_requests_total", prompt="welcome", result=result, **where) == number
    assert found("prompt_requests_total", prompt="other", result="not_found", **where) == 1
    assert found("index_versions") == 2
    assert found("http_request_duration_seconds_count",
                 method="GET", route="/v1/prompts/{name}", status="304") == 1  # fmt: skip
    assert found("http_request_duration_seconds_count", method="POST", status="200",
                 route="/git/{workspace}.git/git-receive-pack") == 2  # fmt: skip
    assert found("http_request_duration_seconds_count", method="PUT", status="200",
                 route="/v1/prompts/{name}/labels/{label}") == 2  # fmt: skip
    server.stop()
    again = scrape(server.start())
    assert again("label_moves_total", label="production", **where) == 0
    server.stop()


def test_routes_are_templates_whatever_is_asked(server: Server) -> None:
    for path in ("/v1/traces/x/y/z", "/v1/runs/a/b", "/nothing", "/v1/prompts/a/labels/b/c/d",
                 "/git/x.git/HEAD", "/v1/prompts/a/labels/b/history", "/v1/evaluations/e/results"):  # fmt: skip
        server.request(path)
    server.request("/health", method="BREW")
    found = scrape(server)
    routes = found.labels("http_request_duration_seconds_count", "route")
    assert {"other", "/git/other", "/v1/prompts/other", "/v1/runs/{run_id}",
            "/v1/prompts/{name}/labels/{label}/history"} <= routes  # fmt: skip
    assert all("/a" not in route and "/x" not in route for route in routes)
    assert found.labels("http_request_duration_seconds_count", "method") <= {
        "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "other",
    }  # fmt: skip


def test_metrics_are_answered_without_a_redirect_and_with_the_format_asked_for(
    server: Server,
) -> None:
    plain = server.request("/metrics", key=None)
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    for accept in (OPENMETRICS, "text/html, application/openmetrics-text;q=0.5"):
        asked = server.request("/metrics", key=None, headers={"Accept": accept})
        assert asked.headers["content-type"].startswith(
            "application/openmetrics-text; version=1.0.0"
        )
        assert asked.text.endswith("# EOF\n")
    head = server.request("/metrics", method="HEAD", key=None)
    assert (head.status_code, head.content) == (200, b"")
    assert server.request("/metrics", method="POST", key=None).status_code == 405
    assert "_created" not in plain.text


def test_metrics_elsewhere_than_on_loopback_need_a_token(tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--host", "0.0.0.0", env={"GITPROMPT_METRICS_TOKEN": "s3cret-token"}
    ).start()
    refused = server.request("/metrics", key=None)
    assert refused.status_code == 401
    assert "GITPROMPT_METRICS_TOKEN" in refused.text
    assert "--metrics-auth" in refused.text
    assert server.request("/metrics", key=server.key("read")).status_code == 401
    assert server.request("/metrics", key=server.key("read", "*")).status_code == 200
    bearer = {"Authorization": "Bearer s3cret-token"}
    assert server.request("/metrics", key=None, headers=bearer).status_code == 200
    wrong = {"Authorization": "Bearer s3cret-tokem"}
    assert server.request("/metrics", key=None, headers=wrong).status_code == 401
    server.stop()
    assert "s3cret" not in server.logged()


def test_metrics_can_have_an_address_of_their_own(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--metrics-addr", "127.0.0.1:0").start()
    assert server.process is not None
    assert server.process.stdout is not None
    said = next(line for line in server.process.stdout if line.rstrip().endswith("/metrics"))
    url = said.split()[-1].removesuffix("/metrics")
    assert url != server.url
    assert server.request("/metrics").status_code == 404
    apart = Server(tmp_path / "x")
    apart.url = url
    assert scrape(apart)("build_info", version=__version__) == 1
    assert apart.request("/health", key=None).status_code == 200
    assert apart.request("/v1/prompts", key=server.key()).status_code == 404
    server.stop()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--metrics-namespace", "1x", "namespace"),
        ("--metrics-buckets", "pipeline_duration_seconds=5,1", "ascend"),
        ("--metrics-buckets", "pipeline_duration_seconds=1,inf", "finite"),
        ("--metrics-buckets", "nothing=1", "no histogram"),
        ("--metrics-buckets", "pipeline_duration_seconds", "name=value"),
        ("--metrics-caps", "model=0", "between 1 and"),
        ("--metrics-caps", "user=5", "no capped label"),
        ("--metrics-caps", "model=many", "Such as model=300"),
        ("--metrics-caps", "model=1;model=2", "appears twice"),
        ("--metrics-auth", "maybe", "not auto, none or token"),
        ("--metrics-addr", "here", "host:port"),
        ("--prices", "nowhere.yaml", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_told_at_the_start(
    tmp_path: Path, option: str, value: str, says: str
) -> None:
    with pytest.raises(Refused) as refused:
        Server(tmp_path / "data", option, value).start()
    assert says in refused.value.said
    assert "Traceback" not in refused.value.said


def test_a_port_for_the_metrics_that_is_in_use_is_told(server: Server, tmp_path: Path) -> None:
    taken = server.url.removeprefix("http://")
    with pytest.raises(Refused, match=r"in use[\s\S]*--metrics-addr"):
        Server(tmp_path / "data", "--metrics-addr", taken).start()


def test_a_scrape_is_gzipped_when_asked(server: Server) -> None:
    plain = server.request("/metrics", key=None, headers={"Accept-Encoding": "identity"})
    packed = server.request("/metrics", key=None, headers={"Accept-Encoding": "GZIP"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text.splitlines()[0] == plain.text.splitlines()[0]
    refused = server.request("/metrics", key=None, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers
