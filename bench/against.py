# SPDX-License-Identifier: Apache-2.0
"""CPU time per request, of this checkout against another: what a change of the inside has cost.

python bench/against.py OTHER_CHECKOUT [--rounds 20] [--requests 1500]

Both servers run at once on the same documents and take turns, so that what else the machine does
meets both alike. CPU time is that of the server's process, user and system.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import httpx
import measure
import psutil

PROMPT = "team-0/prompt-0"
VARIABLES = "variables%5Bquestion%5D="
LOG = {
    "prompt_name": PROMPT, "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
    "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500, "cost_usd": 0.0042, "status": "ok",
}  # fmt: skip
_numbers = itertools.count()


class Server(NamedTuple):
    url: str
    key: str
    process: psutil.Process

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    async def send(self, count: int, request: Callable[[httpx.AsyncClient], httpx.Request]) -> None:
        """`count` requests on eight connections."""
        async with httpx.AsyncClient(base_url=self.url, headers={"X-API-Key": self.key}) as client:

            async def some(number: int) -> None:
                for _ in range(number):
                    response = await client.send(request(client))
                    assert response.status_code < 300, response.text

            await asyncio.gather(*(some(count // 8) for _ in range(8)))


@contextmanager
def served(checkout: str, data: str, repository: str) -> Iterator[Server]:
    """A server of a checkout, in this interpreter's environment."""
    env = {**os.environ, "PYTHONPATH": checkout}
    command = [sys.executable, "-P", "-m", "gitprompt"]
    process = subprocess.Popen(
        [*command, "serve", "--data", data, "--repo", repository, "--port", "0"],
        cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    made = subprocess.run(
        [*command, "keys", "create", "--data", data, "--scopes", "read,write"],
        cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True,
    )  # fmt: skip
    try:
        yield Server(url, made.stdout.split()[-1], psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


REQUESTS: dict[str, Callable[[httpx.AsyncClient], httpx.Request]] = {
    "GET a prompt, kept": lambda client: client.build_request(
        "GET", f"/v1/prompts/{PROMPT}?label=production&{VARIABLES}x"
    ),
    "GET a prompt, rendered anew": lambda client: client.build_request(
        "GET", f"/v1/prompts/{PROMPT}?label=production&{VARIABLES}{next(_numbers)}"
    ),
    "GET a page of versions, anew": lambda client: client.build_request(
        "GET", f"/v1/prompts/{PROMPT}/versions?limit={next(_numbers) % 90 + 10}"
    ),
    "POST a log": lambda client: client.build_request("POST", "/v1/logs", json=LOG),
    "POST a trace": lambda client: client.build_request(
        "POST", "/v1/traces", content=json.dumps({"prompt_name": PROMPT, "version_tag": "1.0.0"}),
        headers={"Content-Type": "application/json"},
    ),
    "POST an OTLP export of 32 calls": lambda client: client.build_request(
        "POST", "/v1/traces", json=_export(32)
    ),
    "POST a version": lambda client: client.build_request(
        "POST", "/v1/prompts",
        json={
            "name": f"p{next(_numbers)}", "version": "1.0.0",
            "messages": [{"role": "user", "content": "Hello {{name}}"}],
            "variables": {"name": {"type": "string"}},
        },
    ),
}  # fmt: skip


def _export(number: int) -> dict[str, object]:
    """Calls of a model in one trace, as an instrumentation sends them."""
    trace = uuid.uuid4().hex
    about = {"gen_ai.prompt.name": PROMPT, "gen_ai.prompt.version": "1.0.0"}
    spans = [measure.exported_call(trace, at, about) for at in range(number)]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def per_request(server: Server, what: str, requests: int) -> float:
    """Microseconds of CPU."""
    before = server.cpu()
    asyncio.run(server.send(requests, REQUESTS[what]))
    return (server.cpu() - before) / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--only", default="", help="part of the names of the requests")
    args = parser.parse_args()
    here = os.path.dirname(measure.HERE)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        repository = measure.repository(f"{folder}/prompts.git", 1_000, shape="commit")
        measure.git(
            repository, "update-ref", f"refs/labels/{PROMPT}@production",
            f"refs/tags/prompts/{PROMPT}/1.3.0^{{commit}}",
        )  # fmt: skip
        with (
            served(here, f"{folder}/here", repository) as new,
            served(args.other, f"{folder}/other", repository) as old,
        ):
            for what in (name for name in REQUESTS if args.only in name):
                for server in (new, old):
                    per_request(server, what, 400)  # warm
                mine, theirs = measure.median_of(
                    args.rounds,
                    partial(per_request, new, what, args.requests),
                    partial(per_request, old, what, args.requests),
                )
                ratio = measure.verdict(mine / theirs, 1.05)
                rows.append((what, f"{mine:.0f}", f"{theirs:.0f}", ratio))
    measure.table(
        f"CPU per request, against {args.other}",
        ("request", "here µs", "there µs", "ratio"),
        rows,
    )


if __name__ == "__main__":
    main()
