# SPDX-License-Identifier: Apache-2.0
"""Cold index, no-op sync, ten new tags among N; against for-each-ref + cat-file --batch + parse.

python bench/index.py [--sizes 1000,10000,100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import measure


def cold(path: str) -> None:
    """In a process of its own: build an index from nothing, print seconds and peak bytes."""
    from gitprompt import clock
    from gitprompt.git.repository import Repository
    from gitprompt.registry.sync import Source, Sync
    from gitprompt.store.database import Database
    from gitprompt.store.index.writer import open_index

    with tempfile.TemporaryDirectory() as data:
        begin = time.perf_counter()
        index, database = open_index(f"{data}/index.db"), Database(f"{data}/telemetry.db")
        sync = Sync(index, database, clock.now)
        outcome = sync.reconcile(Source("default", Repository.open(path), owned=False))
        report(begin, outcome.versions)


def baseline(path: str) -> None:
    """The straightforward way: two git processes and a loop."""
    begin = time.perf_counter()
    format = "%(objectname) %(*objectname) %(*objecttype) %(refname)"
    refs = measure.git(path, "for-each-ref", f"--format={format}", "refs/tags/prompts")
    specs = []
    for line in refs.decode().splitlines():
        _, peeled, kind, ref = line.split(" ")
        name = ref.removeprefix("refs/tags/prompts/").rpartition("/")[0]
        specs.append(peeled if kind == "blob" else f"{peeled}:prompts/{name}.json")
    with tempfile.TemporaryFile() as requests:
        requests.write("\n".join(specs).encode() + b"\n")
        requests.seek(0)
        process = subprocess.Popen(
            ["git", "-C", path, "cat-file", "--batch", "--buffer"],
            stdin=requests,
            stdout=subprocess.PIPE,
            bufsize=1 << 20,
        )
        assert process.stdout is not None
        documents: dict[str, Any] = {}
        for spec in specs:
            size = int(process.stdout.readline().split()[2])
            documents[spec] = json.loads(process.stdout.read(size + 1)).get("name")
        process.wait()
    report(begin, len(specs))


def report(begin: float, count: int) -> None:
    seconds = time.perf_counter() - begin
    with open("/proc/self/status", encoding="ascii") as file:  # ru_maxrss counts the parent's too
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "count": count}))


def apart(what: str, path: str) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, __file__, what, path], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def warm(path: str, size: int) -> tuple[float, float]:
    """CPU seconds of a no-op sync, and seconds of a sync that brings ten new tags."""
    from gitprompt import clock
    from gitprompt.git.repository import Repository
    from gitprompt.registry.sync import Source, Sync
    from gitprompt.store.database import Database
    from gitprompt.store.index.writer import open_index

    with tempfile.TemporaryDirectory() as data:
        index, database = open_index(f"{data}/index.db"), Database(f"{data}/telemetry.db")
        sync = Sync(index, database, clock.now)
        source = Source("default", Repository.open(path), owned=False)
        sync.reconcile(source)
        time.sleep(0.1)  # past the racy window of the files' times
        sync.reconcile(source)
        begin = time.process_time()
        for _ in range(200):
            sync.reconcile(source)
        no_op = (time.process_time() - begin) / 200
        more = []
        for step in range(7):
            measure.add_tags(path, size + step * 10, 10)
            begin = time.perf_counter()
            outcome = sync.reconcile(source)
            more.append(time.perf_counter() - begin)
            assert outcome.versions == 10, outcome
        return no_op, statistics.median(more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cold_rows, warm_rows = [], []
    for size in map(int, options.sizes.split(",")):
        # fast-import takes minutes to make 100,000 commits on growing trees
        for shape in ("blob", "commit") if size <= 10_000 else ("blob",):
            with tempfile.TemporaryDirectory() as folder:
                path = measure.repository(os.path.join(folder, "r.git"), size, shape=shape)
                ours, theirs, peaks = [], [], []
                for _ in range(options.rounds * (5 if size <= 1_000 else 1)):
                    found = apart("cold", path)
                    assert found["count"] == size, found
                    ours.append(found["seconds"])
                    peaks.append(found["peak"])
                    theirs.append(apart("baseline", path)["seconds"])
                a, b = statistics.median(ours), statistics.median(theirs)
                cold_rows.append(
                    (f"{size:,}", shape, f"{a:.2f}", f"{b:.2f}", measure.verdict(a / b, 1.5),
                     measure.verdict(max(peaks) / 1e6, 300))
                )  # fmt: skip
                if shape == "blob":
                    no_op, ten = warm(path, size)
                    warm_rows.append(
                        (
                            f"{size:,}",
                            measure.verdict(no_op * 1e3, 1),
                            measure.verdict(ten * 1e3, 20),
                        )
                    )
    measure.table(
        "Cold index against for-each-ref + cat-file --batch + parse",
        ("tags", "tag points at", "gitprompt s", "baseline s", "ratio", "peak MB"),
        cold_rows,
    )
    measure.table(
        "Sync, refs packed", ("tags", "nothing changed, CPU ms", "ten new tags, ms"), warm_rows
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["cold"]:
        cold(sys.argv[2])
    elif sys.argv[1:2] == ["baseline"]:
        baseline(sys.argv[2])
    else:
        main()
