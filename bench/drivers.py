# SPDX-License-Identifier: Apache-2.0
"""Where the repository lives, and what that costs: a publication until it is served, a poll that finds nothing, the
cold start of a node; the same on every driver, all back ends on this machine.

python bench/drivers.py [--rounds 60] [--versions 10000] [--many 100000]

The stores are real ones: a repository by its path, a forge over HTTP, SeaweedFS, PostgreSQL (with fsync).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import measure

sys.path.insert(0, os.path.dirname(measure.HERE))  # the forge and the stores that the tests start

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers import Driver
from gitprompt.drivers.mirror import Mirror
from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.ref_log import RefLog
from gitprompt.drivers.ref_log.applied import position_of
from gitprompt.drivers.ref_log.checkpoints import write_checkpoint
from gitprompt.git.origin import TAGS
from gitprompt.git.repository import Repository
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from gitprompt.transfer import mirroring
from gitprompt.transfer.mirroring import Location
from tests.forge import Forge
from tests.postgres import Cluster
from tests.seaweed import seaweed
from tests.world import Server, empty_repository

HOSTED, CLONE = "hosted", "git clone --mirror"
_SALT = "the-same-on-every-node-of-the-bench"


class Counting:
    """A store that knows how often it was asked."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        method = getattr(self._store, name)

        def asked(*args: object) -> object:
            self.asked += 1
            return method(*args)

        return asked


class BackEnds:
    """Where repositories of the bench live: by the name of the driver the settings of a new, empty one."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._forge = Forge(folder)
        stack.callback(self._forge.close)
        self._cluster = Cluster(fsync=True)
        stack.callback(self._cluster.remove)

    def settings(self, name: str) -> dict[str, str]:
        place = uuid.uuid4().hex
        if name == "s3":
            return seaweed().environment(f"bench/{place}")
        if name == "postgres":
            return {
                "DRIVER": "postgres", "API_KEY_SALT": _SALT,
                "DATABASE_URL": self._cluster.url(self._cluster.database()),
            }  # fmt: skip
        if name == HOSTED:
            return {}
        path = self._folder / f"{place}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
        subprocess.run(["git", "-C", path, "config", "http.receivepack", "true"], check=True)
        if name == "mirror":
            return {"GITPROMPT_ORIGIN": str(path)}
        return {
            "DRIVER": "github", "GITHUB_REPO": f"bench/{place}", "GITHUB_TOKEN": self._forge.token,
            "GITHUB_API_URL": f"{self._forge.url}/api/v3",
        }  # fmt: skip

    def http(self, url: str) -> str:
        """A URL of the forge, with its password."""
        return url.replace("http://", f"http://x-access-token:{self._forge.token}@")

    @contextmanager
    def driver(self, settings: Mapping[str, str]) -> Iterator[Driver]:
        with ExitStack() as stack:
            tables = GitObjects()
            driver = drivers.make(server_settings({}, settings), tables)
            stack.callback(driver.close)
            if settings.get("DRIVER") == "postgres":
                tables.open(stack.enter_context(closing(Database(settings["DATABASE_URL"]))))
            yield driver


class Publishing(NamedTuple):
    server: Server
    client: httpx.Client

    def once(self, number: int) -> float:
        """Milliseconds until a version is published and served."""
        name = f"team-{number % 7}/prompt-{number // 10}"
        body = json.loads(measure.document(name, number % 10))
        begin = time.perf_counter()
        answer = self.client.post("/v1/prompts", json=body)
        served = self.client.get(
            f"/v1/prompts/{name.replace('/', '%2F')}", params={"render": "false"}
        )
        taken = (time.perf_counter() - begin) * 1_000
        assert (answer.status_code, served.status_code) == (201, 200), answer.text
        return taken


def publishing(ends: BackEnds, folder: Path, names: list[str], rounds: int) -> None:
    with ExitStack() as stack:
        running: dict[str, Publishing] = {}
        for name in names:
            server = Server(folder / f"data-{name}", env=ends.settings(name)).start()
            stack.callback(server.stop)
            headers = {"X-API-Key": server.key()}
            client = httpx.Client(base_url=server.url, headers=headers, timeout=60)
            running[name] = Publishing(server, stack.enter_context(client))
        times: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds):
            for name, one in running.items():
                times[name].append(one.once(number))
    base = statistics.median(times[HOSTED])
    measure.table(
        f"Publish until served ({rounds} of each, one after another)",
        ["driver", "p50 ms", "p95 ms", "of hosted"],
        [
            [
                name, f"{(mid := statistics.median(found)):.1f}", f"{sorted(found)[len(found) * 95 // 100]:.1f}",
                measure.verdict(mid / base, 3) if name in ("s3", "postgres") else f"{mid / base:.2f}",
            ]
            for name, found in times.items()
        ],
    )  # fmt: skip


def started(ends: BackEnds, folder: Path, source: Path, names: list[str], rounds: int) -> None:
    """Polls of what is up to date, and cold starts, with as many versions as the source has."""
    rows_of_polls, rows = [], []
    with ExitStack() as stack:
        contenders: dict[str, Callable[[], float]] = {
            CLONE: partial(cloned, folder, f"file://{source}")
        }
        for name in names:
            settings = ends.settings(name)
            driver = stack.enter_context(ends.driver(settings))
            filled = fill(driver, folder, source)
            rows_of_polls.append([name, *poll(driver, filled)])
            if isinstance(driver, Mirror):
                url = driver.url("default")
                there = ends.http(url) if url.startswith("http") else f"file://{url}"
                contenders[f"{CLONE} of {name}"] = partial(cloned, folder, there)
            contenders[name] = partial(cold, ends, folder, settings)
        medians = measure.median_of(rounds, *contenders.values())
    number = sum(ref.startswith(TAGS) for ref, _ in Repository.open(str(source)).refs().items())
    measure.table(
        f"A poll that finds nothing ({number:,} versions)",
        ["driver", "p50 ms", "requests"],
        rows_of_polls,
    )
    taken = dict(zip(contenders, medians, strict=True))
    for name, seconds in taken.items():
        of = taken.get(
            f"{CLONE} of {name}", taken[CLONE]
        )  # of the same origin, where it is one of git
        ratio = "" if name.startswith(CLONE) else measure.verdict(seconds / of, 1.5)
        rows.append([name, f"{seconds * 1_000:.0f}", ratio])
    measure.table(
        f"Cold start: a node has all {number:,} versions (median of {rounds})",
        ["from", "ms", f"of {CLONE}"], rows,
    )  # fmt: skip


def fill(driver: Driver, folder: Path, source: Path) -> Repository:
    """Give an origin what the source has; returns a repository that is up to date with it."""
    with mirroring.opened(str(source), "default", server_settings({}, {}), new=False) as there:
        mirroring.mirror(there, Location(driver.name, driver), "default", lambda *_: None)
    here = empty_repository(folder / f"filled-{uuid.uuid4().hex}.git")
    driver.claim("default", here)
    driver.expect("default")
    driver.fetch("default", here)
    if isinstance(driver, RefLog):
        write_checkpoint(driver._history("default"), here, position_of(here).number)
    return here


def poll(driver: Driver, repository: Repository) -> tuple[str, str]:
    requests = "1"  # of a forge: the listing; git itself may need two over HTTP
    if isinstance(driver, RefLog):
        counting = Counting(driver._store)
        driver._store = counting  # type: ignore[assignment]
        driver.expect("default")
        driver.fetch("default", repository)
        requests, driver._store = str(counting.asked), counting._store
    times = []
    for _ in range(41):
        driver.expect("default")
        begin = time.perf_counter()
        driver.fetch("default", repository)
        times.append((time.perf_counter() - begin) * 1_000)
    return f"{statistics.median(times):.1f}", requests


def cloned(folder: Path, url: str) -> float:
    target = folder / "clone.git"
    begin = time.perf_counter()
    subprocess.run(["git", "clone", "-q", "--mirror", url, target], check=True)
    taken = time.perf_counter() - begin
    shutil.rmtree(target)
    return taken


def cold(ends: BackEnds, folder: Path, settings: Mapping[str, str]) -> float:
    here = empty_repository(folder / f"cold-{uuid.uuid4().hex}.git")
    with ends.driver(settings) as driver:
        driver.claim("default", here)
        begin = time.perf_counter()
        driver.fetch("default", here)
        taken = time.perf_counter() - begin
    assert here.refs().get(f"{TAGS}team-0/prompt-0/1.3.0")
    shutil.rmtree(here.git_dir)
    return taken


def many(ends: BackEnds, folder: Path, count: int, names: list[str]) -> None:
    source = Path(measure.repository(str(folder / "many.git"), count, shape="blob"))
    rows = []
    for name in names:
        settings = ends.settings(name)
        with ends.driver(settings) as driver:
            begin = time.perf_counter()
            fill(driver, folder, source)
            filled = time.perf_counter() - begin
        seconds = cold(ends, folder, settings)
        rows.append([name, f"{filled:.0f}", f"{seconds:.1f}", measure.verdict(seconds, 60)])
    rows.append([CLONE, "", f"{cloned(folder, f'file://{source}'):.1f}", ""])
    measure.table(
        f"{count:,} versions through the log, once",
        ["store", "written and verified, s", "cold start, s", "limit"], rows,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitprompt-bench-")))
        ends = BackEnds(folder, stack)
        elsewhere = ["mirror", "github", "s3", "postgres"]
        publishing(ends, folder, [HOSTED, *elsewhere], arguments.rounds)
        source = Path(
            measure.repository(str(folder / "source.git"), arguments.versions, shape="blob")
        )
        started(ends, folder, source, elsewhere, rounds=5)
        if arguments.many:
            many(ends, folder, arguments.many, ["s3", "postgres"])


if __name__ == "__main__":
    main()
