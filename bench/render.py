# SPDX-License-Identifier: Apache-2.0
"""Rendering: by POST against GET, with values that change each time; a placeholder against its text.

python bench/render.py [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

import measure
from load import run_wrk
from sidecar import Running, sidecar

from gitprompt.core.variables import render

NAME = "bench/render"
DOCUMENT: dict[str, Any] = {
    "name": NAME, "version": "1.0.0",
    "messages": [
        {"role": "system", "content": "You answer questions about {{topic}}. " * 10},
        {"role": "user", "content": "{{question}}"},
    ],
}  # fmt: skip
_GET = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/v1/prompts/%s?variables%%5Btopic%%5D=x&variables%%5Bquestion%%5D=q" .. n)
end
"""
_POST = """
local n = 0
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n + 1
  return wrk.format("POST", "/v1/prompts/%s/render", nil, '{"variables":{"topic":"x","question":"q' .. n .. '"}}')
end
"""


def publish(running: Running) -> None:
    request = urllib.request.Request(
        f"{running.url}/v1/prompts", json.dumps(DOCUMENT).encode(),
        {"X-API-Key": running.key, "Content-Type": "application/json"},
    )  # fmt: skip
    urllib.request.urlopen(request).close()


def over_http(options: argparse.Namespace) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder, sidecar(folder) as running:
        publish(running)
        headers = {"X-API-Key": running.key}
        for connections in (1, 8, 64):

            def rate(text: str, connections: int = connections) -> float:
                with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
                    script.write(text % NAME)
                    script.flush()
                    done = run_wrk(running.url, headers, connections, options.seconds, script.name)
                return done.rate

            get, post = measure.median_of(options.rounds, lambda: rate(_GET), lambda: rate(_POST))
            shown = (
                measure.verdict(post / get, 0.6, at_most=False)
                if connections == 64
                else f"{post / get:.2f}"
            )
            rows.append((str(connections), f"{get:,.0f}", f"{post:,.0f}", shown))
    columns = ("connections", "GET/s", "POST render/s", "ratio")
    measure.table("Renders with values that change", columns, rows)


def seconds(document: Mapping[str, Any], placeholders: Mapping[str, Any], times: int) -> float:
    begin = time.process_time()
    for _ in range(times):
        render(document, {"question": "x"}, placeholders)
    return (time.process_time() - begin) / times


def in_process(options: argparse.Namespace) -> None:
    history = [
        {"role": "assistant" if at % 2 else "user", "content": f"Turn {at} of a chat. " * 10}
        for at in range(50)
    ]
    first, last = DOCUMENT["messages"]
    with_place = {"messages": [first, {"type": "placeholder", "name": "history"}, last]}
    written_out = {"messages": [first, *history, last]}
    pairs = [
        (seconds(with_place, {"history": history}, 2_000), seconds(written_out, {}, 2_000))
        for _ in range(options.rounds)
    ]
    ours, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
    measure.table(
        "A placeholder of 50 messages, against the same text without",
        ("with, µs", "without, µs", "ratio"),
        [(f"{ours * 1e6:.1f}", f"{plain * 1e6:.1f}", measure.verdict(ours / plain, 1.3))],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    over_http(options)
    in_process(options)


if __name__ == "__main__":
    main()
