# SPDX-License-Identifier: Apache-2.0
"""The contract that every driver keeps. A new driver is picked up from the registry."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers import Driver
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import Conflict, OriginUnreachable, SetupError
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.store.database import Database
from gitprompt.store.git_store import GitObjects
from tests.drivers.ref_log.filling import fill
from tests.forge import Forge
from tests.postgres import new_url
from tests.seaweed import seaweed
from tests.world import Clone, empty_repository

LABEL = "refs/labels/welcome@staging"
TAG = "refs/tags/prompts/welcome/1.0.0"
_KINDS: dict[str, Callable[[Clone, Forge], dict[str, str]]] = {
    "filesystem": lambda _origin, _http: {},
    "mirror": lambda origin, _http: {"GITPROMPT_ORIGIN": str(origin.path)},
    "github": lambda _origin, http: {
        "DRIVER": "github",
        "GITHUB_REPO": "acme/forge",
        "GITHUB_API_URL": f"{http.url}/api/v3",
        "GITHUB_TOKEN": http.token,
    },
    "s3": lambda _origin, _http: seaweed().environment(uuid.uuid4().hex),
    "postgres": lambda _origin, _http: {"DRIVER": "postgres", "DATABASE_URL": new_url()},
}
_MARKS = {"s3": [pytest.mark.stores], "postgres": [pytest.mark.postgres]}


@pytest.fixture
def http_forge(tmp_path: Path) -> Iterator[Forge]:
    found = Forge(tmp_path)
    yield found
    found.close()


@pytest.fixture(
    params=[
        pytest.param(name, marks=_MARKS.get(name, []))
        for name in sorted({*drivers.DRIVERS, "mirror"})
    ]
)
def driver(request: pytest.FixtureRequest, forge: Clone, http_forge: Forge) -> Iterator[Driver]:
    """Each driver with an origin that has what `published` has."""
    settings = server_settings({}, _KINDS[request.param](forge, http_forge))
    tables = GitObjects()
    made = drivers.make(settings, tables)
    with ExitStack() as stack:
        stack.callback(made.close)
        if settings.driver == "postgres":
            tables.open(stack.enter_context(closing(Database(settings.database_url))))
        if isinstance(made, RefLog):
            fill(made, forge)
        yield made


@pytest.fixture
def repository(driver: Driver, published: Clone, tmp_path: Path) -> Repository:
    """The local repository of the workspace 'default', which is up to date."""
    if not driver.is_mirror:
        return Repository.open(str(published.path))
    found = empty_repository(tmp_path / "local.git")
    driver.claim("default", found)
    driver.fetch("default", found)
    return found


def head_of(repository: Repository) -> str:
    head = repository.refs().head[1]
    assert head
    return head


def asked(driver: Driver, repository: Repository) -> object:
    driver.expect("default")
    return driver.fetch("default", repository)


def test_it_is_named_as_it_is_registered(driver: Driver) -> None:
    assert driver.name in {*drivers.DRIVERS, "mirror"}
    assert driver.workspaces() == ["default"]
    driver.admit("default")


def test_fetch_is_idempotent_and_moves_no_tag(driver: Driver, repository: Repository) -> None:
    before = dict(repository.refs().items())
    for _ in range(2):
        assert not asked(driver, repository)
    assert {ref: oid for ref, oid in repository.refs().items() if ref in before} == before


def test_push_is_a_compare_and_swap(driver: Driver, repository: Repository) -> None:
    head = head_of(repository)
    update = RefUpdate(LABEL, ZERO, head)
    driver.push("default", repository, [update])
    update_refs(repository, [update], message="x")
    other = repository.refs().get(TAG)
    assert other
    with pytest.raises(Conflict):
        driver.push("default", repository, [RefUpdate(LABEL, ZERO, other)])
    with pytest.raises(Conflict):
        driver.push("default", repository, [RefUpdate(LABEL, other, ZERO)])
    with pytest.raises(Conflict):
        driver.push("default", repository, [RefUpdate("refs/labels/welcome@other", head, other)])


def test_check_changes_nothing(driver: Driver, repository: Repository) -> None:
    before = dict(repository.refs().items())
    driver.check("default", repository)
    assert dict(repository.refs().items()) == before


def test_a_repository_without_commits_is_well(driver: Driver, tmp_path: Path) -> None:
    driver.check("default", empty_repository(tmp_path / "local.git"))


def test_a_local_repository_that_is_its_own_is_taken_by_nobody_unasked(
    driver: Driver, published: Clone
) -> None:
    before = published.git("show-ref")
    if driver.is_mirror:
        with pytest.raises(SetupError, match="is a repository of its own"):
            driver.claim("default", Repository.open(str(published.path)))
    else:
        driver.claim("default", Repository.open(str(published.path)))
    assert published.git("show-ref") == before


# drivers of which the origin is elsewhere


class TestMirrors:
    @pytest.fixture(params=["mirror", "github"])
    def driver(self, request: pytest.FixtureRequest, forge: Clone, http_forge: Forge) -> Driver:
        return drivers.make(server_settings({}, _KINDS[request.param](forge, http_forge)))

    def test_all_that_is_there_comes_and_head_is_as_there(
        self, repository: Repository, forge: Clone
    ) -> None:
        assert dict(repository.refs().items()) == dict(
            Repository.open(str(forge.path)).refs().items()
        )
        assert repository.refs().head[0] == "refs/heads/main"

    def test_what_is_pushed_is_there_first(
        self, driver: Driver, repository: Repository, forge: Clone
    ) -> None:
        head = head_of(repository)
        driver.push("default", repository, [RefUpdate(LABEL, ZERO, head)])
        assert forge.git("rev-parse", LABEL) == head
        assert repository.refs().get(LABEL) is None

    def test_of_many_updates_all_or_none_are_made(
        self, driver: Driver, repository: Repository, forge: Clone
    ) -> None:
        head = head_of(repository)
        forge.git("update-ref", "refs/labels/welcome@taken", forge.git("rev-parse", TAG))
        updates = [RefUpdate(LABEL, ZERO, head), RefUpdate("refs/labels/welcome@taken", ZERO, head)]
        with pytest.raises(Conflict):
            driver.push("default", repository, updates)
        assert LABEL not in forge.git("show-ref")

    def test_a_tag_that_moved_there_is_told_until_it_is_back(
        self, driver: Driver, repository: Repository, published: Clone, forge: Clone
    ) -> None:
        before = forge.git("rev-parse", TAG)
        published.commit("Other", other="messages: [{role: user, content: Hi}]\n")
        published.git("push", "-q", "origin", "main")
        moved = published.git("rev-parse", "HEAD")
        forge.git("update-ref", TAG, moved)
        assert asked(driver, repository) == {TAG: moved}
        assert repository.refs().get(TAG) == before
        assert repository.refs().head[1] == moved, "what is sound has come all the same"
        forge.git("update-ref", "-d", TAG)
        assert asked(driver, repository) == {TAG: None}
        assert repository.refs().get(TAG) == before
        forge.git("update-ref", TAG, before)
        assert asked(driver, repository) == {}

    def test_many_refs_come_at_once(
        self, driver: Driver, repository: Repository, forge: Clone
    ) -> None:
        head = head_of(repository)
        lines = "".join(f"create refs/labels/p{at}@production {head}\n" for at in range(2_000))
        forge.git("update-ref", "--stdin", stdin=lines)
        asked(driver, repository)
        assert len(dict(repository.refs().items())) > 2_000
        forge.git("update-ref", "--stdin", stdin=lines.replace("create", "delete"))
        asked(driver, repository)
        assert not any("/p1" in ref for ref, _ in repository.refs().items())

    def test_nobody_is_asked_again_before_it_is_time(
        self, driver: Driver, repository: Repository, forge: Clone
    ) -> None:
        forge.path.rename(forge.path.with_name("away.git"))
        assert driver.fetch("default", repository) is None
        with pytest.raises(OriginUnreachable):
            asked(driver, repository)
        with pytest.raises(OriginUnreachable):
            driver.check("default", repository)
        with pytest.raises(OriginUnreachable):
            driver.push("default", repository, [RefUpdate(LABEL, ZERO, head_of(repository))])
        forge.path.with_name("away.git").rename(forge.path)
        assert asked(driver, repository) == {}
        driver.check("default", repository)


class TestFaults:
    """Of a forge over HTTP."""

    @pytest.fixture
    def driver(self, forge: Clone, http_forge: Forge) -> Driver:
        return drivers.make(server_settings({}, _KINDS["github"](forge, http_forge)))

    def test_an_answer_that_is_lost_is_asked_for(
        self, driver: Driver, repository: Repository, http_forge: Forge, forge: Clone
    ) -> None:
        head = head_of(repository)
        http_forge.fate = "lose"
        driver.push("default", repository, [RefUpdate(LABEL, ZERO, head)])
        assert forge.git("rev-parse", LABEL) == head

    def test_what_never_arrived_is_unreachable(
        self, driver: Driver, repository: Repository, http_forge: Forge, forge: Clone
    ) -> None:
        http_forge.fate = "away"
        with pytest.raises(OriginUnreachable):
            driver.push("default", repository, [RefUpdate(LABEL, ZERO, head_of(repository))])
        assert LABEL not in forge.git("show-ref")

    def test_a_wrong_token_is_told_and_never_shown(
        self, driver: Driver, repository: Repository, http_forge: Forge
    ) -> None:
        secret, http_forge.token = http_forge.token, "another"
        with pytest.raises(OriginUnreachable) as caught:
            asked(driver, repository)
        assert secret not in str(vars(caught.value)) + str(caught.value)


def test_what_head_names_must_be_readable(published: Clone) -> None:
    driver = drivers.make(server_settings({}, {}))
    repository = Repository.open(str(published.path))
    driver.check("default", repository)
    published.git("gc", "-q")
    (pack,) = (published.path / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:40])
    with pytest.raises(SetupError, match="what HEAD names cannot be read") as raised:
        driver.check("default", repository)
    assert "fetch --refetch CLONE" in raised.value.hint


def test_an_unknown_driver_names_the_known_ones() -> None:
    with pytest.raises(SetupError, match="there is no driver 'ftp'") as caught:
        drivers.make(server_settings({}, {"DRIVER": "ftp"}))
    assert "filesystem" in caught.value.hint
    assert "github" in caught.value.hint
