# SPDX-License-Identifier: Apache-2.0
"""Instrumentations of others, unmodified, against a listening server: one call is one call in all of them.

They live in an environment of their own, which `make test-clients` makes; the model is a program that
answers as OpenAI does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.world import Server, eventually, run

PYTHON = Path(sys.prefix) / "clients" / "bin" / "python"
LANGFUSE_5 = Path(sys.prefix) / "clients-langfuse-5" / "bin" / "python"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PYTHON.exists(), reason="make test-clients makes their environment"),
]

_LANGFUSE = """
from langfuse import Langfuse
langfuse = Langfuse()
with langfuse.start_as_current_observation(as_type="agent", name="agent"):
    usage = {"input": 6, "input_cached_tokens": 4, "output": 15, "output_reasoning_tokens": 5}
    with langfuse.start_as_current_observation(
        as_type="generation", name="gen", model="gpt-4o", usage_details=usage):
        pass
    with langfuse.start_as_current_observation(as_type="tool", name="weather"):
        pass
langfuse.flush()
langfuse.shutdown()
"""
_SDK = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
"""
_CALL = """
OpenAIInstrumentor().instrument()
import openai
hello = {"role": "user", "content": "hi"}
openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[hello] * 24)
provider.shutdown()
"""
# Program, and how many calls of a model and of the tool "weather" it makes.
PROGRAMS: dict[str, tuple[str, int, int]] = {
    "OpenTelemetry": (
        _SDK
        + """
with trace.get_tracer("t").start_as_current_span("chat gpt-4o") as span:
    span.set_attributes({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 4})
    with trace.get_tracer("t").start_as_current_span("execute_tool weather") as tool:
        tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"})
provider.shutdown()
""",
        1,
        1,
    ),
    "OpenLLMetry": (
        _SDK + "from opentelemetry.instrumentation.openai import OpenAIInstrumentor" + _CALL, 1, 0,
    ),
    "OpenInference": (
        _SDK + "from openinference.instrumentation.openai import OpenAIInstrumentor" + _CALL, 1, 0,
    ),
    "Pydantic AI": (
        _SDK
        + """
from pydantic_ai import Agent
Agent.instrument_all()
agent = Agent("openai-chat:gpt-4o")
@agent.tool_plain
def weather(city: str) -> str:
    return "sunny"
agent.run_sync("hi")
provider.shutdown()
""",
        2,
        1,
    ),
    "Langfuse 4": (_LANGFUSE, 1, 1),
    "Langfuse 5": (_LANGFUSE, 1, 1),
    "MLflow": (
        """
import mlflow
with mlflow.start_span("chat", span_type="CHAT_MODEL") as span:
    span.set_attribute("mlflow.llm.model", "gpt-4o")
    span.set_attribute("mlflow.llm.provider", "openai")
    span.set_attribute("mlflow.chat.tokenUsage", {
        "input_tokens": 10, "output_tokens": 20, "total_tokens": 30, "cache_read_input_tokens": 4})
    with mlflow.start_span("weather", span_type="TOOL"):
        pass
mlflow.flush_trace_async_logging()
""",
        1,
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_call_is_one_call_in_every_instrumentation(
    name: str, server: Server, model: str, tmp_path: Path
) -> None:
    program, calls, tools = PROGRAMS[name]
    workspace = name.lower().replace(" ", "-")
    key = server.key(workspace=workspace)
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "x",
    }  # fmt: skip
    if name.startswith("Langfuse"):
        env |= {
            "LANGFUSE_HOST": server.url, "LANGFUSE_BASE_URL": server.url,
            "LANGFUSE_PUBLIC_KEY": f"pk-{workspace}", "LANGFUSE_SECRET_KEY": key,
        }  # fmt: skip
    else:
        env |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={key}",
        }
    if name == "MLflow":
        env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{server.url}/otlp/v1/traces"
    python = LANGFUSE_5 if name == "Langfuse 5" else PYTHON
    run(str(python), "-W", "ignore", "-c", program, cwd=tmp_path, env=env)

    def told(path: str) -> Any:
        return server.request(path, key=key).json()

    def facts() -> list[dict[str, Any]]:
        return [
            span["facts"]
            for trace in told("/v1/traces")["items"]
            for span in told(f"/v1/traces/{trace['trace_id']}")["spans"]
        ]

    eventually(lambda: len([one for one in facts() if one["kind"] == "llm"]) == calls)
    for call in (one for one in facts() if one["kind"] == "llm"):
        assert call == {
            "kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens_in": 10,
            "tokens_out": 20, "tokens_cached": 4, "cost_usd": 0.00022,
        }  # fmt: skip
    assert len([one for one in facts() if one["kind"] == "tool"]) == tools
    (item,) = told("/v1/metrics/summary")["items"]
    assert (item["calls"], item["tokens_in"], item["unpriced"]) == (calls, 10 * calls, 0)
    assert item["cost_usd"] == pytest.approx(0.00022 * calls)
