# SPDX-License-Identifier: Apache-2.0
"""One write at a time: built, written down, moved, served; and what becomes of it on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gitprompt.config import ServerSettings
from gitprompt.errors import Conflict, GitpromptError, Unavailable
from gitprompt.git.kept import Kept
from gitprompt.git.objects import Signature
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Source
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import Actor, AuditRow, Pending
from gitprompt.store.tables.pages import Part, Window
from gitprompt.transaction import Built, Ground, Transactions
from tests.databases import after_a_crash
from tests.world import WELCOME, Clone

ADA = Signature("Ada", "ada@example.com", 1_700_000_000)
MAIN = "refs/heads/main"
TAG = "refs/tags/prompts/welcome/1.0.0"


class Desk:
    """The writes to one workspace of a server in this process."""

    def __init__(self, application: Sidecar, workspace: str) -> None:
        self.context = application.context
        self.workspace = workspace
        self.kept = Kept()
        self.transactions = Transactions(
            workspaces=self.context.workspaces,
            database=self.context.database,
            driver=self.context.driver,
            kept=self.kept,
        )
        self.source: Source = asyncio.run(self.context.workspaces.create(workspace))
        self.hosted = Clone(Path(self.source.repository.git_dir))
        self.grounds: list[Ground] = []

    def commit(self, text: str = WELCOME) -> str:
        """Somebody else's commit on the branch."""
        before = self.hosted.git("for-each-ref", "--format=%(objectname)", MAIN)
        blob = self.hosted.git("hash-object", "-w", "--stdin", stdin=text)
        folder = self.hosted.git("mktree", stdin=f"100644 blob {blob}\twelcome.yaml\n")
        tree = self.hosted.git("mktree", stdin=f"040000 tree {folder}\tprompts\n")
        parent = ("-p", before) if before else ()
        commit = self.hosted.git("commit-tree", tree, *parent, "-m", "Somebody else")
        self.hosted.git("update-ref", MAIN, commit)
        return commit

    def build(self, ground: Ground) -> Built[str]:
        """welcome 1.0.0 on the branch, which moves with it."""
        self.grounds.append(ground)
        blob = ground.writer.blob(WELCOME.encode())
        tree = ground.writer.tree([("prompts/welcome.yaml", blob)])
        parents = [ground.tip] if ground.tip else []
        commit = ground.writer.commit(tree, parents, "Publish", ADA)
        name = TAG.removeprefix("refs/tags/")
        tag = ground.writer.tag(commit, name, "Publish", ADA, kind="commit")
        branch = RefUpdate(MAIN, ground.tip or ZERO, commit)
        return Built(commit, (branch, RefUpdate(TAG, ZERO, tag)))

    def write(
        self,
        build: Callable[[Ground], Built[str]] | None = None,
        moved: Callable[[], Awaitable[None]] | None = None,
    ) -> str:
        async def story() -> str:
            async with self.transactions.alone(self.source):
                return await self.transactions.write(
                    self.source, build or self.build, self.entry, moved=moved
                )

        return asyncio.run(story())

    @property
    def entry(self) -> AuditRow:
        return Actor(self.workspace, "ci").did("create_prompt", 1_700_000_000)

    @property
    def outcomes(self) -> list[str]:
        """Of what was written down, oldest first."""
        page, *_ = self.context.database.read_now(Part(audit.LISTING, self.workspace, Window(100)))
        return [AuditRow(*row[1:]).outcome for row in reversed(page)]

    @property
    def is_served(self) -> bool:
        return self.context.index.version(self.workspace, "welcome", "1.0.0") is not None


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """Shared by the tests of this module; each has a workspace of its own."""
    with sidecar(ServerSettings(data=str(tmp_path_factory.mktemp("server")))) as running:
        yield running


@pytest.fixture
def desk(application: Sidecar, request: pytest.FixtureRequest) -> Iterator[Desk]:
    opened = Desk(application, request.node.name)
    yield opened
    opened.kept.close()


def test_what_a_write_has_made_is_served_when_it_returns(desk: Desk) -> None:
    commit = desk.write()
    assert desk.hosted.git("rev-parse", f"{TAG}^{{commit}}", MAIN).split() == [commit, commit]
    assert (desk.is_served, desk.outcomes) == (True, ["done"])


def test_a_write_that_is_not_served_yet_is_pending_with_what_shall_be(desk: Desk) -> None:
    pending: list[tuple[str, str]] = []

    async def look() -> None:
        after_a_crash(desk.context.database)
        for _, expected in desk.context.database.read_now(Pending()):
            pending.append((expected.ref, expected.oid))

    desk.write(moved=look)
    assert pending == [(TAG, desk.hosted.git("rev-parse", TAG))]


def test_between_the_refs_and_the_index_the_caller_has_its_turn(desk: Desk) -> None:
    states: list[tuple[bool, bool]] = []

    async def look() -> None:
        states.append((desk.hosted.git("rev-parse", TAG) != "", desk.is_served))

    desk.write(moved=look)
    assert states == [(True, False)]


def test_a_branch_that_moved_meanwhile_is_built_on_again(desk: Desk) -> None:
    desk.commit()

    def somebody_is_faster(ground: Ground) -> Built[str]:
        built = desk.build(ground)
        if len(desk.grounds) == 1:
            desk.commit("messages: []\n")
        return built

    commit = desk.write(somebody_is_faster)
    first, second = desk.grounds
    assert (first.tip != second.tip, second.tip) == (
        True, desk.hosted.git("rev-parse", f"{commit}^"),
    )  # fmt: skip
    assert desk.outcomes == ["failed", "done"]


def test_a_branch_that_never_rests_is_given_up(desk: Desk) -> None:
    def somebody_is_always_faster(ground: Ground) -> Built[str]:
        built = desk.build(ground)
        desk.commit(f"# {len(desk.grounds)}\n")
        return built

    with pytest.raises(Conflict, match=f"{MAIN} was changed"):
        desk.write(somebody_is_always_faster)
    assert desk.outcomes == ["failed"] * len(desk.grounds)
    assert len(desk.grounds) > 1


def test_a_version_that_somebody_else_took_is_not_tried_again(desk: Desk) -> None:
    def takes_it(ground: Ground) -> Built[str]:
        built = desk.build(ground)
        desk.hosted.git("update-ref", TAG, built.made)
        return built

    with pytest.raises(Conflict, match=TAG):
        desk.write(takes_it)
    assert (len(desk.grounds), desk.outcomes) == (1, ["failed"])


def test_what_cannot_be_built_is_not_written_down(desk: Desk) -> None:
    def refuses(ground: Ground) -> Built[str]:
        raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        desk.write(refuses)
    assert desk.outcomes == []
    assert desk.write() == desk.hosted.git("rev-parse", MAIN)


def test_what_is_written_and_cannot_be_served_yet_says_so_and_is_done(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitprompt.transaction._SYNC_WAITS", (0.0, 0.0))
    calls: list[int] = []

    async def fails() -> None:
        calls.append(1)
        raise GitpromptError("the disk is full")

    with pytest.raises(Unavailable, match=f"{TAG} is written, but it is not served yet") as error:
        desk.write(moved=fails)
    assert "Do not send it again" in error.value.hint
    assert error.value.headers == {"Retry-After": "10"}
    assert (len(calls), desk.outcomes, desk.is_served) == (3, ["done"], False)


def test_writes_to_one_workspace_come_one_after_another(desk: Desk) -> None:
    events: list[str] = []

    async def write(name: str) -> None:
        async with desk.transactions.alone(desk.source):
            events.append(f"{name} in")
            await asyncio.sleep(0)
            events.append(f"{name} out")

    async def story() -> None:
        await asyncio.gather(write("a"), write("b"))

    asyncio.run(story())
    assert events == ["a in", "a out", "b in", "b out"]


def test_whoever_writes_has_the_index_as_git_is(desk: Desk) -> None:
    desk.hosted.git("update-ref", TAG, desk.commit())

    async def story() -> bool:
        async with desk.transactions.alone(desk.source):
            return desk.is_served

    assert not desk.is_served
    assert asyncio.run(story())


def test_settings_hold_on_the_condition_that_the_branch_stays(desk: Desk) -> None:
    tip = desk.commit()
    desk.write()
    (ground,) = desk.grounds
    assert ground.unmoved([RefUpdate(TAG, ZERO, tip)]) == (RefUpdate(MAIN, tip, tip),)
    assert ground.unmoved([RefUpdate(MAIN, tip, ZERO)]) == ()
    assert ground._replace(branch=None).unmoved([]) == ()


def test_a_branch_that_a_person_works_on_may_not_be_moved(desk: Desk, published: Clone) -> None:
    def look(ground: Ground) -> Built[str]:
        desk.grounds.append(ground)
        raise Conflict("enough seen")

    work_tree = Source(desk.workspace, Repository.open(str(published.path)), owned=False)
    for source in (work_tree, desk.source):
        with pytest.raises(Conflict, match="enough seen"):
            asyncio.run(desk.transactions.write(source, look, desk.entry))
    assert [(ground.branch, ground.movable) for ground in desk.grounds] == [
        (MAIN, None), (MAIN, MAIN),
    ]  # fmt: skip
