# SPDX-License-Identifier: Apache-2.0
"""What the applications of the demo would have sent: traces, runs, scores and results of three versions of
`welcome`, of which the last one does worse. Each run of the demo sends the same, but for the times."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from gitprompt.cli.client import Client

_HOUR = 3_600
_SPACE = UUID("6f1c9a52-7d1e-4a55-9f0e-3d1b1a0c2a11")
_NAMES = ("Ada", "Grace", "Linus", "Margaret", "Edsger", "Barbara", "Ken", "Radia")
_QUESTIONS = (
    "Where is my order?",
    "Do you sell pruning shears?",
    "My hose leaks.",
    "Can I return a spade?",
)


class _Sample(NamedTuple):
    """How the calls of a version went: between so many hours before now, so many traces, errors among a
    hundred, milliseconds about which they took, and the mean that its suite found."""

    version: str
    begins: float
    ends: float
    traces: int
    errors: int
    ms: int
    tone: float


_SAMPLES = (
    _Sample("1.0.0", 30.0, 6.0, 260, 1, 700, 0.91),
    _Sample("1.1.0", 20.0, 16.0, 60, 2, 760, 0.88),
    _Sample("1.2.0", 6.0, 0.02, 180, 9, 1_450, 0.72),
    _Sample("1.0.0", 0.9, 0.02, 9, 1, 700, 0.9),  # a service that keeps the old one
)


def send(client: Client, now: int) -> int:
    """Send all of it; returns how many traces that were."""
    chance = random.Random(20_26)  # noqa: S311 - the same each time
    number = 0
    for sample in _SAMPLES:
        for batch in _batches(list(_traces(chance, sample, now))):
            client.post("/v1/traces", batch)
            number += len(batch)
    client.post("/v1/traces", [_agent(chance, now)])
    for sample in _SAMPLES[:3]:
        _evaluate(client, chance, sample, now)
    return number + 1


def _id_of(sample: _Sample, number: int) -> str:
    return str(uuid5(_SPACE, f"{sample.version} {sample.ends} {number}"))


def _batches(traces: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(traces), 100):
        yield traces[start : start + 100]


def _traces(chance: random.Random, sample: _Sample, now: int) -> Iterator[dict[str, Any]]:
    for number in range(sample.traces):
        ago = sample.ends + (sample.begins - sample.ends) * number / sample.traces
        at = int(now - ago * _HOUR)
        name, question = chance.choice(_NAMES), chance.choice(_QUESTIONS)
        took = max(int(chance.gauss(sample.ms, sample.ms / 4)), 80)
        failed = chance.randrange(100) < sample.errors
        yield {
            "trace_id": _id_of(sample, number),
            "name": "chat",
            "prompt_name": "welcome",
            "version_tag": sample.version,
            "timestamp": at,
            "session_id": f"session-{number // 4:03d}",
            "user_id": name.lower(),
            "environment": "production",
            "input": question,
            "spans": _spans(chance, at * 1_000, took, name, question, failed=failed),
        }


def _spans(
    chance: random.Random, start: int, took: int, name: str, question: str, *, failed: bool
) -> list[dict[str, Any]]:
    looked = took // 5
    return [
        _span("1", None, "chat", start, took + 30, failed=failed),
        _span("2", "1", "look up the customer", start + 5, looked, metadata={"kind": "tool", "tool": "customers"}),
        _span("3", "1", "answer", start + looked + 10, took - looked, failed=failed,
              metadata=_call(chance, name, question, failed=failed)),
    ]  # fmt: skip


def _span(
    span_id: str, parent: str | None, name: str, start: int, took: int, *, failed: bool = False,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    span: dict[str, Any] = {
        "span_id": span_id, "name": name, "status": "error" if failed else "ok",
        "start_time": start, "end_time": start + took, "timestamp": start // 1_000,
    }  # fmt: skip
    if parent is not None:
        span["parent_id"] = parent
    if metadata is not None:
        span["metadata"] = metadata
    return span


def _call(chance: random.Random, name: str, question: str, *, failed: bool) -> dict[str, Any]:
    call: dict[str, Any] = {
        "kind": "llm", "provider": "openai", "model": "gpt-4o-mini", "tokens_in": chance.randint(90, 160),
        "variables": {"name": name},
        "input": [
            {"role": "system", "content": "You are the assistant of Spade & Sons, an online shop for garden tools."},
            {"role": "user", "content": f"Hello, I am {name}. {question}"},
        ],
    }  # fmt: skip
    if failed:
        return {**call, "error": "the answer was longer than max_tokens", "tokens_out": 0}
    answer = {"role": "assistant", "content": f"Hello {name}! Let me look that up for you."}
    return {**call, "tokens_out": chance.randint(40, 220), "output": [answer]}


def _agent(chance: random.Random, now: int) -> dict[str, Any]:
    """One trace of many spans: an agent that calls tools and models, and once fails."""
    start = (now - 900) * 1_000
    spans, at = [], start + 20
    for round_ in range(1, 9):
        took = chance.randint(900, 1_800)
        spans.append(_span(f"r{round_}", "0", f"round {round_}", at, took))
        spans.append(_span(f"r{round_}m", f"r{round_}", "plan", at + 5, took // 2,
                           metadata=_call(chance, "Ada", "Plan my garden.", failed=False)))  # fmt: skip
        for tool in range(chance.randint(2, 5)):
            begins = at + took // 2 + tool * 60
            failed = (round_, tool) == (6, 1)
            spans.append(_span(f"r{round_}t{tool}", f"r{round_}", chance.choice(("search", "stock", "weather")),
                               begins, chance.randint(20, 300), failed=failed,
                               metadata={"kind": "tool", "tool": "search"}))  # fmt: skip
        at += took + 40
    top = _span("0", None, "plan a garden", start, at - start, failed=True)
    return {
        "trace_id": str(uuid5(_SPACE, "agent")), "name": "plan a garden", "prompt_name": "support/chat", "version_tag": "1.0.0",
        "timestamp": now - 900, "session_id": "garden", "user_id": "ada", "environment": "staging",
        "tags": ["agent"], "input": "Plan my garden.", "output": "A bed of herbs, and a bench.",
        "spans": [top, *spans],
    }  # fmt: skip


def _evaluate(client: Client, chance: random.Random, sample: _Sample, now: int) -> None:
    """Runs of a workflow that were judged by the suite of the prompt, and what users said."""
    scores = []
    for number in range(12):
        trace = _id_of(sample, number)
        at = int(now - (sample.ends + number / 6) * _HOUR)
        run = f"judge-{sample.version}-{number:02d}"
        client.post("/v1/runs", {
            "run_id": run, "workflow_name": "judge the tone", "status": "completed", "trace_id": trace,
            "input": {"trace": trace}, "output": {"verdict": "warm"}, "timestamp": at,
            "start_time": at * 1_000, "end_time": at * 1_000 + chance.randint(300, 900),
        })  # fmt: skip
        score = min(max(chance.gauss(sample.tone, 0.05), 0.0), 1.0)
        client.post("/v1/evaluations/welcome-tone/results", {
            "result_id": run, "run_id": run, "score": round(score, 3), "timestamp": at,
        })  # fmt: skip
        scores.append({
            "score_id": f"user-{run}", "name": "user feedback", "type": "boolean",
            "value": chance.random() < sample.tone, "trace_id": trace, "source": "widget",
        })  # fmt: skip
    client.post("/v1/scores", scores)
