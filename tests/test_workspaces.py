# SPDX-License-Identifier: Apache-2.0
"""The workspaces of a server: which there are, and that each is in sync, whatever another does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from gitprompt.drivers.filesystem import Filesystem
from gitprompt.errors import BadRequest, GitError, NotFound
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.hosting import Hosting
from gitprompt.metrics import SidecarMetrics
from gitprompt.registry.sync import Outcome, Sync
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import open_index
from gitprompt.workspaces import Workspaces
from tests import databases
from tests.metrics.recorded import told
from tests.world import Clone

NOW = 1_700_000_000
TAG = "refs/tags/prompts/welcome/1.0.0"


class Origin(Filesystem):
    """A driver whose origin can be away, or slow to answer."""

    name = "origin"
    is_mirror = False

    def __init__(self) -> None:
        super().__init__(is_hosted=False)
        self.away: set[str] = set()
        self.fetches: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def fetch(self, workspace: str, repository: Repository) -> Mapping[str, str | None] | None:
        self.fetches.append(workspace)
        assert self.may_answer.wait(10)
        if workspace in self.away:
            raise GitError("the origin is away")
        return None

    def push(self, workspace: str, repository: Repository, updates: Sequence[RefUpdate]) -> None:
        """Nothing is sent."""

    def check(self, workspace: str, repository: Repository) -> None:
        """It is usable."""


class House:
    """Workspaces on a data directory, and what a server has around them."""

    def __init__(self, folder: Path, author: Clone) -> None:
        self.author = author
        self.hosting = Hosting(str(folder))
        self.origin = Origin()
        self.metrics = SidecarMetrics()
        self.tampered: list[tuple[str, str]] = []
        folder.mkdir()
        self._database = Database(databases.location(folder))
        self._index = open_index(str(folder / "index.db"))
        self.index = IndexReader(self._index.path)
        self._sync = Sync(self._index, self._database, lambda: NOW)
        self.workspaces = self.opened()

    def opened(self, in_place: Repository | None = None) -> Workspaces:
        return Workspaces(
            hosting=self.hosting, sync=self._sync, driver=self.origin, clock=lambda: NOW,
            metrics=self.metrics, tracing=None, in_place=in_place,
            on_tampering=lambda workspace, ref: self.tampered.append((workspace, ref)),
        )  # fmt: skip

    def publish(self, workspace: str = "default") -> Clone:
        """welcome 1.0.0 arrives in the repository of a workspace, behind the server's back."""
        hosted = Clone(Path(self.hosting.create(workspace).git_dir))
        refspecs = ("+main:refs/heads/main", "refs/tags/*:refs/tags/*")
        hosted.git("fetch", "-q", str(self.author.path), *refspecs)
        return hosted

    def is_served(self, workspace: str = "default") -> bool:
        return self.index.version(workspace, "welcome", "1.0.0") is not None

    def close(self) -> None:
        self._sync.close()
        self.index.close()
        self._index.close()
        self._database.close()


@pytest.fixture
def house(published: Clone, tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path / "data", published)
    yield opened
    opened.close()


# Which there are


def test_a_workspace_is_made_once(house: House) -> None:
    source = asyncio.run(house.workspaces.create("team"))
    assert source.owned
    assert asyncio.run(house.workspaces.create("team")) is source
    assert house.hosting.workspaces() == house.workspaces.names == ["team"]


def test_a_workspace_with_an_invalid_name_is_not_made(house: House) -> None:
    with pytest.raises(BadRequest):
        asyncio.run(house.workspaces.create("../team"))
    assert house.workspaces.names == []


def test_what_is_not_there_cannot_be_synced(house: House) -> None:
    with pytest.raises(NotFound, match="Workspace team not found"):
        asyncio.run(house.workspaces.reconcile("team"))
    assert house.workspaces.source("team") is None


def test_a_workspace_that_cannot_be_opened_stops_no_other_and_comes_back(house: House) -> None:
    house.publish()
    broken = Path(house.hosting.path("broken"))
    broken.mkdir()
    house.workspaces.load()
    assert house.workspaces.names == ["broken", "default"]
    assert house.workspaces.source("broken") is None
    assert house.workspaces.state("broken").last_error is not None
    house.publish("broken")
    house.workspaces.load()
    asyncio.run(house.workspaces.poke())
    assert (house.is_served("broken"), house.workspaces.state("broken").last_error) == (True, None)


def test_a_repository_in_place_is_the_default_workspace_and_not_ours(house: House) -> None:
    house.publish()
    repository = Repository.open(str(house.author.path))
    workspaces = house.opened(in_place=repository)
    workspaces.load()
    source = workspaces.source("default")
    assert source is not None
    assert (source.repository, source.owned) == (repository, False)


# Keeping up


def test_what_was_in_git_at_the_call_is_served_when_it_returns(house: House) -> None:
    house.publish()
    house.workspaces.load()
    assert asyncio.run(house.workspaces.reconcile("default")) == Outcome(True, versions=1)
    assert house.is_served()
    assert asyncio.run(house.workspaces.reconcile("default")) == Outcome()


def test_only_a_sync_that_changed_something_makes_a_new_generation(house: House) -> None:
    house.publish()
    house.workspaces.load()
    steps = []
    for _ in range(2):
        asyncio.run(house.workspaces.reconcile("default"))
        steps.append((house.workspaces.generation, house.workspaces.state("default").revision))
    assert steps == [(1, 1), (1, 1)]
    assert house.workspaces.state("default").last_success == NOW


def test_who_asks_while_a_sync_runs_shares_the_next_and_sees_what_came_meanwhile(
    house: House,
) -> None:
    async def story() -> None:
        await house.workspaces.create("default")
        house.origin.may_answer.clear()
        first = asyncio.ensure_future(house.workspaces.reconcile("default"))
        while not house.origin.fetches:
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(house.workspaces.reconcile("default")) for _ in range(5)]
        await asyncio.to_thread(house.publish)
        house.origin.may_answer.set()
        await first
        outcomes = await asyncio.gather(*others)
        assert len({id(outcome) for outcome in outcomes}) == 1
        assert house.is_served()

    asyncio.run(story())
    assert house.origin.fetches == ["default"] * 2


def test_a_caller_who_gives_up_takes_nobody_with_it(house: House) -> None:
    async def story() -> Outcome:
        await asyncio.to_thread(house.publish)
        await asyncio.to_thread(house.workspaces.load)
        house.origin.may_answer.clear()
        leaver = asyncio.ensure_future(house.workspaces.reconcile("default"))
        stayer = asyncio.ensure_future(house.workspaces.reconcile("default"))
        await asyncio.sleep(0)
        leaver.cancel()
        house.origin.may_answer.set()
        return await stayer

    assert asyncio.run(story()) == Outcome(True, versions=1)


def test_a_sync_that_fails_says_why_in_its_state_until_one_succeeds(house: House) -> None:
    house.publish()
    house.workspaces.load()
    house.origin.away.add("default")
    for _ in range(2):
        with pytest.raises(GitError, match="the origin is away"):
            asyncio.run(house.workspaces.reconcile("default"))
    state = house.workspaces.state("default")
    assert (state.last_error, state.last_success, state.revision) == ("the origin is away", None, 0)
    assert told(house.metrics).total("sync_runs_total", result="error") == 2
    house.origin.away.clear()
    asyncio.run(house.workspaces.reconcile("default"))
    assert (state.last_error, state.last_success) == (None, NOW)


def test_a_workspace_that_fails_stops_no_other(house: House) -> None:
    for name in ("a", "b"):
        house.publish(name)
    house.workspaces.load()
    house.origin.away.add("a")
    asyncio.run(house.workspaces.poke())
    assert (house.is_served("a"), house.is_served("b")) == (False, True)
    house.workspaces.sync_all(lambda _workspace: lambda _done, _total: None)
    assert house.origin.fetches == ["a", "b"] * 2


def test_a_poll_finds_a_repository_that_somebody_has_put_there(house: House) -> None:
    house.publish("new")

    async def story() -> None:
        poll = asyncio.create_task(house.workspaces.poll(0))
        async with asyncio.timeout(10):
            while not house.is_served("new"):
                await asyncio.sleep(0.01)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)

    asyncio.run(story())
    assert house.workspaces.names == ["new"]


def test_a_tag_that_was_moved_is_told_of_with_its_workspace(house: House) -> None:
    hosted = house.publish("team")
    house.workspaces.load()
    asyncio.run(house.workspaces.reconcile("team"))
    assert house.tampered == []
    hosted.git("update-ref", "-d", TAG)
    asyncio.run(house.workspaces.reconcile("team"))
    assert house.tampered == [("team", TAG)]
    assert house.is_served("team")
