# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: the same columns as SQLite, and what is acknowledged is stored, whatever gets lost."""

from __future__ import annotations

import random
import threading
import time

import psycopg
import pytest

from gitprompt.errors import Unavailable
from gitprompt.store import group_commit
from gitprompt.store.database import Database
from gitprompt.store.engines import Again
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.rows import Tally
from tests.postgres import Cluster, cluster, name_of, plain_role
from tests.proxy import Fate, Proxy
from tests.store.stored import new_log, new_spans, new_trace
from tests.world import eventually

pytestmark = pytest.mark.postgres
ACTOR = Actor("default", "test")
ONLY_HERE = {"shard"}  # columns


def test_what_is_acknowledged_is_stored_and_nothing_else_is(place: tuple[Proxy, str]) -> None:
    """Over 1,500 commits, some cut before they arrive, some stored and their answer lost."""
    proxy, url = place
    dice = random.Random(7)
    fates: list[Fate] = ["pass", "cut", "swallow"]
    told: list[Fate] = []

    def fate() -> Fate:
        told.append(dice.choices(fates, [90, 5, 5])[0])
        return told[-1]

    database = Database(url)
    proxy.fate = fate
    for number in range(1_500):
        assert database.write_now(new_log(log_id=f"{number}", tokens_in=1)).is_new
    proxy.fate = lambda: "pass"
    assert min(told.count("cut"), told.count("swallow")) > 40
    stored = cluster().execute(
        "SELECT count(*), count(DISTINCT log_id) FROM gitprompt.log", name_of(url)
    )
    assert stored == [(1_500, 1_500)]
    (row,) = database.read_now(StatisticsQuery("default"))
    assert (row.calls, row.tokens_in) == (1_500, 1_500)
    database.close()


def test_a_backend_that_is_killed_in_the_middle_loses_and_doubles_nothing(url: str) -> None:
    database = Database(url)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.01):
            cluster().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{name_of(url)}' AND application_name = 'gitprompt'"
            )

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for number in range(300):
            database.write_now(new_log(log_id=f"{number}", tokens_in=1))
    finally:
        stop.set()
        killer.join()
    (row,) = database.read_now(StatisticsQuery("default"))
    assert (row.calls, database.read_now(Tally("default", "log"))) == (300, 300)
    database.close()


def test_a_server_that_is_away_is_503_soon_and_works_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "_TRYING", 1.0)
    own = Cluster()
    try:
        database = Database(own.url(own.database()))
        database.write_now(new_log(log_id="before"))
        own.stop("immediate")
        begun = time.monotonic()
        with pytest.raises(Again) as caught:
            database.write_now(new_log(log_id="while"))
        assert 0.9 < time.monotonic() - begun < 5
        assert int(caught.value.headers["Retry-After"]) >= 1
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            database.write_now(new_log(log_id="while"))
        assert time.monotonic() - begun < 1  # who comes later is not kept waiting again
        with pytest.raises(Unavailable):
            database.read_now(Tally("default", "log"))
        own.start()
        assert database.write_now(new_log(log_id="after")).is_new
        assert database.read_now(Tally("default", "log")) == 2
        database.close()
    finally:
        own.remove()


def test_a_short_absence_is_waited_for(url: str) -> None:
    database = Database(url)
    proxy = Proxy(cluster().port)
    behind = Database(url.replace(f":{cluster().port}/", f":{proxy.port}/"))
    proxy.cut()
    proxy.hole = True
    future = behind.start(new_log(log_id="a"))
    time.sleep(0.5)
    assert not future.done()
    proxy.hole = False
    assert future.result(timeout=20).is_new
    for one in (database, behind):
        one.close()
    proxy.close()


def test_a_database_that_is_dropped_under_the_server_is_503(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_TRYING", 0.5)
    database = Database(url)
    cluster().execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)")
    with pytest.raises(Unavailable, match="does not exist"):
        database.write_now(new_log(log_id="a"))
    with pytest.raises(Unavailable):
        database.read_now(Tally("default", "log"))
    database.close()


def test_tables_that_are_gone_are_told(url: str) -> None:
    database = Database(url)
    cluster().execute("DROP SCHEMA gitprompt CASCADE", name_of(url))
    with pytest.raises(Unavailable, match="tables of gitprompt are gone"):
        database.write_now(new_log(log_id="a"))
    database.close()


def test_a_name_that_no_index_takes_is_refused_by_itself(url: str) -> None:
    database = Database(url)
    dice = random.Random(1)
    text = "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(1_200))
    bad = database.start(new_log(prompt_name=text, log_id="a"))
    good = database.start(new_log(log_id="b"))
    with pytest.raises(Exception, match="too long for the indexes"):
        bad.result()
    assert good.result().is_new
    database.close()


def test_a_killed_key_is_seen_by_others_within_a_second(url: str) -> None:
    from gitprompt.store.tables.keys import KeyInsertion, KeyRemoval

    first, second = Database(url), Database(url)
    did = ACTOR.did("key:create", 1)
    record = first.add_key(KeyInsertion("n", "default", "read", "hash", 1, None, did))
    assert "hash" in second.look_for_keys()
    first.remove_key(KeyRemoval(record.id, None, did))
    eventually(lambda: second.keys is None, seconds=5)
    assert second.refresh_keys() == {}
    for one in (first, second):
        one.close()


def test_spans_of_a_large_export_are_copied(url: str) -> None:
    database = Database(url)
    database.write_now(new_trace("t"))
    database.write_now(new_spans("t", *(f"s{at}" for at in range(3_000)), tokens_in=1))
    (row,) = database.read_now(StatisticsQuery("default"))
    assert row.calls == 3_000
    database.close()


def test_no_advisory_lock_and_no_notification_is_needed(url: str) -> None:
    """A role that may call none of them, as on engines that lack them."""
    name = name_of(url)
    role = plain_role(name)
    database = Database(cluster().url(name, user=role))
    assert database.write_now(new_log(log_id="a")).is_new
    with (
        psycopg.connect(cluster().url(name, user=role)) as plain,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        plain.execute("SELECT pg_advisory_lock(1)")
    database.close()
