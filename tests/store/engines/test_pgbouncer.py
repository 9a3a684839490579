# SPDX-License-Identifier: Apache-2.0
"""Through PgBouncer in transaction mode, which gives every transaction another session."""

from __future__ import annotations

import threading

import pytest

from gitprompt.store.database import Database
from gitprompt.store.engines.postgres_link import PostgresAddress
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.store.tables.rows import Tally
from tests.pooler import IS_INSTALLED, pooler
from tests.postgres import cluster, name_of
from tests.store.stored import new_log, new_spans, new_trace, statistics_of

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not IS_INSTALLED, reason="pgbouncer is not installed"),
]


@pytest.fixture
def pooled(url: str) -> str:
    """The URL of an empty database behind a pooler that has three sessions for all."""
    return cluster().url(name_of(url), port=pooler().port)


def test_statements_are_prepared_where_no_pooler_is(url: str, pooled: str) -> None:
    with PostgresAddress(url).open() as direct, PostgresAddress(pooled).open() as shared:
        assert direct.prepare_threshold is not None
        assert shared.prepare_threshold is None


def test_nodes_behind_a_pooler_store_and_count_all(pooled: str) -> None:
    nodes = [Database(pooled) for _ in range(3)]

    def send(node: int) -> None:
        for number in range(40):
            nodes[node].write_now(new_log(log_id=f"{node}-{number}", tokens_in=1))
        nodes[node].write_now(new_trace(f"t{node}"))
        nodes[node].write_now(new_spans(f"t{node}", *(f"s{at}" for at in range(100)), tokens_in=1))

    threads = [threading.Thread(target=send, args=(node,)) for node in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in nodes:
        assert one.read_now(Tally("default", "log")) == 120
        assert statistics_of(one)[0].calls == 420
    nodes[0].write_now(RollupRebuild(0))
    assert statistics_of(nodes[1])[0].calls == 420
    for one in nodes:
        one.close()
