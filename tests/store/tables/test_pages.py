# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: newest first, whatever narrows them, and how many rows there are."""

from __future__ import annotations

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables import audit, logs, pages
from gitprompt.store.tables.audit import Actor, AuditRow
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.rows import Condition
from tests.store.stored import new_log


def written(database: Database, *entries: AuditRow) -> list[int]:
    """The ids of rows of an empty table, which are written one after another."""
    for entry in entries:
        database.write_now(entry)
    return database.writer.call(
        lambda db: [row[0] for row in db.query("SELECT id FROM audit ORDER BY id")]
    )


def test_pages_cover_every_row_once_newest_first(database: Database) -> None:
    actor = Actor("default", "t")
    ids = written(database, *(actor.did("x", at) for at in range(7)))
    database.write_now(actor._replace(workspace="other").did("x", 1))
    pages: list[int] = []
    before = None
    while True:
        part, total, *_ = database.read_now(Part(audit.LISTING, "default", Window(3, 0, before)))
        if not part:
            break
        pages += [row[0] for row in part]
        before = [pages[-1]]
    assert (pages, total) == (ids[::-1], 7)
    by_number, *_ = database.read_now(Part(audit.LISTING, "default", Window(3, 3)))
    assert [row[0] for row in by_number] == pages[3:6]


def test_a_page_of_large_rows_ends_early_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor("default", "t")
    ids = written(database, *(actor.did("x" * 1_000, at) for at in range(7)))
    monkeypatch.setattr(pages, "MAX_PAGE", 2_500)
    first = database.read_now(Part(audit.LISTING, "default", Window(5)))
    assert ([row[0] for row in first.rows], first.total, first.is_cut) == (ids[:3:-1], 7, True)
    rest = database.read_now(Part(audit.LISTING, "default", Window(2, 0, [ids[4]])))
    assert ([row[0] for row in rest.rows], rest.is_cut) == (ids[3:1:-1], False)
    monkeypatch.setattr(pages, "MAX_PAGE", 1)
    assert len(database.read_now(Part(audit.LISTING, "default", Window(5))).rows) == 1


def test_what_a_filter_finds_is_counted_up_to_a_bound(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes on while there are more pages gets to the end."""
    monkeypatch.setattr(pages, "COUNTED", 2)
    for at in range(9):
        database.write_now(new_log(model="m", log_id=f"{at}"))
    wanted = [Condition("model", "m")]
    seen, page = 0, 1
    exact = []
    while True:
        found = database.read_now(Part(logs.LISTING, "default", Window(2, 2 * (page - 1)), wanted))
        seen += len(found.rows)
        exact.append(not found.are_more)
        if page * 2 >= found.total:
            break
        page += 1
    assert (seen, found.total) == (9, 9)
    assert exact == [False, False, False, True, True]
    everything = database.read_now(Part(logs.LISTING, "default", Window(2)))
    assert (everything.total, everything.are_more) == (9, False)
