# SPDX-License-Identifier: Apache-2.0
"""What a hostile client costs the others: reads in another workspace, and /health, beside each kind of attack;
against the same beside a client that is as busy and harmless.

python bench/hostile.py [--seconds 6] [--only KIND]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import measure
from sidecar import Running, sidecar

_AT_ONCE = 4  # threads of an attacker
_HEALTH_MS = 250.0
_TIMES = 5.0


class Attacker:
    """Runs in a process of its own, so that it takes nothing from whoever measures."""

    def __init__(self, url: str, key: str, folder: str) -> None:
        self.url = url
        self.folder = folder
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self.headers = {
            "X-API-Key": key, "X-Workspace-Id": "tenant", "Content-Type": "application/json",
        }  # fmt: skip
        self.client = httpx.Client(base_url=url, headers=self.headers, timeout=60)
        self.key = key

    def publish(self, **document: object) -> None:
        self.client.post("/v1/prompts", content=json.dumps(document))

    # each is called again and again, by some threads

    def harmless(self) -> None:
        self.client.post(
            "/v1/logs",
            content='{"prompt_name":"a","version_tag":"1.0.0","provider":"x","model":"y"}',
        )
        self.client.get("/v1/prompts/small", params={"variables[a]": str(time.time())})

    def documents(self) -> None:
        text = "sk-" + "a" * 17 + "sk-a" * 20_000
        self.publish(name="slow", version="1.0.0", messages=[user(text)], metadata={"a": text * 9})

    def names(self) -> None:
        text = "".join(f"{{{{w{at}{'x' * 40}}}}}" for at in range(900))
        variables = {f"v{at}{'x' * 40}": {"type": "string"} for at in range(900)}
        self.publish(name="slow", version="1.0.0", messages=[user(text)], variables=variables)

    def diffs(self) -> None:
        self.client.get("/v1/prompts/long/diff", params={"from": "1.0.0", "to": "2.0.0"})

    def renders(self) -> None:
        self.client.get("/v1/prompts/nested", params={"variables[b]": str(time.time())})

    def health(self) -> None:
        self.client.get("/health/deep")

    def silence(self) -> None:
        """Connections that say the beginning of a request, and no more."""
        held = [socket.create_connection((self.host, self.port)) for _ in range(50)]
        for one in held:
            one.sendall(b"GET /v1/prompts HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1_000)
        time.sleep(1)
        for one in held:
            one.close()

    def bombs(self) -> None:
        """A push of a dozen objects that stand for a million files, given up after a second."""
        remote = f"http://x:{self.key}@{self.host}:{self.port}/git/tenant.git"
        process = subprocess.Popen(
            ["git", "push", "-q", remote, "+bomb:refs/heads/main"],
            cwd=self.folder, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def run(self, kind: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        attack: Callable[[], None] = getattr(self, kind)

        def loop() -> None:
            while time.monotonic() < end:
                try:
                    attack()
                except (httpx.HTTPError, OSError):
                    time.sleep(0.05)

        threads = [threading.Thread(target=loop) for _ in range(_AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


KINDS = ("documents", "names", "diffs", "renders", "health", "silence", "bombs")


def prepare(attacker: Attacker, own: httpx.Client) -> None:
    """What attacks read, and what is read beside them."""
    document = {"name": "welcome", "version": "1.0.0", "messages": [user("Hi {{a}}")]}
    own.post("/v1/prompts", content=json.dumps(document))
    own.put("/v1/prompts/welcome/labels/production", content='{"version_tag": "1.0.0"}')
    attacker.publish(name="small", version="1.0.0", messages=[user("Hi {{a}}")])
    for version, mark in (("1.0.0", "y"), ("2.0.0", "z")):
        messages = [one for at in range(500) for one in (user("x"), user(f"{mark}{at}"))]
        attacker.publish(name="long", version=version, messages=messages)
    attacker.publish(
        name="nested", version="1.0.0",
        messages=[user("{{#a}}{{#a}}{{^a}}{{/a}}{{/a}}{{/a}}")] * 30,
        variables={"a": {"type": "array", "default": [1] * 250}, "b": {"type": "string"}},
    )  # fmt: skip
    git = attacker.folder
    measure.git(".", "init", "-q", git)
    tree = ""
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=git, input=b"bad", stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode().strip()  # fmt: skip
    for depth in range(7):
        kind, oid = ("100644 blob", blob) if depth == 0 else ("040000 tree", tree)
        names = ["prompts"] if depth == 6 else [f"f{at}.yaml" for at in range(10)]
        lines = "".join(f"{kind} {oid}\t{name}\n" for name in names)
        tree = subprocess.run(
            ["git", "mktree"], cwd=git, input=lines.encode(), stdout=subprocess.PIPE, check=True
        ).stdout.decode().strip()  # fmt: skip
    commit = measure.git(
        git, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree, "-m", "x"
    )
    measure.git(git, "update-ref", "refs/heads/bomb", commit.decode().strip())


class Seen(NamedTuple):
    """Milliseconds: reads by label at the median and the 99th percentile, and the slowest /health."""

    median: float
    p99: float
    health: float


def beside(kind: str, server: Running, key: str, folder: str, seconds: float) -> Seen:
    attack = subprocess.Popen(
        [sys.executable, __file__, "--attack", kind, server.url, key, folder, str(seconds + 1)]
    )
    time.sleep(1)
    reads: list[float] = []
    health: list[float] = []
    end = time.monotonic() + seconds

    def read(path: str, into: list[float], pause: float) -> None:
        with httpx.Client(
            base_url=server.url, headers={"X-API-Key": server.key}, timeout=60
        ) as client:
            while time.monotonic() < end:
                begin = time.perf_counter()
                client.get(path)
                into.append((time.perf_counter() - begin) * 1000)
                time.sleep(pause)

    threads = [
        threading.Thread(target=read, args=("/v1/prompts/welcome?label=production", reads, 0.002)),
        threading.Thread(target=read, args=("/health", health, 0.05)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    attack.wait()
    reads.sort()
    return Seen(statistics.median(reads), reads[int(len(reads) * 0.99)], max(health))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--attack", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.attack:
        kind, url, key, folder, seconds = options.attack
        Attacker(url, key, folder).run(kind, float(seconds))
        return
    with tempfile.TemporaryDirectory() as folder, sidecar(f"{folder}/data") as server:
        command = [sys.executable, "-m", "gitprompt", "keys", "create", "--data", f"{folder}/data"]
        key = subprocess.run(
            [*command, "--workspace", "tenant"], check=True, capture_output=True, text=True,
            env={**os.environ},
        ).stdout.strip()  # fmt: skip
        headers = {"X-API-Key": server.key, "Content-Type": "application/json"}
        prepare(
            Attacker(server.url, key, f"{folder}/git"),
            httpx.Client(base_url=server.url, headers=headers),
        )
        rows = []
        for kind in [options.only] if options.only else KINDS:
            calm = beside("harmless", server, key, f"{folder}/git", options.seconds)
            seen = beside(kind, server, key, f"{folder}/git", options.seconds)
            rows.append(
                (
                    kind,
                    f"{calm.median:.1f} / {calm.p99:.1f}",
                    f"{seen.median:.1f} / {seen.p99:.1f}",
                    measure.verdict(seen.p99 / calm.p99, _TIMES),
                    measure.verdict(seen.health, _HEALTH_MS),
                )
            )
        columns = ("attack", "beside harmless, p50 / p99 ms", "beside it", "times", "/health, ms")
        measure.table("GET by label in another workspace", columns, rows)


if __name__ == "__main__":
    main()
