# SPDX-License-Identifier: Apache-2.0
"""Several nodes with one PostgreSQL: what they commit, 3 ms from it, and what they read behind one proxy (nginx).

python bench/nodes.py [--rounds 3] [--seconds 4]

Nodes, proxy and load generator share the processors of this machine, so the processor time of each is printed, too:
a node more is worth what its own processor is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import measure
import psutil

sys.path.insert(0, os.path.dirname(measure.HERE))  # the server that the tests start

from load import load
from postgres import ACTOR, spans, trace
from sidecar import Running, sidecar

from gitprompt.store.database import Database
from gitprompt.store.tables.traces import EnsuredTrace, TraceInsertion
from tests.postgres import Cluster
from tests.proxy import Proxy

_LATENCY = 0.003
_SALT = "the-same-on-every-node-of-the-bench"
_READ = "/v1/prompts/team-0/prompt-0?version=1.3.0&variables%5Bquestion%5D=Where%3F"


def nodes(cluster: Cluster, number: int, seconds: float) -> float:
    """Commits a second of so many nodes, each of which sends one log after another."""
    proxy = Proxy(cluster.port, delay=_LATENCY)
    url = cluster.url(cluster.database(), port=proxy.port)
    databases = [Database(url) for _ in range(number)]
    for database in databases:
        database.write_now(EnsuredTrace(*TraceInsertion(trace(), ACTOR.did("trace:create", 1))))
    done = [0] * number
    end = time.monotonic() + seconds

    def send(at: int) -> None:
        while time.monotonic() < end:
            databases[at].write_now(spans(1))
            done[at] += 1

    threads = [threading.Thread(target=send, args=(at,)) for at in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    proxy.close()
    return sum(done) / seconds


class Reading(NamedTuple):
    """Requests a second, and microseconds of processor time for each."""

    rate: float
    nodes: float
    proxy: float
    generator: float


@contextmanager
def proxy(folder: str, nodes: Sequence[Running]) -> Iterator[tuple[str, int]]:
    """The URL of an nginx before the nodes, and its process."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    servers = "".join(f"server {node.url.removeprefix('http://')};" for node in nodes)
    path = os.path.join(folder, f"nginx-{len(nodes)}.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"daemon off; worker_processes 1; pid {path}.pid; error_log stderr crit; events {{}}\n"
            f"http {{ access_log off; upstream nodes {{ {servers} keepalive 64; }}\n"
            f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://nodes;"
            " proxy_http_version 1.1; proxy_set_header Connection ''; } } }\n"
        )
    process = subprocess.Popen(["nginx", "-c", path, "-p", folder], stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def used(pids: Sequence[int]) -> float:
    """Seconds of processor time of processes and their children."""
    every = [one for pid in pids for one in (psutil.Process(pid), *psutil.Process(pid).children())]
    return sum(time_ for one in every for time_ in one.cpu_times()[:2])


def read(url: str, proxy_pid: int, nodes: Sequence[Running], seconds: float) -> Reading:
    pids = [node.pid for node in nodes]
    before = used(pids), used([proxy_pid]), sum(os.times()[2:4])
    rate = load(url + _READ, {"X-API-Key": nodes[0].key}, connections=64, seconds=seconds).rate
    after = used(pids), used([proxy_pid]), sum(os.times()[2:4])
    number = rate * seconds
    return Reading(rate, *((b - a) / number * 1e6 for a, b in zip(before, after, strict=True)))


def reads(cluster: Cluster, folder: str, rounds: int, seconds: float) -> None:
    origin = os.path.join(folder, "origin.git")
    measure.repository(origin, 100, shape="commit")
    os.environ |= {"DATABASE_URL": cluster.url(cluster.database()), "API_KEY_SALT": _SALT}
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(sidecar(os.path.join(folder, f"node{at}"), "--origin", origin))
            for at in range(2)
        ]
        nodes = [node._replace(key=nodes[0].key) for node in nodes]
        groups = [nodes[:1], nodes]
        proxies = [stack.enter_context(proxy(folder, group)) for group in groups]
        found: list[list[Reading]] = [[], []]
        for _ in range(rounds):
            for group, (url, pid), readings in zip(groups, proxies, found, strict=True):
                readings.append(read(url, pid, group, seconds))
    medians = [sorted(readings)[len(readings) // 2] for readings in found]
    measure.table(
        f"Reads by version behind nginx, 64 connections, {os.cpu_count()} processors for everything",
        ("nodes", "requests/s", "µs of the nodes", "µs of nginx", "µs of the generator"),
        [
            (str(number), f"{one.rate:,.0f}", *(f"{part:.0f}" for part in one[1:]))
            for number, one in enumerate(medians, 1)
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    cluster = Cluster(fsync=True)
    one, two, three = measure.median_of(
        options.rounds, *(partial(nodes, cluster, number, options.seconds) for number in (1, 2, 3))
    )
    measure.table(
        "Commits a second of nodes that are 3 ms from their database",
        ("one", "two", "three", "three to one"),
        [
            (f"{one:.0f}", f"{two:.0f}", f"{three:.0f}",
             measure.verdict(three / one, 2, at_most=False)),
        ],
    )  # fmt: skip
    if shutil.which("nginx"):
        with tempfile.TemporaryDirectory() as folder:
            reads(cluster, folder, options.rounds, options.seconds)
    else:
        print("reads were not measured: nginx is not installed", file=sys.stderr)
    cluster.remove()


if __name__ == "__main__":
    main()
