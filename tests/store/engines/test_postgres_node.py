# SPDX-License-Identifier: Apache-2.0
"""Nodes of one PostgreSQL database: each has a row of its own, and counts in its own shard."""

from __future__ import annotations

import threading

import pytest

from gitprompt.errors import SetupError, Unavailable
from gitprompt.store.database import Database
from gitprompt.store.engines.postgres import Postgres, PostgresConnection
from gitprompt.store.tables.audit import Pending
from gitprompt.store.tables.logs import Recount
from gitprompt.store.tables.retention import OldRows
from gitprompt.store.tables.rollups import RollupRebuild, StatisticsQuery
from gitprompt.store.tables.rows import Tally
from tests.postgres import cluster, name_of
from tests.store.stored import new_log, new_spans, new_trace

pytestmark = pytest.mark.postgres


def writer(url: str) -> PostgresConnection:
    return Postgres(url).writer()


def test_a_node_takes_a_row_that_was_left_and_no_other(url: str) -> None:
    first, second = writer(url), writer(url)
    assert (first._node.id, second._node.id) == (1, 2)  # type: ignore[union-attr]
    first.close()
    third = writer(url)
    assert third._node.id == 1  # type: ignore[union-attr]
    assert third.boot in second.living()
    for one in (second, third):
        one.close()


def test_a_node_that_slept_for_long_finds_its_row_taken_and_takes_another(url: str) -> None:
    database = Database(url)
    cluster().execute("UPDATE gitprompt.node SET seen_at = seen_at - 100", name_of(url))
    other = Database(url)
    assert database.write_now(new_log(log_id="a")).is_new
    assert other.write_now(new_log(log_id="b")).is_new
    rows = cluster().execute("SELECT id, boot FROM gitprompt.node", name_of(url))
    assert len({boot for _, boot in rows}) == 2
    shards = cluster().execute(
        "SELECT shard, calls FROM gitprompt.usage_rollup ORDER BY shard", name_of(url)
    )
    assert shards == [(1, 1), (2, 1)]
    for one in (database, other):
        one.close()


def test_nodes_that_count_the_same_at_once_add_up(url: str) -> None:
    nodes = [Database(url) for _ in range(3)]

    def send(database: Database, node: int) -> None:
        for number in range(60):
            database.write_now(new_log(log_id=f"{node}-{number}", tokens_in=2))

    threads = [threading.Thread(target=send, args=(one, at)) for at, one in enumerate(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = nodes[0].read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in) == (180, 360)
    assert nodes[1].read_now(Tally("default", "log")) == 180
    nodes[2].write_now(RollupRebuild(0))
    assert nodes[0].read_now(StatisticsQuery("default")) == [row]
    for one in nodes:
        one.close()


def test_the_same_id_on_two_nodes_at_once_is_one_row(url: str) -> None:
    nodes = [Database(url) for _ in range(2)]
    for number in range(30):
        logs = [one.start(new_log(log_id=f"{number}")) for one in nodes]
        traces = [one.start(new_trace(f"t{number}")) for one in nodes]
        assert {future.result().is_new for future in logs} == {True, False}
        assert {future.result() for future in traces} == {True, False}
    assert nodes[0].read_now(Tally("default", "log")) == 30
    for one in nodes:
        one.close()


def test_two_nodes_that_forget_lower_the_tally_once(url: str) -> None:
    nodes = [Database(url) for _ in range(2)]
    for number in range(200):
        nodes[0].write_now(new_log(log_id=f"{number}"))
    futures = [one.start(OldRows(10_000, 500)) for _ in range(3) for one in nodes]
    assert sum(future.result() for future in futures) == 200
    assert nodes[0].read_now(Tally("default", "log")) == 0
    for one in nodes:
        one.close()


def test_what_a_living_node_has_begun_is_not_settled_by_another(url: str) -> None:
    from tests.store.tables.test_audit import expected

    first, second = Database(url), Database(url)
    first.write_now(expected(1))
    assert second.read_now(Pending()) == []
    cluster().execute("UPDATE gitprompt.node SET seen_at = 0 WHERE id = 1", name_of(url))
    assert len(second.read_now(Pending())) == 1
    for one in (first, second):
        one.close()


def test_a_call_that_one_node_logs_and_another_traces_counts_once(url: str) -> None:
    """Each of two transactions that overlap sees nothing of the other; whoever looks afterwards does."""
    nodes = [Database(url) for _ in range(2)]
    nodes[1].write_now(new_trace("t"))
    newest = nodes[0].write_now(Recount({}))
    for number in range(150):
        logged = nodes[0].start(
            new_log(log_id=f"{number}", trace_id="T", span_id=f"s{number}", tokens_in=5)
        )
        nodes[1].write_now(new_spans("t", f"s{number}", tokens_in=3))
        logged.result()
    looks = [one.start(Recount({"default": 0})) for one in nodes]  # two at once take back once
    for look in looks:
        look.result()
    nodes[1].write_now(Recount(newest))
    (row,) = nodes[0].read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in) == (150, 750)
    nodes[0].write_now(RollupRebuild(0))
    (row,) = nodes[1].read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in) == (150, 750)
    for one in nodes:
        one.close()


def test_a_node_that_is_a_schema_older_reads_and_writes_nothing(url: str) -> None:
    """A rolling upgrade: another node has migrated."""
    database = Database(url)
    database.write_now(new_log(log_id="a"))
    cluster().execute("UPDATE gitprompt.schema_version SET version = version + 1", name_of(url))
    with pytest.raises(Unavailable, match="newer schema: upgrade this one"):
        database.write_now(new_log(log_id="b"))
    assert database.read_now(Tally("default", "log")) == 1
    with pytest.raises(SetupError, match="newer gitprompt"):
        Database(url)
    cluster().execute("UPDATE gitprompt.schema_version SET version = version - 1", name_of(url))
    database.close()
