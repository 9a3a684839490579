# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's exporters of JavaScript, and the Vercel AI SDK, against a listening server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.npm import npm_folder
from tests.world import Server, run

pytestmark = pytest.mark.clients
PACKAGES = (
    "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-http@0.223.0",
    "@opentelemetry/exporter-trace-otlp-proto@0.223.0", "ai@6.0.326", "@ai-sdk/openai@3.0.141",
    "zod@4.6.7",
)  # fmt: skip
CALL = {
    "kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens_in": 10, "tokens_out": 20,
    "tokens_cached": 4, "cost_usd": 0.00022,
}  # fmt: skip
_PROVIDER = """
import { NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${process.argv[2]}`);
const exporter = new OTLPTraceExporter({ compression: process.argv[3] });
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
"""
_SPAN = (
    _PROVIDER
    + """
provider.getTracer("t").startSpan("chat gpt-4o", { kind: 2, attributes: {
  "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10,
  "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 4 } }).end();
await provider.shutdown();
"""
)
_AGENT = (
    _PROVIDER
    + """
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";
provider.register();
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: "x" });
const inputSchema = z.object({ city: z.string() });
const weather = tool({ description: "The weather", inputSchema, execute: async () => "sunny" });
await generateText({
  model: openai.chat("gpt-4o"), prompt: "hi", tools: { weather }, stopWhen: stepCountIs(3),
  experimental_telemetry: { isEnabled: true, metadata: { sessionId: "s-1", userId: "ada" } },
});
await provider.shutdown();
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages."""
    folder = npm_folder(tmp_path_factory.mktemp("javascript"), PACKAGES)
    (folder / "span.mjs").write_text(_SPAN)
    (folder / "agent.mjs").write_text(_AGENT)
    return folder


def told(server: Server, workspace: str) -> list[dict[str, Any]]:
    key = server.key(workspace=workspace)
    return [
        server.request(f"/v1/traces/{trace['trace_id']}", key=key).json()
        for trace in server.request("/v1/traces", key=key).json()["items"]
    ]


def play(
    folder: Path, server: Server, model: str, workspace: str, program: str, *arguments: str
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/otlp",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={server.key(workspace=workspace)}",
        "OPENAI_BASE_URL": model,
    }
    run("node", program, *arguments, cwd=folder, env=environment)


@pytest.mark.parametrize("encoding", ["http", "proto"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_spans_arrive_in_json_and_protobuf(
    folder: Path, server: Server, model: str, encoding: str, compression: str
) -> None:
    workspace = f"js-{encoding}-{compression}"
    play(folder, server, model, workspace, "span.mjs", encoding, compression)
    (trace,) = told(server, workspace)
    (span,) = trace["spans"]
    assert span["facts"] == CALL
    assert span["metadata"]["span_kind"] == "client"


def test_an_agent_of_the_vercel_ai_sdk_makes_two_calls_and_uses_a_tool(
    folder: Path, server: Server, model: str
) -> None:
    play(folder, server, model, "vercel", "agent.mjs", "proto", "gzip")
    (trace,) = told(server, "vercel")
    assert (trace["name"], trace["session_id"], trace["user_id"]) == (
        "ai.generateText",
        "s-1",
        "ada",
    )
    kinds = {span["name"]: span["facts"] for span in trace["spans"]}
    assert kinds["ai.generateText"]["kind"] == "other"
    assert kinds["ai.toolCall"] == {"kind": "tool", "name": "weather"}
    assert [span["facts"] for span in trace["spans"] if span["facts"]["kind"] == "llm"] == [
        CALL
    ] * 2
    key = server.key(workspace="vercel")
    (item,) = server.request("/v1/metrics/summary", key=key).json()["items"]
    assert (item["calls"], item["tokens_in"], item["tokens_cached"]) == (2, 20, 8)
