# SPDX-License-Identifier: Apache-2.0
"""What holds for several nodes of any driver of which the origin is elsewhere, also while that fails."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers import Driver
from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.ref_log import RefLog
from gitprompt.drivers.s3 import bucket
from gitprompt.errors import Conflict, OriginUnreachable
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from tests.drivers.ref_log.nodes import Faulty
from tests.forge import Forge
from tests.postgres import new_url
from tests.seaweed import seaweed
from tests.world import empty_repository, run

TAG = "refs/tags/prompts/welcome/1.0.0"
LABEL = "refs/labels/welcome@production"
MAIN = "refs/heads/main"
MANY = 10_000
Fault = Literal["", "before", "after", "slow", "cut"]


class Origin:
    """An empty one, which can fail."""

    def driver(self) -> Driver:
        """Of another node."""
        raise NotImplementedError

    def fail(self, fault: Fault) -> None:
        """From now on: `before` a push arrives, or `after` it is done; `slow` are answers, and `cut` is what is
        fetched."""
        raise NotImplementedError

    def put(self, updates: list[RefUpdate]) -> list[RefUpdate]:
        """Somebody makes some of many updates there; the others are for a push."""
        return updates

    def close(self) -> None:
        """When the test is over."""


class Bare(Origin):
    """A path."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "forge.git"
        run("git", "init", "-q", "--bare", "-b", "main", "forge.git", cwd=folder)

    def driver(self) -> Driver:
        return drivers.make(server_settings({}, {"GITPROMPT_ORIGIN": str(self.path)}))

    def fail(self, fault: Fault) -> None:
        hooks, objects = self.path / "hooks", self.path / "objects"
        if fault == "":
            for what in ("pre-receive", "post-receive"):
                (hooks / what).unlink(missing_ok=True)
            for folder in (self.path, objects):
                if self._aside(folder).exists():
                    self._aside(folder).rename(folder)
        elif fault in ("slow", "after"):
            hook = hooks / ("pre-receive" if fault == "slow" else "post-receive")
            hook.write_text(
                "#!/bin/sh\nsleep 0.5\n" if fault == "slow" else "#!/bin/sh\nkill $PPID\n"
            )
            hook.chmod(0o755)
        else:
            folder = self.path if fault == "before" else objects
            folder.rename(self._aside(folder))

    def _aside(self, folder: Path) -> Path:
        return folder.with_name(f"{folder.name}-aside")


class Http(Bare):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.forge = Forge(folder)
        run("git", "config", "http.receivepack", "true", cwd=self.path)

    def driver(self) -> Driver:
        env = {
            "DRIVER": "github", "GITHUB_REPO": "acme/forge", "GITHUB_TOKEN": self.forge.token,
            "GITHUB_API_URL": f"{self.forge.url}/api/v3",
        }  # fmt: skip
        return drivers.make(server_settings({}, env))

    def fail(self, fault: Fault) -> None:
        fates = {"before": "away", "after": "lose", "slow": "slow", "cut": "cut"}
        self.forge.fate = fates.get(fault, "answer")  # type: ignore[assignment]

    def put(self, updates: list[RefUpdate]) -> list[RefUpdate]:
        """Git takes a minute to push ten thousand over HTTP: the square of their number."""
        update_refs(Repository.open(str(self.path)), updates[1_000:], message="test")
        return updates[:1_000]

    def close(self) -> None:
        self.forge.close()


class Log(Origin):
    """`name` is the driver's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stores: list[Faulty] = []
        self.databases: list[Database] = []
        self.prefix = f"{uuid.uuid4().hex}/" if name == "s3" else ""
        self.url = new_url() if name == "postgres" else ""

    def driver(self) -> Driver:
        self.stores.append(Faulty(self.store()))
        return RefLog(self.stores[-1], name=self.name, place=self.name, prefix=self.prefix)

    def store(self) -> ObjectStore:
        if self.name == "s3":
            return bucket(server_settings({}, seaweed().environment("")))
        self.databases.append(Database(self.url))
        tables = GitObjects()
        tables.open(self.databases[-1])
        return tables

    def fail(self, fault: Fault) -> None:
        for store in self.stores:
            store.cuts = fault == "cut"
            if fault == "before":
                store.fate = "fails before"
            elif fault == "after":
                store.fate = "fails after"
            else:
                store.fate = "is slow" if fault == "slow" else "works"

    def close(self) -> None:
        for database in self.databases:
            database.close()


KINDS = [
    pytest.param(lambda folder: Bare(folder), id="mirror", marks=pytest.mark.stores),
    pytest.param(lambda folder: Http(folder), id="github", marks=pytest.mark.stores),
    pytest.param(lambda _: Log("s3"), id="s3", marks=pytest.mark.stores),
    pytest.param(lambda _: Log("postgres"), id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=KINDS)
def origin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Origin]:
    found: Origin = request.param(tmp_path)
    yield found
    found.close()


class Node:
    """A driver and its repository."""

    def __init__(self, origin: Origin, folder: Path) -> None:
        self.origin = origin
        self.driver = origin.driver()
        folder.mkdir()
        self.repository = empty_repository(folder / "r.git")
        self.driver.claim("default", self.repository)

    def restart(self) -> None:
        self.driver.close()
        self.driver = self.origin.driver()
        self.driver.claim("default", self.repository)

    def fetch(self) -> None:
        self.driver.expect("default")
        assert not self.driver.fetch("default", self.repository)

    def push(self, *updates: RefUpdate) -> None:
        """As a write does it: there first, then here."""
        self.driver.push("default", self.repository, updates)
        update_refs(self.repository, updates, message="test")

    def commit(self, text: str) -> str:
        """An object that nobody else has."""
        tree = run("git", "mktree", cwd=self.repository.git_dir).strip()
        return run("git", "commit-tree", "-m", text, tree, cwd=self.repository.git_dir).strip()

    @property
    def refs(self) -> dict[str, str]:
        return dict(self.repository.refs().items())


@pytest.fixture
def nodes(origin: Origin, tmp_path: Path) -> Iterator[list[Node]]:
    """Three, of which the first has begun a history, and the others have it."""
    found = [Node(origin, tmp_path / f"node{at}") for at in range(3)]
    first = found[0]
    run("git", "symbolic-ref", "HEAD", MAIN, cwd=first.repository.git_dir)
    begun = first.commit("Begin")
    first.push(RefUpdate(MAIN, ZERO, begun), RefUpdate(TAG, ZERO, begun))
    for node in found:
        node.fetch()
    yield found
    for node in found:
        node.driver.close()


def test_an_origin_that_has_nothing_is_well(origin: Origin, tmp_path: Path) -> None:
    node = Node(origin, tmp_path / "node")
    node.fetch()
    assert node.refs == {}
    node.driver.check("default", node.repository)
    assert node.driver.workspaces() == ["default"]
    node.driver.close()


def test_what_one_publishes_the_others_have(nodes: list[Node]) -> None:
    made = nodes[1].commit("Move")
    nodes[1].push(RefUpdate(LABEL, ZERO, made))
    for node in nodes:
        node.fetch()
        assert node.refs == {MAIN: node.refs[TAG], TAG: node.refs[TAG], LABEL: made}
        assert node.repository.refs().head[0] == MAIN
        run("git", "fsck", "--strict", cwd=node.repository.git_dir)
    nodes[2].push(RefUpdate(LABEL, made, ZERO))
    nodes[0].fetch()
    assert LABEL not in nodes[0].refs


def test_of_three_who_race_one_wins_each_round(nodes: list[Node]) -> None:
    for round_ in range(4):
        before = nodes[0].refs.get(LABEL, ZERO)
        made = [node.commit(f"{round_} of {at}") for at, node in enumerate(nodes)]

        def move(at: int, before: str = before, made: list[str] = made) -> bool:
            try:
                nodes[at].push(RefUpdate(LABEL, before, made[at]))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(3) as pool:
            won = list(pool.map(move, range(3)))
        assert won.count(True) == 1
        for node in nodes:
            node.fetch()
            assert node.refs[LABEL] == made[won.index(True)]


def test_of_many_updates_all_or_none_are_made(nodes: list[Node]) -> None:
    taken, other = nodes[0].commit("taken"), nodes[1].commit("other")
    nodes[0].push(RefUpdate(LABEL, ZERO, taken))
    with pytest.raises(Conflict):
        nodes[1].push(RefUpdate("refs/labels/a@x", ZERO, other), RefUpdate(LABEL, ZERO, other))
    for node in nodes:
        node.fetch()
        assert node.refs[LABEL] == taken
        assert "refs/labels/a@x" not in node.refs


def test_ten_thousand_versions_come_at_once(nodes: list[Node], origin: Origin) -> None:
    begun = nodes[0].refs[MAIN]
    tags = [RefUpdate(f"refs/tags/prompts/p{at}/1.0.0", ZERO, begun) for at in range(MANY)]
    rest = origin.put(tags)
    nodes[0].push(*rest)
    nodes[0].fetch()
    nodes[1].fetch()
    assert nodes[1].refs == nodes[0].refs
    assert len(nodes[1].refs) == MANY + 2
    nodes[1].push(RefUpdate(LABEL, ZERO, begun))
    nodes[0].fetch()
    assert nodes[0].refs[LABEL] == begun


@pytest.mark.parametrize("fault", ["before", "after", "slow"])
def test_a_push_that_fails_is_done_or_is_not(
    nodes: list[Node], origin: Origin, fault: Fault
) -> None:
    """What is done is an answer of success, whoever lost it; what is not can be sent again."""
    node, made = nodes[1], nodes[1].commit("x")
    origin.fail(fault)
    if fault == "before":
        with pytest.raises(OriginUnreachable):
            node.push(RefUpdate(LABEL, ZERO, made))
        origin.fail("")
        nodes[0].fetch()
        assert LABEL not in nodes[0].refs
    node.push(RefUpdate(LABEL, ZERO, made))
    origin.fail("")
    for one in nodes:
        one.fetch()
        assert one.refs[LABEL] == made


def test_a_fetch_that_is_cut_changes_nothing_and_is_done_again(
    nodes: list[Node], origin: Origin
) -> None:
    made = nodes[0].commit("x")
    nodes[0].push(RefUpdate(LABEL, ZERO, made))
    before = nodes[1].refs
    origin.fail("cut")
    with pytest.raises(OriginUnreachable):
        nodes[1].fetch()
    assert nodes[1].refs == before
    with pytest.raises(OriginUnreachable):
        nodes[1].driver.check("default", nodes[1].repository)
    origin.fail("")
    nodes[1].fetch()
    assert nodes[1].refs == nodes[0].refs
    nodes[1].driver.check("default", nodes[1].repository)


def test_whoever_dies_after_a_push_finds_what_was_done(nodes: list[Node]) -> None:
    """There, and not yet here."""
    node, made = nodes[2], nodes[2].commit("x")
    node.driver.push("default", node.repository, [RefUpdate(LABEL, ZERO, made)])
    node.restart()
    assert LABEL not in node.refs
    node.fetch()
    assert node.refs[LABEL] == made
    node.push(RefUpdate(LABEL, made, ZERO))


def test_pushes_from_many_threads_of_one_node_are_all_done(nodes: list[Node]) -> None:
    """Each is a transaction of its own, and starts over when another was faster."""
    node = nodes[0]
    done: list[str] = []
    lock = threading.Lock()

    def publish(at: int) -> None:
        update = RefUpdate(f"refs/labels/p{at}@x", ZERO, node.refs[MAIN])
        while update.ref not in done:
            with lock:
                node.fetch()
                node.push(update)
                done.append(update.ref)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, range(8)))
    nodes[1].fetch()
    assert set(done) <= nodes[1].refs.keys()
