# SPDX-License-Identifier: Apache-2.0
"""The memory that large things cost the server at their peak, each kind on a server of its own.

python bench/memory.py [--megabytes 9] [--templates 2000]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import measure
from sidecar import Running, sidecar

_MOST = 600  # MB
_BATCH = 90  # prompts in one request


def resident(pid: int, field: str = "VmHWM") -> float:
    """Megabytes: the peak, or with VmRSS what is held now."""
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) / 1000


def client_of(server: Running) -> httpx.Client:
    headers = {"X-API-Key": server.key, "Content-Type": "application/json"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=120)


def log_of(size: int) -> str:
    metadata = {f"part{at}": "x" * (size // 9) for at in range(9)}
    return json.dumps(
        {"prompt_name": "a", "version_tag": "1.0.0", "model": "m", "metadata": metadata}
    )


def _sent(client: httpx.Client, body: str) -> int:
    """Sends a log until there is room for it; how often it was told to come again."""
    for again in range(1_000):
        status = client.post("/v1/logs", content=body).status_code
        if status != 503:
            assert status < 300, status
            return again
    raise AssertionError("there never was room")


def at_once(server: Running, size: int, templates: int) -> str:
    with client_of(server) as client, ThreadPoolExecutor(12) as threads:
        again = sum(threads.map(lambda _: _sent(client, log_of(size)), range(12)))
    return f"12 logs of {size / 1e6:g} MB at once ({again} × 503)"


def page(server: Running, size: int, templates: int) -> str:
    body = log_of(size)
    with client_of(server) as client:
        for _ in range(100):
            _sent(client, body)
        seen = pages = 0
        path = "/v1/logs?limit=100&cursor="
        while path:
            answer = client.get(path).json()
            seen, pages = seen + len(answer["items"]), pages + 1
            cursor = answer.get("nextCursor")
            path = f"/v1/logs?limit=100&cursor={cursor}" if cursor else ""
    assert seen == 100, seen
    return f"100 logs of {size / 1e6:g} MB, listed in {pages} pages"


def kept(server: Running, size: int, templates: int) -> str:
    def prompt(at: int) -> dict[str, object]:
        text = f"{at} {{{{name}}}} " + "x" * 96_000
        return {
            "name": f"p{at}", "version": "1.0.0", "messages": [{"role": "user", "content": text}],
            "variables": {"name": {"type": "string"}},
        }  # fmt: skip

    with client_of(server) as client:
        for start in range(0, templates, _BATCH):
            batch = [prompt(at) for at in range(start, min(start + _BATCH, templates))]
            answer = client.post("/v1/prompts", content=json.dumps(batch))
            assert all(item["status"] == 201 for item in answer.json()["items"]), answer.text[:300]
        for at in range(templates):
            client.get(f"/v1/prompts/p{at}?variables[name]=Ada").raise_for_status()
    return f"{templates:,} templates of 96 KB, each read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=9)
    parser.add_argument("--templates", type=int, default=2_000)
    options = parser.parse_args()
    rows = []
    kinds: tuple[Callable[[Running, int, int], str], ...] = (at_once, page, kept)
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory() as folder,
            sidecar(f"{folder}/data") as server,
        ):
            before = resident(server.pid, "VmRSS")
            what = kind(server, int(options.megabytes * 1e6), options.templates)
            peak = measure.verdict(resident(server.pid), _MOST)
            rows.append((what, f"{before:.0f}", peak, f"{resident(server.pid, 'VmRSS'):.0f}"))
    columns = ("what", "before, MB", "peak, MB", "after, MB")
    measure.table("Resident memory of the server", columns, rows)


if __name__ == "__main__":
    main()
