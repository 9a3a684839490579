# SPDX-License-Identifier: Apache-2.0
"""What all tables share: values that are bound, pages, tallies, documents that say the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.store.database import Database
from gitprompt.store.engines import Duplicate
from gitprompt.store.tables import rows
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.rows import Bound, Condition, Tally
from tests import databases

PIN = "workspace, name, version, tag, blob, created_at, author, path, first_seen"


def test_values_are_numbered_in_the_order_of_the_text() -> None:
    bound = Bound()
    sql = f"{bound.bind('a')} {rows.where(bound, [Condition('x', 1), Condition('y', 2, '<')], 't')}"
    assert f"{sql} {bound.bind_all('pq')}" == "$1 t.x = $2 AND t.y < $3 $4, $5"
    assert bound.values == ["a", 1, 2, "p", "q"]


def test_no_conditions_are_always_met() -> None:
    assert rows.where(Bound(), [], "t") == "TRUE"


@pytest.mark.parametrize("column", ["a b", "a;--", "1", "x = 1 OR y", ""])
def test_a_column_that_is_no_name_never_gets_into_sql(column: str) -> None:
    with pytest.raises(AssertionError):
        rows.where(Bound(), [Condition(column, 1)], "t")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), max_size=20))
@settings(max_examples=25)
def test_sums_do_not_depend_on_how_they_were_added(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    database = Database(databases.location(tmp_path_factory.mktemp("t")))
    keyed = [(name, "kind", number) for name, number in steps]
    database.writer.call(lambda db: db.add_up("tally", "workspace, kind", ["rows"], keyed))
    for name in "abc":
        expected = sum(number for other, number in steps if other == name)
        assert database.read_now(Tally(name, "kind")) == expected
    database.close()


def test_a_key_that_is_there_leaves_the_tally_alone(database: Database) -> None:
    def insert(number: int) -> None:
        row = ("default", "a", "1", "t", "b", 1, "Ada", "p", number)
        database.writer.call(lambda db: db.insert("pin", PIN, [row]))

    insert(1)
    with pytest.raises(Duplicate):
        insert(2)


def test_a_share_of_the_newest_is_taken_of_each_workspace(database: Database) -> None:
    for workspace in ("a", "a", "a", "b"):
        database.write_now(Actor(workspace, "t").did("x", 1))
    sql = "SELECT workspace FROM audit WHERE workspace = $1 ORDER BY id DESC LIMIT $2"
    newest = database.writer.call(lambda db: rows.newest_of_each(db, 4, sql))
    assert sorted(newest) == [("a",), ("a",), ("b",)]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('{"a": 1, "b": [2]}', '{"b": [2], "a": 1}', True),
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ("[1, 2]", "[2, 1]", False),
        (None, "null", False),
        (None, None, True),
    ],
)
def test_documents_are_the_same_whatever_the_order_of_their_keys(
    first: str | None, second: str | None, same: bool
) -> None:
    assert rows.same_json(first, second) is same


def test_text_is_compared_as_text_where_a_column_is_no_document() -> None:
    assert rows.differs(("[1]", "[1]"), ("[1]", "[1 ]"), ("a", "b"), ())
    assert not rows.differs(("[1]", "[1]"), ("[1]", "[1 ]"), ("a", "b"), ["b"])
