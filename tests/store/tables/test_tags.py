# SPDX-License-Identifier: Apache-2.0
"""Traces and runs are found by their tags."""

from __future__ import annotations

import json

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables import runs, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.pages import Listing, Part, PartQuery, Window
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.runs import RunDeletion
from gitprompt.store.tables.traces import EnsuredTrace, TraceDeletion, TraceInsertion
from tests.store.stored import new_run, new_trace

ACTOR = Actor("default", "test")


def tagged(trace: str, *tags: object, at: int = 7_200, environment: str = "dev") -> TraceInsertion:
    item = new_trace(trace)
    said = json.dumps(tags) if tags else None
    return item._replace(row=item.row._replace(tags=said, created_at=at, environment=environment))


def found(
    database: Database, tag: str, *more: Condition, listing: Listing = traces.LISTING
) -> list[str]:
    wanted = [Condition("tag", tag, "has"), *more]
    page = database.read_now(Part(listing, "default", Window(99), wanted))
    assert page.total == len(page.rows)
    return [row[2] for row in page.rows]


def test_traces_are_found_by_a_tag_newest_first(database: Database) -> None:
    for trace, at in (("a", 5), ("b", 9), ("c", 7)):
        database.write_now(tagged(trace, "beta", "x", "beta", at=at))
    database.write_now(tagged("d", "gamma"))
    assert found(database, "beta") == ["b", "c", "a"]
    assert found(database, "beta", Condition("created_at", 7, ">=")) == ["b", "c"]
    assert found(database, "beta", Condition("environment", "prod")) == []
    assert found(database, "nothing") == []


def test_pages_of_a_tag_follow_each_other(database: Database) -> None:
    for number in range(7):
        database.write_now(tagged(f"t{number}", "beta", at=number // 2))
    seen: list[str] = []
    before = None
    while True:
        window = Window(2, 0, before)
        page = database.read_now(
            Part(traces.LISTING, "default", window, [Condition("tag", "beta", "has")])
        )
        if not page.rows:
            break
        seen += [row[2] for row in page.rows]
        before = traces.LISTING.place_of(page.rows[-1])
    assert seen == [f"t{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


def test_a_trace_that_is_tagged_later_is_found(database: Database) -> None:
    database.write_now(EnsuredTrace(*tagged("a")))
    database.write_now(EnsuredTrace(*tagged("a", "beta", at=99)))
    database.write_now(EnsuredTrace(*tagged("a", "gamma", at=99)))
    assert (found(database, "beta"), found(database, "gamma")) == (["a"], [])


def test_tags_go_with_their_row(database: Database) -> None:
    database.write_now(tagged("a", "beta"))
    database.write_now(TraceDeletion("default", "a", ACTOR.did("x", 1)))
    database.write_now(new_run("r", tags='["beta"]'))
    assert found(database, "beta", listing=runs.LISTING) == ["r"]
    database.write_now(RunDeletion("default", "r", ACTOR.did("x", 1)))
    assert found(database, "beta") + found(database, "beta", listing=runs.LISTING) == []


@pytest.mark.parametrize(
    ("tags", "tag"), [('"alone"', "alone"), ('[1, {"a": 2}, "x"]', "x"), (f'["{"y" * 999}"]', "y" * 256)]
)  # fmt: skip
def test_what_an_exporter_calls_tags_is_taken_as_it_is(
    database: Database, tags: str, tag: str
) -> None:
    item = new_trace("a")
    database.write_now(item._replace(row=item.row._replace(tags=tags)))
    assert found(database, tag) == ["a"]


@pytest.mark.sqlite
def test_a_page_of_a_tag_reads_its_index_only(database: Database) -> None:
    """A rare tag among many rows must not cost a look at all of them."""
    database.write_now(tagged("a", "beta"))
    page = Part(traces.LISTING, "default", Window(9), [Condition("tag", "beta", "has")])
    sql, values = PartQuery(page, database._reader).statement()
    plan = database._reader.query(f"EXPLAIN QUERY PLAN {sql}", values)
    text = "\n".join(str(row[-1]) for row in plan)
    assert "trace_tag USING COVERING INDEX" in text or "trace_tag USING PRIMARY KEY" in text, text
    assert "SCAN" not in text, text
    assert "TEMP B-TREE" not in text, text
