# SPDX-License-Identifier: Apache-2.0
"""A database is copied from one engine to another, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitprompt.errors import SetupError
from gitprompt.store import copying
from gitprompt.store.database import Database
from gitprompt.store.engines import Connection, engine_at
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import KeyInsertion, Keys
from gitprompt.store.tables.pins import NewPins
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.store.tables.rows import Tally
from tests.postgres import new_url
from tests.store.stored import (
    new_log,
    new_result,
    new_run,
    new_scores,
    new_spans,
    new_suite,
    new_trace,
    statistics_of,
)
from tests.store.tables.test_pins import version

pytestmark = pytest.mark.postgres


@pytest.fixture
def full(tmp_path: Path) -> str:
    """The location of a database with rows in every table."""
    location = f"sqlite:{tmp_path / 'old.db'}"
    database = Database(location)
    did = Actor("default", "t").did("key:create", 1)
    database.add_key(KeyInsertion("n", "default", "read", "hash", 1, None, did))
    database.write_now(NewPins("default", [version("a"), version("b")], [b"{}", b"{}"], 9))
    for at in range(30):
        database.write_now(
            new_log(log_id=f"{at}", tokens_in=at, cost_usd=0.1 * at, metadata='{"ü": 1}')
        )
    trace = new_trace("t")
    database.write_now(trace._replace(row=trace.row._replace(tags='["beta"]')))
    database.write_now(new_spans("t", *(f"s{at}" for at in range(5_000)), tokens_in=1))
    database.write_now(new_run("r", tags='["beta"]'))
    database.write_now(new_result(new_suite(database)))
    database.write_now(new_scores({"trace_id": "t", "number": -0.25}))
    database.close()
    return location


def opened(*locations: str) -> list[Connection]:
    return [engine_at(location).writer() for location in locations]


def ignore(*_: Any) -> None:
    """No progress is shown."""


def test_what_is_copied_there_and_back_is_the_same(full: str, tmp_path: Path) -> None:
    url, back = new_url(), f"sqlite:{tmp_path / 'back.db'}"
    for pair in ((full, url), (url, back), (full, back)):
        source, target = opened(*pair)
        steps: list[tuple[str, int, int]] = []
        number = copying.copy(source, target, lambda *step, to=steps: to.append(step))
        assert number > 5_000
        assert {name for name, _, _ in steps} == {table.name for table in copying.TABLES}
        assert ("span", 5_000, 5_000) in steps
        source.close()
        target.close()
    old, new = Database(full), Database(url)
    assert statistics_of(new) == statistics_of(old)
    assert new.read_now(Tally("default", "log")) == 30
    assert new.read_now(Keys(None)) == old.read_now(Keys(None))
    assert new.write_now(new_log(log_id="more")).id > 30
    assert new.add_key(
        KeyInsertion("m", "default", "read", "other", 1, None, Actor("default", "t").did("k", 1))
    ).id == 2  # fmt: skip
    before = statistics_of(new)
    new.write_now(RollupRebuild(0))
    assert [row.calls for row in statistics_of(new)] == [row.calls for row in before]
    old.close()
    new.close()


def test_a_copy_that_was_cut_short_goes_on(full: str) -> None:
    url = new_url()

    def cut(table: str, done: int, total: int) -> None:
        if table == "span" and done > 2_000:
            raise KeyboardInterrupt

    source, target = opened(full, url)
    with pytest.raises(KeyboardInterrupt):
        copying.copy(source, target, cut)
    begun: dict[str, int] = {}

    def note(table: str, done: int, total: int) -> None:
        begun.setdefault(table, done)

    copying.copy(source, target, note)
    assert begun["log"] == 30
    assert 2_000 < begun["span"] < 5_000
    source.close()
    target.close()


def test_a_target_that_has_something_else_is_told(full: str) -> None:
    url = new_url()
    other = Database(url)
    other.write_now(new_log("elsewhere", log_id="x"))
    other.close()
    source, target = opened(full, url)
    with pytest.raises(SetupError, match="table log is not the same"):
        copying.copy(source, target, ignore)
    source.close()
    target.close()


def test_every_table_and_column_is_copied(full: str) -> None:
    (db,) = opened(full)
    tables = {row[0] for row in db.query("SELECT name FROM pragma_table_list WHERE type = 'table'")}
    ours = {name for name in tables if not name.startswith("sqlite_")} - {
        "sequence",
        "schema_version",
        "ui_session",  # who is signed in at one server is not at another
    }
    assert ours == {one.name for one in (*copying.TABLES, *copying.SUMS)}
    for table in copying.TABLES:
        columns = {
            row[0] for row in db.query(f"SELECT name FROM pragma_table_info('{table.name}')")
        }
        assert set(table.columns.split(", ")) == columns, table.name
    for sums in copying.SUMS:
        columns = {row[0] for row in db.query(f"SELECT name FROM pragma_table_info('{sums.name}')")}
        assert {*sums.key.split(", "), *sums.sums} == columns
    db.close()
