# SPDX-License-Identifier: Apache-2.0
"""Suites: a file in Git gives each its content, the database its number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitprompt.errors import BadRequest, Invalid, NotFound
from gitprompt.git.repository import Repository
from gitprompt.registry.sync import Source, Sync
from gitprompt.store.database import Database
from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import open_index
from gitprompt.suites import NumberedDocument, Suites, check_suite, forget, forget_now
from tests import databases
from tests.world import Clone

NOW = 1_700_000_000
SUITE = "name: {name}\nprompt_name: welcome\ncriteria: {{min_score: {score}}}\n"


class Desk:
    """The suites of a repository, as it is after a sync."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        self.clone = clone
        self.now = NOW
        self.database = Database(databases.location(folder))
        self._index = open_index(str(folder / "index.db"))
        self._reader = IndexReader(self._index.path)
        self._sync = Sync(self._index, self.database, lambda: self.now)
        self._source = Source("default", Repository.open(str(clone.path)), owned=True)
        self.suites = Suites(self._reader, self.database, lambda: self.now)

    def commit(self, **scores: float) -> None:
        """The suites of the repository are these, each with the score that passes."""
        self.clone.git("rm", "-rqf", "--ignore-unmatch", "evals")
        for name, score in scores.items():
            self.clone.write(f"evals/{name}.yaml", SUITE.format(name=name, score=score))
        self.clone.commit("Suites")
        self._sync.reconcile(self._source)

    def all(self, workspace: str = "default") -> dict[str, int]:
        """Name → number, in their order."""
        return {suite.name: suite.id for suite in asyncio.run(self.suites.all(workspace))}

    def find(self, text: str) -> NumberedDocument:
        return asyncio.run(self.suites.find("default", text))

    def close(self) -> None:
        self._sync.close()
        self._reader.close()
        self._index.close()
        self.database.close()


@pytest.fixture
def desk(published: Clone, tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(published, tmp_path)
    yield opened
    opened.close()


def test_a_suite_is_numbered_when_it_is_first_seen_and_keeps_its_number(desk: Desk) -> None:
    desk.commit(tone=0.5, accuracy=0.5)
    assert list(desk.all().items()) == [("tone", 2), ("accuracy", 1)]
    desk.now += 60
    desk.commit(tone=0.9, accuracy=0.5, brevity=0.5)
    assert list(desk.all().items()) == [("brevity", 3), ("tone", 2), ("accuracy", 1)]
    assert [desk.find(name).created_at - NOW for name in ("tone", "brevity")] == [0, 60]


def test_a_suite_is_what_its_file_says_now(desk: Desk) -> None:
    desk.commit(tone=0.5)
    before = desk.find("tone")
    desk.commit(tone=0.9)
    after = desk.find("tone")
    assert (before.min_score, after.min_score) == (0.5, 0.9)
    assert (after.id, after.document["prompt_name"]) == (before.id, "welcome")


def test_a_suite_whose_file_is_gone_is_not_found_and_has_its_number_when_it_returns(
    desk: Desk,
) -> None:
    desk.commit(tone=0.5)
    number = desk.find("tone").id
    desk.commit()
    assert desk.all() == {}
    for text in ("tone", str(number)):
        with pytest.raises(NotFound, match="Evaluation not found"):
            desk.find(text)
    desk.commit(tone=0.5)
    assert desk.all() == {"tone": number}


def test_a_suite_is_found_by_its_number_and_by_its_name(desk: Desk) -> None:
    desk.commit(tone=0.5, accuracy=0.5)
    assert desk.find("2") == desk.find("tone")
    with pytest.raises(NotFound):
        desk.find("02")


def test_what_is_neither_a_number_nor_a_name_is_a_bad_request(desk: Desk) -> None:
    for text in ("", "²", "٣", "../tone", "a b", "x" * 1_000):
        with pytest.raises(BadRequest, match=r"^Invalid evaluation id: "):
            desk.find(text)


def test_another_workspace_has_suites_of_its_own(desk: Desk) -> None:
    desk.commit(tone=0.5)
    assert desk.all("other") == {}
    assert desk.all() == {"tone": 1}


def test_all_who_look_first_at_once_see_one_number(desk: Desk) -> None:
    desk.commit(tone=0.5)

    async def story() -> list[list[NumberedDocument]]:
        return await asyncio.gather(*(desk.suites.all("default") for _ in range(8)))

    assert {suite.id for suites in asyncio.run(story()) for suite in suites} == {1}


def test_a_suite_that_was_forgotten_gets_a_number_that_no_other_had(desk: Desk) -> None:
    desk.commit(tone=0.5)
    numbers = [desk.find("tone").id]
    asyncio.run(forget(desk.database, "default", "tone"))
    numbers.append(desk.find("tone").id)
    forget_now(desk.database, "default", "tone")
    numbers.append(desk.find("tone").id)
    assert numbers == [1, 2, 3]


def test_what_has_no_number_is_forgotten_already(desk: Desk) -> None:
    desk.commit(tone=0.5)
    number = desk.find("tone").id
    forget_now(desk.database, "other", "tone")
    forget_now(desk.database, "default", "accuracy")
    asyncio.run(forget(desk.database, "default", "accuracy"))
    assert desk.all() == {"tone": number}


@pytest.mark.parametrize(
    ("document", "score"),
    [
        ({}, None),
        ({"criteria": None}, None),
        ({"criteria": {"min_score": 1}}, 1),
        ({"criteria": {"min_score": 0.0}}, 0.0),
        ({"criteria": {"min_score": True}}, None),
        ({"criteria": {"min_score": "0.5"}}, None),
    ],
)
def test_a_score_that_passes_is_a_number_or_not_said(document: Any, score: float | None) -> None:
    assert NumberedDocument(1, "tone", NOW, document).min_score == score


def test_all_that_is_wrong_with_a_file_is_told_at_once() -> None:
    check_suite("tone", SUITE.format(name="tone", score=0.5).encode(), {})
    with pytest.raises(Invalid, match="Validation failed") as error:
        check_suite("tone", b"name: tone\nprompt_name: 7\ncriteria: 3\n", {})
    assert [field.partition(":")[0] for field in error.value.fields] == ["prompt_name", "criteria"]
    with pytest.raises(Invalid):
        check_suite("tone", b"name: [", {})
