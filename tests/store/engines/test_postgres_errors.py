# SPDX-License-Identifier: Apache-2.0
"""A server that is full: of data, or of connections."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from gitprompt.errors import SetupError, Unavailable
from gitprompt.store import group_commit
from gitprompt.store.database import Database
from gitprompt.store.tables.rows import Tally
from tests.postgres import USER, Cluster, cluster
from tests.store.stored import new_log
from tests.world import eventually

pytestmark = pytest.mark.postgres
_MEGABYTE = "x" * 1_000_000


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0777", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_told_and_loses_nothing_that_was_acknowledged(small_disk: Path) -> None:
    space = small_disk / "space"
    space.mkdir()
    if USER is not None:
        shutil.chown(space, USER)
    name = small_disk.name.replace("-", "_")
    cluster().execute(f"CREATE TABLESPACE {name} LOCATION '{space}'")
    cluster().execute(f"CREATE DATABASE {name} TABLESPACE {name} STRATEGY file_copy")
    database = Database(cluster().url(name))
    stored = 0

    def refusal() -> Unavailable | None:
        try:
            database.write_now(new_log(log_id=str(stored), metadata=os.urandom(200_000).hex()))
        except Unavailable as error:
            return error
        return None

    while (refused := refusal()) is None:
        stored += 1
    assert "disk of the database is full" in refused.message
    assert int(refused.headers["Retry-After"]) >= 1
    assert database.read_now(Tally("default", "log")) == stored
    remount = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(remount, check=True)
    assert database.write_now(new_log(log_id="after", metadata=_MEGABYTE)).is_new
    assert database.read_now(Tally("default", "log")) == stored + 1
    database.close()
    cluster().execute(f"DROP DATABASE {name} WITH (FORCE)")
    cluster().execute(f"DROP TABLESPACE {name}")


def test_a_server_without_a_free_connection_is_told_and_those_that_are_open_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "_TRYING", 0.5)
    own = Cluster(settings=("max_connections=12", "superuser_reserved_connections=0"))
    try:
        url = own.url(own.database())
        database = Database(url)
        with psycopg.connect(own.url("postgres"), autocommit=True) as control, ExitStack() as all_:
            _take_all(url, all_)
            with pytest.raises(SetupError, match="too many clients") as caught:
                Database(url)
            assert "takes one connection more" in caught.value.hint
            assert database.write_now(new_log(log_id="a")).is_new
            control.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gitprompt'"
            )
            time.sleep(0.2)
            _take_all(url, all_)
            with pytest.raises(Unavailable, match="too many clients"):
                database.write_now(new_log(log_id="b"))
            with pytest.raises(Unavailable, match="too many clients"):
                database.read_now(Tally("default", "log"))
        eventually(lambda: _is_stored(database, "b"))
        assert database.read_now(Tally("default", "log")) == 2
        database.close()
    finally:
        own.remove()


def _take_all(url: str, opened: ExitStack) -> None:
    """Until the server has no connection for another one."""
    with suppress(psycopg.OperationalError):
        while True:
            opened.enter_context(psycopg.connect(url))


def _is_stored(database: Database, log_id: str) -> bool:
    with suppress(Unavailable):
        database.write_now(new_log(log_id=log_id))
        return True
    return False
