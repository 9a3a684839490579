# SPDX-License-Identifier: Apache-2.0
"""The pages with 10,000 prompts, 300 versions of one, and a million spans: how long the server takes for each, how
much they weigh, what a trace of 10,000 spans is in a browser, and what reads of prompts notice of all that.

python bench/ui.py [--spans 1000000] [--rounds 60]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import measure
from load import load
from memory import resident
from sidecar import Running, sidecar

from gitprompt.config import database_location
from gitprompt.core.telemetry.usage import SpanFacts, Usage
from gitprompt.server.ui import looks
from gitprompt.server.ui.looks.assets import assets
from gitprompt.store.database import Database
from gitprompt.store.engines import Connection
from gitprompt.store.tables import traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.traces import CountedSpan, NewSpans, SpanRow, TraceInsertion, TraceRow

PROMPTS, VERSIONS, LONG = 10_000, 300, 10_000
_OF_A_TRACE = 5  # spans
_DAYS = 30
BIG = f"{1:032x}"
ACTOR = Actor("default", "bench")
P50, P99 = 20.0, 60.0  # milliseconds
LIGHT, HEAVY = 150_000, 300_000  # bytes of a page, and of that trace
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


def stream() -> Iterator[bytes]:
    """Every prompt once, and `welcome` in 300 versions; a commit of its last one for labels to begin at."""
    names = [f"team-{at // 100:02d}/prompt-{at}" for at in range(PROMPTS - 1)]
    for index, (name, number) in enumerate(
        [*((name, 0) for name in names), *(("welcome", n) for n in range(VERSIONS))]
    ):
        data = measure.document(name, number)
        who = b"Bench <bench@example.com> %d +0000\n" % (int(time.time()) - 2_000_000 + index)
        yield b"blob\nmark :1\ndata %d\n%b\n" % (len(data), data)
        yield b"tag prompts/%b/%b\nfrom :1\n" % (name.encode(), measure.version(number).encode())
        yield b"tagger %bdata 2\nm\n\n" % who


class Fill(NamedTuple):
    """Traces of such numbers with their spans: half of them of `welcome`, in all of its versions."""

    numbers: range
    now: int
    total: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for item in items:
            entry = ACTOR.did("trace:create", item.now)
            rows = [_trace(at, item.now, item.total) for at in item.numbers]
            traces.insert_traces(db, [TraceInsertion(row, entry) for row in rows])
            traces.insert_spans(
                db,
                [
                    NewSpans("default", row.trace_id, _spans(row, at), entry)
                    for row, at in zip(rows, item.numbers, strict=True)
                ],
            )
        return [None] * len(items)


def _trace(at: int, now: int, total: int) -> TraceRow:
    created = now - _DAYS * 86_400 + at * _DAYS * 86_400 // total
    name, version = (
        ("welcome", measure.version(at // 2 % VERSIONS))
        if at % 2
        else (f"team-{at % 99:02d}/prompt-{at % 9_900}", "1.0.0")
    )
    return TraceRow(
        "default",
        f"{at + 1_000:032x}",
        name,
        version,
        None,
        created,
        "chat",
        f"s{at // 10}",
        f"u{at % 500}",
        "production",
    )


def _spans(row: TraceRow, at: int) -> list[CountedSpan]:
    start, found = row.created_at * 1_000, []
    for number in range(_OF_A_TRACE):
        status = "error" if (at + number) % 97 == 0 else "ok"
        is_call = number == 1
        took = 40 + (at * 31 + number * 7) % 2_000
        facts = (
            SpanFacts("llm", provider="openai", model="gpt-4o", tokens_in=120, tokens_out=340)
            if is_call
            else SpanFacts("other")
        )
        usage = (
            Usage(
                "default",
                "",
                "",
                row.created_at // 3_600,
                int(status == "error"),
                120,
                340,
                0,
                2_000_000,
                took,
            )
            if is_call
            else None
        )
        metadata = (
            json.dumps({"kind": "llm", "model": "gpt-4o", "tokens_in": 120}) if is_call else None
        )
        said = (
            json.dumps({name: value for name, value in facts._asdict().items() if value})
            if is_call
            else '{"kind": "other"}'
        )
        parent = None if number == 0 else f"{at}-0"
        found.append(
            CountedSpan(
                SpanRow(
                    f"{at}-{number}",
                    parent,
                    f"step {number}",
                    status,
                    start,
                    start + took,
                    metadata,
                    said,
                    row.created_at,
                ),
                usage,
                facts,
            )
        )
    return found


def fill(data: str, spans: int) -> None:
    os.makedirs(f"{data}/repos", exist_ok=True)
    path = f"{data}/repos/default.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    measure.git(path, "fast-import", "--quiet", stdin=b"".join(stream()))
    measure.git(path, "pack-refs", "--all")
    database = Database(database_location(data, ""))
    now = int(time.time())
    for start in range(0, spans // _OF_A_TRACE, 1_000):
        database.write_now(Fill(range(start, start + 1_000), now, spans // _OF_A_TRACE))
    database.close()


def prepare(server: Running) -> None:
    """Labels with a history, a suite with results, and the long trace."""
    with httpx.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=60) as client:
        path = "/v1/prompts/welcome/labels"
        client.post(
            path, json={"name": "production", "version_tag": measure.version(0)}
        ).raise_for_status()
        for number in range(1, 30):
            client.put(
                f"{path}/production",
                json={
                    "version_tag": measure.version(number),
                    "reason": measure.prose(str(number), 6),
                },
            ).raise_for_status()
        client.post(
            "/v1/evaluations",
            json={"name": "tone", "prompt_name": "welcome", "criteria": {"min_score": 0.8}},
        ).raise_for_status()
        for number in range(50):
            client.post("/v1/evaluations/tone/results", json={"score": 0.9}).raise_for_status()
            client.post(
                "/v1/logs",
                json={
                    "prompt_name": "welcome",
                    "version_tag": "1.1.0",
                    "model": "m",
                    "latency_ms": number,
                },
            ).raise_for_status()
            client.post(
                "/v1/runs", json={"workflow_name": "w", "status": "completed"}
            ).raise_for_status()
        client.post(
            "/v1/traces",
            json={
                "trace_id": BIG,
                "name": "long",
                "prompt_name": "welcome",
                "version_tag": "1.1.0",
            },
        ).raise_for_status()
        for start in range(0, LONG, 1_000):
            client.post(f"/v1/traces/{BIG}/spans", json=[
                {"span_id": f"{at:05d}", "name": f"step {at % 97}", "start_time": at, "end_time": at + 40,
                 "metadata": {"kind": "llm", "model": "gpt-4o", "tokens_in": 9}, **({"parent_id": f"{(at - 1) // 10:05d}"} if at else {})}
                for at in range(start, start + 1_000)]).raise_for_status()  # fmt: skip


PATHS = {
    "prompts": "prompts", "prompts, the last page": f"prompts?page={PROMPTS // 50}",
    "prompts, updated first": "prompts?sort=updated", "prompts of a folder": "prompts?folder=team-07",
    "prompts with a part of the name": "prompts?q=prompt-99", "prompt of 300 versions": "prompts/welcome",
    "version": "prompts/welcome/versions/1.7.0", "compare": "prompts/welcome/diff?from=1.7.0&to=1.8.0",
    "label": "prompts/welcome/labels/production", "render": "render?prompt=welcome", "publish": "publish?prompt=welcome",
    "traces": "traces", "traces that failed": "traces?status=error", "slowest traces": "traces?sort=duration",
    "traces of a version that failed": "traces?prompt_name=welcome&version_tag=1.7.0&status=error",
    "traces of a second and more": "traces?min_ms=1000", "trace": f"traces/{1_000 + 7:032x}",
    "trace of 10,000 spans": f"traces/{BIG}", "its outline": f"traces/{BIG}/outline", "logs": "logs", "runs": "runs",
    "suites": "suites", "suite": "suites/tone", "status": "status", "audit": "audit", "keys": "keys",
}  # fmt: skip


def signed_in(server: Running) -> httpx.Client:
    client = httpx.Client(base_url=server.url, timeout=60)
    answer = client.post(
        "/ui/login",
        data={"key": server.key, "access": "change"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 303, answer.text
    return client


def timed(server: Running, rounds: int) -> dict[str, tuple[list[float], int]]:
    """Milliseconds of each page, all of them in turn, and its bytes."""
    found: dict[str, tuple[list[float], int]] = {name: ([], 0) for name in PATHS}
    with closing(signed_in(server)) as client:
        for _ in range(rounds):
            for name, path in PATHS.items():
                begun = time.perf_counter()
                answer = client.get(f"/ui/w/default/{path}")
                took = (time.perf_counter() - begun) * 1_000
                assert answer.status_code == 200, (path, answer.status_code)
                found[name] = ([*found[name][0], took], len(answer.content))
    return found


def by_rest(server: Running) -> None:
    """What the pages show, asked of the API: what memory that takes is not theirs."""
    paths = ("/v1/traces?limit=50", "/v1/logs", "/v1/runs", "/v1/prompts?limit=50&page=200", f"/v1/traces/{BIG}",
             "/v1/metrics/summary?prompt_name=welcome&window=7d", "/v1/prompts/welcome/diff?from=1.7.0&to=1.8.0",
             "/v1/prompts/welcome/versions?stats=true&limit=50", "/v1/audit-logs")  # fmt: skip
    with httpx.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=60) as client:
        for _ in range(5):
            for path in paths:
                client.get(path).raise_for_status()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[-(-int(len(ordered) * share * 100) // 100) - 1]


def in_a_browser(server: Running, rounds: int = 7) -> tuple[float, int, float] | None:
    """Milliseconds until the long trace can be used, nodes of its page, and milliseconds of a frame while it is
    scrolled (p95)."""
    path = shutil.which("chromium")
    if path is None:
        print("there is no chromium here: nothing was measured in a browser")
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        page = browser.new_page(base_url=server.url)
        page.goto("/ui/login")
        page.fill("#key", server.key)
        page.click("button.go")
        times = []
        for _ in range(rounds):
            begun = time.perf_counter()
            page.goto(f"/ui/w/default/traces/{BIG}", wait_until="commit")
            page.wait_for_selector("#rows .row")
            times.append((time.perf_counter() - begun) * 1_000)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        frames = page.evaluate("""() => new Promise((done) => {
          const view = document.getElementById("view"), times = []; let last = performance.now(), n = 0;
          const step = (now) => { times.push(now - last); last = now; view.scrollTop += 900; n += 1;
            if (n < 120) requestAnimationFrame(step); else done(times.slice(5).sort((a, b) => a - b)); };
          requestAnimationFrame(step); })""")
        browser.close()
    return statistics.median(times), int(nodes), percentile(frames, 0.95)


def beside(server: Running, seconds: float, rounds: int) -> tuple[float, float]:
    """The p99 of reads by label in milliseconds, alone and while pages and the long trace are loaded."""
    path = "/v1/prompts/welcome?label=production&variables%5Bquestion%5D=why"
    headers = {"X-API-Key": server.key}
    alone, together = [], []
    stop = threading.Event()

    def look() -> None:
        with closing(signed_in(server)) as client:
            while not stop.is_set():
                for one in PATHS.values():
                    client.get(f"/ui/w/default/{one}")
                    time.sleep(0.2)  # five pages a second
                    if stop.is_set():
                        return

    for _ in range(rounds):
        alone.append(load(server.url + path, headers, connections=8, seconds=seconds).p99)
        stop.clear()
        thread = threading.Thread(target=look)
        thread.start()
        together.append(load(server.url + path, headers, connections=8, seconds=seconds).p99)
        stop.set()
        thread.join()
    return statistics.median(alone), statistics.median(together)


def packed_size() -> int:
    """Bytes that the pages take in a wheel."""
    root = os.path.dirname(os.path.dirname(looks.__file__))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, _, names in os.walk(root):
            for name in names:
                if not name.endswith(".pyc"):
                    archive.write(
                        os.path.join(folder, name),
                        os.path.relpath(os.path.join(folder, name), root),
                    )
    return len(target.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    shared = sum(
        len(asset.body)
        for name, asset in assets().files.items()
        if name in ("ui.css", "ui.js", "icon.svg")
    )
    of_trace = len(assets().files["trace.js"].body)
    with tempfile.TemporaryDirectory() as data:
        fill(data, options.spans)
        with sidecar(data) as server:
            prepare(server)
            by_rest(server)
            before = resident(server.pid, "VmRSS")
            found = timed(server, options.rounds)
            after = resident(server.pid, "VmRSS")
            seen = in_a_browser(server)
            alone, together = beside(server, options.seconds, 5)
    rows = []
    for name, (times, size) in found.items():
        weight = size if name == "its outline" else size + shared
        if name.startswith("trace of"):
            weight += of_trace + found["its outline"][1]
        limit = HEAVY if name.startswith("trace of") or name == "its outline" else LIGHT
        rows.append((name, measure.verdict(statistics.median(times), P50), measure.verdict(percentile(times, 0.99), P99),
                     f"{times[0]:.1f}", measure.verdict(weight / 1_000, limit / 1_000)))  # fmt: skip
    measure.table(
        f"Pages with {PROMPTS:,} prompts, {VERSIONS} versions of one, {options.spans:,} spans",
        ("page", "p50 ms", "p99 ms", "the first, ms", "KB of the first view"), rows,
    )  # fmt: skip
    more = [
        (
            "p99 of GET by label, ms, alone and beside somebody who looks at all pages",
            f"{alone:.2f}, {together:.2f}: {measure.verdict(together / alone, 1.5)}",
        ),
        (
            "memory, MB more after all pages were looked at than after the same over REST",
            measure.verdict(after - before, 10),
        ),
        ("KB in the wheel", measure.verdict(packed_size() / 1_000, 150)),
    ]
    if seen is not None:
        usable, nodes, frame = seen
        more += [("ms until the trace of 10,000 spans can be used", measure.verdict(usable, 500)),
                 ("nodes of its page", measure.verdict(nodes, 1_000)),
                 ("ms of a frame while it is scrolled, p95", measure.verdict(frame, 20))]  # fmt: skip
    measure.table("And", ("what", "measured"), more)


if __name__ == "__main__":
    main()
