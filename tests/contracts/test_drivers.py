# SPDX-License-Identifier: Apache-2.0
"""The contract that every driver keeps. A new driver is picked up from the registry."""

from __future__ import annotations

import pytest

from gitprompt import drivers
from gitprompt.drivers import Driver
from gitprompt.errors import Conflict, SetupError
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.world import Clone


@pytest.fixture(params=sorted(drivers.DRIVERS))
def driver(request: pytest.FixtureRequest) -> Driver:
    return drivers.make(request.param)


@pytest.fixture
def repository(published: Clone) -> Repository:
    return Repository.open(str(published.path))


def test_it_is_named_as_it_is_registered(driver: Driver) -> None:
    assert driver.name in drivers.DRIVERS
    assert driver.is_mirror in (True, False)


def test_fetch_is_idempotent_and_moves_no_tag(driver: Driver, repository: Repository) -> None:
    before = dict(repository.refs().items())
    for _ in range(2):
        driver.fetch("default", repository)
    assert {ref: oid for ref, oid in repository.refs().items() if ref in before} == before


def test_push_is_a_compare_and_swap(driver: Driver, repository: Repository) -> None:
    head = repository.refs().head[1]
    assert head
    update = RefUpdate("refs/labels/welcome@production", ZERO, head)
    driver.push("default", repository, [update])
    update_refs(repository, [update], message="x")
    with pytest.raises(Conflict):
        driver.push("default", repository, [update])
    with pytest.raises(Conflict):
        driver.push("default", repository, [RefUpdate("refs/labels/welcome@other", head, ZERO)])


def test_check_changes_nothing(driver: Driver, repository: Repository) -> None:
    before = dict(repository.refs().items())
    driver.check("default", repository)
    assert dict(repository.refs().items()) == before


def test_what_head_names_must_be_readable(driver: Driver, published: Clone) -> None:
    repository = Repository.open(str(published.path))
    driver.check("default", repository)
    published.git("gc", "-q")
    (pack,) = (published.path / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:40])
    with pytest.raises(SetupError, match="what HEAD names cannot be read") as raised:
        driver.check("default", repository)
    assert "fetch --refetch CLONE" in raised.value.hint


def test_a_repository_without_commits_is_well(driver: Driver, clone: Clone) -> None:
    driver.check("default", Repository.open(str(clone.path)))


def test_an_unknown_driver_names_the_known_ones() -> None:
    with pytest.raises(SetupError, match="there is no driver 'ftp'") as caught:
        drivers.make("ftp")
    assert "filesystem" in caught.value.hint
