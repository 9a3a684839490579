# SPDX-License-Identifier: Apache-2.0
"""What the benches share: interleaved rounds, medians, a table, and Git repositories of any size."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))


def median_of(rounds: int, *contenders: Callable[[], float]) -> list[float]:
    """The median of what each contender returns, all of them run in turn, round by round."""
    results: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for result, contender in zip(results, contenders, strict=True):
            result.append(contender())
    return [statistics.median(result) for result in results]


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def verdict(ratio: float, limit: float, *, at_most: bool = True) -> str:
    """The ratio beside its target, marked where it is missed."""
    holds = ratio <= limit if at_most else ratio >= limit
    sign = "≤" if at_most else "≥"
    return f"{ratio:.2f} ({sign} {limit:g}{'' if holds else ', MISSED'})"


def exported_call(trace: str, at: int, about: Mapping[str, str] | None = None) -> dict[str, object]:
    """A span of OTLP's JSON: the call of a model in a trace, as an instrumentation tells of it."""
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 340, **(about or {}),
    }  # fmt: skip
    now = time.time_ns()
    return {
        "traceId": trace, "spanId": f"{at + 1:016x}", "name": "chat gpt-4o",
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 900_000_000),
        "attributes": [
            {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": str(value)}}
            for key, value in said.items()
        ],
    }  # fmt: skip


_WORDS = [
    "answer",
    "order",
    "delivery",
    "customer",
    "politely",
    "question",
    "number",
    "return",
    "refund",
    "article",
    "summary",
    "tone",
    "brief",
    "never",
    "promise",
    "date",
    "colleague",
    "ask",
    "missing",
    "context",
    "language",
    "formal",
    "urgent",
    "queue",
    "ticket",
    "shop",
    "garden",
    "tool",
    "invoice",
    "amount",
    "currency",
    "translate",
    "keep",
    "product",
    "name",
    "reply",
    "draft",
    "help",
    "centre",
]


def prose(seed: str, words: int) -> str:
    """Text that differs from one seed to the next, as prompts of different teams do."""
    chosen = random.Random(seed).choices(_WORDS, k=words)
    return " ".join(chosen).capitalize() + "."


def document(name: str, number: int) -> bytes:
    """A JSON prompt of about 800 bytes; versions of one prompt differ in a sentence."""
    value = {
        "name": name,
        "version": version(number),
        "description": prose(name, 9),
        "messages": [
            {
                "role": "system",
                "content": f"You work for {{{{company}}}}. Answer in {{{{language}}}}. "
                f"{prose(name, 40)} {prose(f'{name} {number}', 8)}",
            },
            {"role": "user", "content": "{{question}}"},
        ],
        "variables": {
            "company": {"type": "string", "default": "ACME"},
            "language": {"type": "string", "default": "English"},
            "question": {"type": "string", "required": True},
        },
        "model_config": {"model": "gpt-4o", "temperature": 0.7, "max_tokens": 300},
        "tags": ["support"],
    }
    return json.dumps(value).encode()


def version(number: int) -> str:
    return f"1.{number}.0"


def git(directory: str, *args: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", "-C", directory, *args], input=stdin, check=True, capture_output=True
    ).stdout


def repository(path: str, count: int, *, shape: str, pack: bool = True) -> str:
    """A bare repository with `count` version tags, ten for each name, made by fast-import.

    `shape` blob: annotated tag → document. commit: annotated tag → commit → prompts/ → document.
    """
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    git(path, "fast-import", "--quiet", stdin=b"".join(_stream(range(count), shape, count // 10)))
    if pack:
        git(path, "pack-refs", "--all")
        git(path, "repack", "-a", "-d", "-q")
    return path


def add_tags(path: str, first: int, count: int) -> None:
    """More blob tags, loose, as a push of a few leaves them."""
    git(
        path,
        "fast-import",
        "--quiet",
        stdin=b"".join(_stream(range(first, first + count), "blob", first + count)),
    )


def _stream(indexes: Iterable[int], shape: str, names: int) -> Iterable[bytes]:
    """Tags in the order in which a team makes them: every prompt's first version, then every
    prompt's second, and so on."""
    for index in indexes:
        prompt, number = index % names, index // names
        name = f"team-{prompt // 100}/prompt-{prompt}"
        data = document(name, number)
        yield b"blob\nmark :1\ndata %d\n%b\n" % (len(data), data)
        who = b"Bench <bench@example.com> %d +0000\n" % (1_700_000_000 + index)
        if shape == "commit":
            yield b"commit refs/heads/main\nmark :2\ncommitter %b" % who
            yield b"data 1\nx\nM 100644 :1 prompts/%b.json\n\n" % name.encode()
        target = b":2" if shape == "commit" else b":1"
        yield b"tag prompts/%b/%b\nfrom %b\n" % (name.encode(), version(number).encode(), target)
        yield b"tagger %bdata 2\nm\n\n" % who
