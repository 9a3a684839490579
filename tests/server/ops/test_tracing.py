# SPDX-License-Identifier: Apache-2.0
"""The sidecar's own spans, and those that it passes on, as a real OTLP receiver gets them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gitprompt import config
from gitprompt.errors import UsageError
from tests.prometheus import free_port
from tests.world import WELCOME, Clone, Refused, Server, eventually


class Receiver(ThreadingHTTPServer):
    """An OTLP receiver: takes exports in protobuf, and keeps their spans."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans: list[tuple[dict[str, Any], Any]] = []
        self.headers: list[dict[str, str]] = []

    def named(self, name: str) -> list[Any]:
        return [span for _, span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        export = ExportTraceServiceRequest()
        export.ParseFromString(body)
        assert self.path == "/v1/traces"
        for resource in export.resource_spans:
            about = attributes(resource.resource)
            for scope in resource.scope_spans:
                self.server.spans.extend((about, span) for span in scope.spans)
        self.server.headers.append(dict(self.headers))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def attributes(carrier: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in carrier.attributes
    }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def post(server: Server, path: str, body: Any, **headers: str) -> Any:
    response = server.request(
        path, method="POST", content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )  # fmt: skip
    assert response.status_code < 300, response.text
    return response.json()


def test_requests_syncs_and_commits_are_exported(
    receiver: Receiver, clone: Clone, tmp_path: Path
) -> None:
    server = Server(
        tmp_path / "data",
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=acme", "OTEL_SERVICE_NAME": "prompts",
        },
    ).start()  # fmt: skip
    clone.commit("Add welcome", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    clone.push_all(server.remote())
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    server.request("/v1/prompts/welcome?render=false", headers={"traceparent": parent})
    server.request("/v1/prompts/ghost")
    post(server, "/v1/logs", {"prompt_name": "welcome", "version_tag": "1.0.0"})
    eventually(lambda: bool(receiver.named("GET /v1/prompts/{name}")))
    assert server.stop() == 0
    about, _ = receiver.spans[0]
    assert about["service.name"] == "prompts"
    assert {headers.get("x-tenant") for headers in receiver.headers} == {"acme"}
    found, missing = receiver.named("GET /v1/prompts/{name}")
    assert attributes(found) == {
        "http.request.method": "GET", "http.route": "/v1/prompts/{name}",
        "http.response.status_code": 200,
    }  # fmt: skip
    assert (found.trace_id.hex(), found.parent_span_id.hex()) == (parent[3:35], parent[36:52])
    assert found.kind == 2  # server
    assert 0 < found.end_time_unix_nano - found.start_time_unix_nano < 5e9
    assert attributes(missing)["http.response.status_code"] == 404
    assert not missing.parent_span_id
    synced = [attributes(span) for span in receiver.named("sync")]
    assert {"gitprompt.workspace": "default", "gitprompt.versions": 1, "gitprompt.labels": 0,
            "gitprompt.rejected": 0} in synced  # fmt: skip
    assert any(attributes(span)["gitprompt.writes"] >= 1 for span in receiver.named("commit"))
    assert receiver.named("POST /git/{workspace}.git/git-receive-pack")
    assert not any("welcome" in str(attributes(span)) for _, span in receiver.spans)


def test_ingested_spans_are_passed_on_once(receiver: Receiver, tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--otlp-endpoint", receiver.url + "/", "--forward-traces", "yes",
        env={"OTEL_BSP_SCHEDULE_DELAY": "200"},
    ).start()  # fmt: skip
    trace = "550e8400-e29b-41d4-a716-446655440000"
    post(server, "/v1/traces", {"trace_id": trace})
    spans = [
        {"span_id": "b7ad6b7169203331", "name": "llm", "status": "error", "start_time": 1000,
         "end_time": 2500, "metadata": {"model": "gpt-4o", "tokens_in": 7, "tools": ["a"],
                                        "nothing": None, "temperature": 0.5, "cached": True}},
        {"span_id": "my own id", "parent_id": "b7ad6b7169203331", "name": "child",
         "metadata": {"resource": {"service.name": "app"}}},
    ]  # fmt: skip
    for _ in range(2):
        post(server, f"/v1/traces/{trace}/spans", spans)
    eventually(lambda: bool(receiver.named("child")))
    assert server.stop() == 0
    [llm], [child] = receiver.named("llm"), receiver.named("child")
    assert llm.trace_id.hex() == child.trace_id.hex() == trace.replace("-", "")
    assert llm.span_id.hex() == child.parent_span_id.hex() == "b7ad6b7169203331"
    assert (llm.start_time_unix_nano, llm.end_time_unix_nano) == (1_000_000_000, 2_500_000_000)
    assert llm.status.code == 2
    assert attributes(llm) == {
        "gitprompt.workspace": "default", "model": "gpt-4o", "tokens_in": 7, "tools": '["a"]',
        "temperature": 0.5, "cached": True,
    }  # fmt: skip
    assert [about for about, span in receiver.spans if span.name == "child"] == [
        {"service.name": "app"}
    ]


def test_a_receiver_that_is_not_there_delays_no_answer_and_no_end(tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--otlp-endpoint", f"http://127.0.0.1:{free_port()}", "--forward-traces",
        "yes", env={"OTEL_BSP_SCHEDULE_DELAY": "100"},
    ).start()  # fmt: skip
    begin = time.monotonic()
    for _ in range(20):
        post(server, "/v1/logs", {"prompt_name": "welcome", "version_tag": "1.0.0"})
    assert time.monotonic() - begin < 5
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--otlp-endpoint", "collector:4318"], "no http:// or https:// URL"),
        (["--forward-traces", "yes"], "nowhere to forward"),
        (["--forward-traces", "maybe"], "neither yes nor no"),
    ],
)
def test_a_wrong_endpoint_is_told_at_the_start(
    tmp_path: Path, options: list[str], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        Server(tmp_path / "data", *options).start()


def test_without_an_endpoint_the_sdk_is_not_imported(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from gitprompt.config import ServerSettings\n"
        "from gitprompt.server.app import sidecar\n"
        "with sidecar(ServerSettings(data=sys.argv[1])):\n"
        "    print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_span_of_an_export_is_passed_on_whole(receiver: Receiver, tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", "--forward-traces", "yes",
        env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": receiver.url + "/v1/traces",
             "OTEL_BSP_SCHEDULE_DELAY": "200"},
    ).start()  # fmt: skip
    many = [{"key": f"k{at}", "value": {"intValue": str(at)}} for at in range(60)]
    told = {
        "traceId": "a" * 32, "spanId": "b" * 16, "name": "llm", "kind": 3, "traceState": "v=1",
        "startTimeUnixNano": "1764036000000000000", "endTimeUnixNano": "1764036001000000000",
        "status": {"code": 2, "message": "429 too many"}, "attributes": many,
        "events": [{"timeUnixNano": "1764036000123000000", "name": "first-token"}],
        "links": [{"traceId": "c" * 32, "spanId": "d" * 16,
                   "attributes": [{"key": "why", "value": {"stringValue": "retry"}}]}],
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]}
    scoped = [{"scope": {"name": "lib", "version": "2"}, "spans": [told]}]
    post(
        server, "/otlp/v1/traces", {"resourceSpans": [{"resource": resource, "scopeSpans": scoped}]}
    )
    eventually(lambda: bool(receiver.named("llm")))
    assert server.stop() == 0
    [llm] = receiver.named("llm")
    assert (llm.kind, llm.trace_state, llm.status.code) == (3, "v=1", 2)
    assert llm.status.message == "429 too many"
    assert attributes(llm) == {
        "gitprompt.workspace": "default",
        **{f"k{at}": at for at in range(60)},
    }
    [event], [link] = llm.events, llm.links
    assert (event.name, event.time_unix_nano) == ("first-token", 1764036000123000000)
    assert (link.trace_id.hex(), link.span_id.hex(), attributes(link)) == (
        "c" * 32, "d" * 16, {"why": "retry"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("env", "endpoint"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, "http://a/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a/v1/traces"}, "http://a/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/custom"}, "http://b/custom"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a",
          "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/custom"}, "http://b/custom"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a",
          "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://a/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
          "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http://a/v1/traces"),
    ],
)  # fmt: skip
def test_the_variables_of_the_sdk_mean_what_they_mean_everywhere(
    env: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert config.traces_endpoint(config.server_settings({})) == endpoint


def test_a_protocol_that_is_not_spoken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_PROTOCOL is grpc"):
        config.traces_endpoint(config.server_settings({}))
