# SPDX-License-Identifier: Apache-2.0
"""What moves refs is written down before, and settled by what Git then has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.ledger import PushLedger, note_tampering, settle_pending
from gitprompt.registry.sync import Source
from gitprompt.store.database import Database
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import Actor, AuditRow, Expected, Pending
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.suites import NumberedSuites, SuiteNames
from tests import databases
from tests.databases import after_a_crash
from tests.world import Clone

NOW = 1_700_000_000
BY = Actor("default", "ci", "10.0.0.1")
TAG = "refs/tags/prompts/welcome/1.0.0"
LABEL = "refs/labels/welcome@production"


class Book:
    """The audit of a database, and a repository that moves."""

    def __init__(self, clone: Clone, database: Database) -> None:
        self.clone = clone
        self.database = database
        self.repository = Repository.open(str(clone.path))
        self.push = PushLedger(database, BY, lambda: NOW)

    def rows(self, workspace: str = "default") -> list[AuditRow]:
        """Oldest first."""
        page, *_ = self.database.read_now(Part(audit.LISTING, workspace, Window(100)))
        return [AuditRow(*row[1:]) for row in reversed(page)]

    def begin(self, *updates: RefUpdate) -> None:
        self.push.begin(updates, "refs/labels")

    def settle(self) -> list[str]:
        asyncio.run(self.push.settle(self.repository.refs(), self.repository))
        return [row.outcome for row in self.rows()]

    def expect(
        self, ref: str, oid: str, *, workspace: str = "default", action: str = "push"
    ) -> None:
        """A write that was begun when the process died."""
        entry = Actor(workspace, "ci").did(action, NOW, target_id="tone")
        self.database.write_now(Expected(entry, ref, oid))
        after_a_crash(self.database)

    def settle_pending(self) -> list[str]:
        source = Source("default", self.repository, owned=True)
        settle_pending(self.database, {"default": source}.get)
        assert self.database.read_now(Pending()) == []
        return [row.outcome for row in self.rows()]


@pytest.fixture
def book(published: Clone, tmp_path: Path) -> Iterator[Book]:
    database = Database(databases.location(tmp_path))
    yield Book(published, database)
    database.close()


# A push


def test_a_row_says_who_is_about_to_do_what(book: Book) -> None:
    head = book.clone.git("rev-parse", "HEAD")
    book.begin(
        RefUpdate(TAG, ZERO, head),
        RefUpdate(LABEL, ZERO, head),
        RefUpdate(LABEL, head, head),
        RefUpdate("refs/labels/nothing", ZERO, head),
        RefUpdate("refs/heads/main", ZERO, head),
    )
    assert [row[1:4] + row[6:7] for row in book.rows()] == [
        ("create_prompt", "welcome", "1.0.0", "welcome"),
        ("label:create", "welcome", None, "production"),
        ("label:move", "welcome", None, "production"),
        ("push", None, None, "refs/labels/nothing"),
        ("push", None, None, "refs/heads/main"),
    ]
    assert {row[4:6] + row[7:] for row in book.rows()} == {("ci", "10.0.0.1", NOW, "pending")}


def test_each_ref_of_a_push_is_settled_by_itself(book: Book) -> None:
    head = book.clone.git("rev-parse", "HEAD")
    book.begin(RefUpdate(LABEL, ZERO, head), RefUpdate("refs/heads/side", ZERO, head))
    book.clone.git("update-ref", LABEL, head)
    assert book.settle() == ["done", "failed"]


def test_a_ref_that_somebody_has_moved_on_since_was_moved(book: Book) -> None:
    book.begin(RefUpdate("refs/heads/main", ZERO, book.clone.git("rev-parse", "HEAD")))
    book.clone.commit("Later")
    assert book.settle() == ["done"]


def test_a_ref_that_went_another_way_was_not_moved(book: Book) -> None:
    tree = book.clone.git("rev-parse", "HEAD^{tree}")
    beside = book.clone.git("commit-tree", tree, "-m", "Beside")
    book.begin(RefUpdate("refs/heads/main", ZERO, beside))
    assert book.settle() == ["failed"]


def test_a_deletion_is_done_when_the_ref_is_gone(book: Book) -> None:
    head = book.clone.git("rev-parse", "HEAD")
    book.clone.git("update-ref", "refs/notes/x", head)
    book.begin(
        RefUpdate("refs/heads/side", head, ZERO),
        RefUpdate("refs/notes/x", head, ZERO),  # which no listing of our refs has
        RefUpdate("refs/heads/main", head, ZERO),
    )
    assert book.settle() == ["done", "failed", "failed"]


def test_without_a_listing_git_itself_is_asked(book: Book) -> None:
    book.begin(RefUpdate(TAG, ZERO, book.clone.git("rev-parse", TAG)))
    asyncio.run(book.push.settle(None, book.repository))
    assert [row.outcome for row in book.rows()] == ["done"]


def test_a_push_that_was_not_begun_settles_nothing(book: Book) -> None:
    book.expect(TAG, "1" * 40)
    assert book.settle() == ["pending"]


# After a crash


def test_what_was_begun_is_done_if_git_has_it_and_failed_otherwise(book: Book) -> None:
    head = book.clone.git("rev-parse", "HEAD")
    book.expect("refs/heads/main", head)
    book.expect(LABEL, head)
    book.expect("refs/heads/main", "1" * 40)  # its objects went with the process
    assert book.settle_pending() == ["done", "failed", "failed"]
    assert book.settle_pending() == ["done", "failed", "failed"]


def test_what_was_begun_in_a_workspace_that_is_gone_has_failed(book: Book) -> None:
    book.expect(TAG, book.clone.git("rev-parse", TAG), workspace="gone")
    book.settle_pending()
    assert [row.outcome for row in book.rows("gone")] == ["failed"]


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_suite_whose_deletion_was_cut_short_is_forgotten_if_its_file_is_gone(
    book: Book, is_moved: bool
) -> None:
    book.database.write_now(SuiteNames("default", ["tone", "other"], NOW))
    oid = book.clone.git("rev-parse", "HEAD") if is_moved else "1" * 40
    book.expect("refs/heads/main", oid, action="evaluation:delete")
    book.settle_pending()
    numbered = set(book.database.read_now(NumberedSuites("default")))
    assert numbered == ({"other"} if is_moved else {"other", "tone"})


def test_a_tag_that_was_tampered_with_is_noted_once_by_nobody(book: Book) -> None:
    for _ in range(2):
        note_tampering(book.database, lambda: NOW, "default", TAG)
    note_tampering(book.database, lambda: NOW, "other", TAG)
    (row,) = book.rows()
    assert row == AuditRow(
        "default", "tag:tampered", "welcome", "1.0.0", "git", None, TAG, NOW, "done"
    )
    assert len(book.rows("other")) == 1
