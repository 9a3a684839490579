# SPDX-License-Identifier: Apache-2.0
"""Loads an HTTP server: by wrk where it is installed, else by the client below."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Load(NamedTuple):
    """Requests per second, and percentiles of the latency in milliseconds."""

    rate: float
    p99: float
    p50: float


def load(
    url: str,
    headers: Mapping[str, str],
    *,
    connections: int,
    seconds: float,
    method: str = "GET",
    body: str = "",
) -> Load:
    if shutil.which("wrk"):
        return _wrk(url, headers, connections, seconds, method, body)
    return asyncio.run(_bundled(url, headers, connections, seconds, method, body))


def _wrk(
    url: str, headers: Mapping[str, str], connections: int, seconds: float, method: str, body: str
) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = {json.dumps(method)}\n")
        if body:
            script.write(f"wrk.body = {json.dumps(body)}\n")
        script.flush()
        return run_wrk(url, headers, connections, seconds, script.name)


def run_wrk(
    url: str, headers: Mapping[str, str], connections: int, seconds: float, script: str
) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", script]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    return Load(float(rate[1]), _percentile(said, "99"), _percentile(said, "50"))


def _percentile(said: str, share: str) -> float:
    found = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", said)
    assert found is not None, said
    return float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]]


async def _bundled(
    url: str, headers: Mapping[str, str], connections: int, seconds: float, method: str, body: str
) -> Load:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    lines = [f"{method} {parts.path}{query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    request = ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()
    deadline = time.perf_counter() + seconds
    latencies: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (begin := time.perf_counter()) < deadline:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 2"), head
            found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert found is not None, head
            await reader.readexactly(int(found[1]))
            latencies.append(time.perf_counter() - begin)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    latencies.sort()
    p99, p50 = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.99, 0.5))
    return Load(len(latencies) / seconds, p99, p50)
