# SPDX-License-Identifier: Apache-2.0
"""How long `gitprompt migrate` takes for exports of Langfuse, and how much memory: observations with their traces,
and versions of prompts as Git.

python bench/imports.py [--observations 100000] [--versions 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from sidecar import Running, sidecar

_TEXT = "Where is my refund for order 7731? " * 8


def trace(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:08x}-5d0b-4a53-9b1e-0f7b7a0e4a11", "projectId": "p", "timestamp": _at(number, 0),
        "name": f"support/triage-{number % 20}", "input": {"ticket": _TEXT}, "output": {"team": "billing"},
        "sessionId": f"sess-{number % 997}", "release": "api@4.2.0", "version": None, "userId": f"user-{number % 499}",
        "metadata": {"channel": "email", "order": {"id": number}}, "tags": ["triage"], "public": False,
        "environment": "production", "observations": [], "scores": [],
    }  # fmt: skip


def observation(number: int) -> dict[str, Any]:
    whose = number // 10
    return {
        "id": f"obs-{number:08d}", "traceId": f"{whose:08x}-5d0b-4a53-9b1e-0f7b7a0e4a11", "projectId": "p",
        "type": ("SPAN", "GENERATION", "TOOL")[number % 3], "name": "triage-llm", "startTime": _at(whose, 10 + number % 10),
        "endTime": _at(whose, 400 + number % 10), "completionStartTime": _at(whose, 90), "model": "gpt-4o-mini",
        "modelParameters": {"temperature": 0.1}, "input": [{"role": "user", "content": _TEXT}],
        "output": {"role": "assistant", "content": '{"team": "billing"}'}, "metadata": {"attempt": 1},
        "usageDetails": {"input": 156, "input_cached_tokens": 256, "output": 9, "total": 421},
        "costDetails": {"total": 4.8e-05}, "level": "DEFAULT", "statusMessage": None,
        "parentObservationId": None if number % 10 == 0 else f"obs-{whose * 10:08d}", "environment": "production",
        "promptName": f"support/triage-{whose % 20}", "promptVersion": 2, "createdAt": _at(whose, 10), "updatedAt": _at(whose, 10),
    }  # fmt: skip


def version(number: int, prompts: int) -> dict[str, Any]:
    return {
        "name": f"team-{number % prompts % 25}/prompt-{number % prompts}", "version": number // prompts + 1, "type": "chat",
        "prompt": [
            {"role": "system", "content": f"You are number {number} of {{{{company}}}}. {_TEXT}"},
            {"type": "placeholder", "name": "history"},
            {"role": "user", "content": "{{ticket}}"},
        ],
        "config": {"model": "gpt-4o-mini", "temperature": 0.1}, "labels": ["production"] if number + prompts >= 10 * prompts else [],
        "tags": ["support"], "commitMessage": f"change {number}", "createdBy": "ada", "createdAt": _at(number, 0), "updatedAt": _at(number, 0),
    }  # fmt: skip


def _at(minutes: int, milliseconds: int) -> str:
    moment = time.gmtime(1_760_000_000 + minutes * 60)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{milliseconds:03d}Z"


def written(path: Path, records: Iterator[dict[str, Any]]) -> int:
    """A page of an API with these records; its size in bytes."""
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"data": [')
        for at, record in enumerate(records):
            file.write(("," if at else "") + json.dumps(record))
        file.write('], "meta": {"page": 1}}')
    return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--versions", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        telemetry, prompts = folder / "telemetry", folder / "prompts"
        telemetry.mkdir()
        prompts.mkdir()
        size = written(telemetry / "traces.json", map(trace, range(options.observations // 10)))
        size += written(
            telemetry / "observations.json", map(observation, range(options.observations))
        )
        many = max(options.versions // 10, 1)
        texts = written(
            prompts / "prompts.json", (version(n, many) for n in range(options.versions))
        )
        rows = []
        with sidecar(str(folder / "data")) as server:
            for what, source, data in (
                (f"{options.observations:,} observations, {size / 1e6:.0f} MB", telemetry, size),
                ("the same again", telemetry, size),
                (
                    f"{options.versions:,} versions of {many:,} prompts, {texts / 1e6:.0f} MB",
                    prompts,
                    texts,
                ),
                ("the same again", prompts, texts),
            ):
                seconds, peak = _migrated(server, source)
                rows.append(
                    (
                        what,
                        f"{seconds:.1f} (≤ 60)",
                        f"{peak:.0f}" + " (≤ 300)" * (source is telemetry),
                        f"{data / seconds / 1e6:.1f}",
                    )
                )
        title = "gitprompt migrate --from langfuse"
        measure.table(title, ("what", "seconds", "peak memory, MB", "MB/s"), rows)


def _migrated(server: Running, source: Path) -> tuple[float, float]:
    command = [
        sys.executable, "-m", "gitprompt", "migrate", "--from", "langfuse", "--input", str(source),
        "--endpoint", server.url, "--json",
    ]  # fmt: skip
    env = {**os.environ, "GITPROMPT_API_KEY": server.key}
    start = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        report = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, report
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
