# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's own exporters, as they come: each encoding and compression, and what is not kept."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from tests.clients.test_instrumentations import PYTHON
from tests.world import Server, run

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PYTHON.exists(), reason="make test-clients makes their environment"),
]
_SPANS = """
import sys
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
exporter = OTLPSpanExporter(compression=Compression[sys.argv[1]])
results = []
export = exporter.export
exporter.export = lambda spans: results.append(export(spans)) or results[-1]
provider.add_span_processor(SimpleSpanProcessor(exporter))
with provider.get_tracer("t").start_as_current_span(sys.argv[2]) as span:
    span.add_event("first-token")
provider.shutdown()
print([result.name for result in results])
"""
_OTHERS = """
import logging
import sys
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry._logs import LogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
logging.basicConfig(level=logging.WARNING)
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
meters.get_meter("t").create_counter("c").add(1)
usage = meters.get_meter("t").create_histogram("gen_ai.client.token.usage")
usage.record(120, {"gen_ai.token.type": "input"})
meters.shutdown()
loggers = LoggerProvider()
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
loggers.get_logger("t").emit(LogRecord(body="hello"))
loggers.get_logger("judge").emit(LogRecord(
    event_name="gen_ai.evaluation.result",
    attributes={"gen_ai.evaluation.name": sys.argv[1], "gen_ai.evaluation.score.value": 0.5}))
loggers.shutdown()
"""


def environment(server: Server, base: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": server.url + base,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {server.key()}",
    }  # fmt: skip


@pytest.mark.parametrize("base", ["", "/otlp", "/api/public/otel"])
@pytest.mark.parametrize("compression", ["NoCompression", "Gzip", "Deflate"])
def test_spans_arrive_by_every_door_in_every_compression(
    server: Server, base: str, compression: str, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex
    said = run(
        str(PYTHON), "-W", "ignore", "-c", _SPANS, compression, name, cwd=tmp_path,
        env=environment(server, base),
    )  # fmt: skip
    assert said.strip() == "['SUCCESS']"
    (trace,) = server.request(f"/v1/traces?name={name}").json()["items"]
    (span,) = server.request(f"/v1/traces/{trace['trace_id']}").json()["spans"]
    (event,) = span["metadata"]["events"]
    assert event["name"] == "first-token"
    assert span["start_time"] <= event["time_unix_nano"] // 1_000_000 <= span["end_time"]


@pytest.mark.parametrize("base", ["", "/otlp"])
def test_exporters_of_logs_and_metrics_log_no_error_and_what_is_ours_is_kept(
    server: Server, base: str, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex
    said = run(
        str(PYTHON), "-W", "ignore", "-c", _OTHERS, name, cwd=tmp_path,
        env=environment(server, base),
    )  # fmt: skip
    assert "ERROR" not in said
    assert "Failed" not in said
    (score,) = server.request(f"/v1/scores?name={name}").json()["items"]
    assert (score["value"], score["source"]) == (0.5, "judge")
    points = server.request("/v1/metrics?name=gen_ai.client.token.usage.sum&agg=last").json()
    assert points["points"][-1]["value"] == 120


def test_the_environment_of_the_programs_is_not_ours() -> None:
    assert str(PYTHON).startswith(sys.prefix)
    said = run(
        str(PYTHON), "-c", "import importlib.util as u; print(u.find_spec('gitprompt'))", cwd="/"
    )
    assert said.strip() == "None"
