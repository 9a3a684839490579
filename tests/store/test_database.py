# SPDX-License-Identifier: Apache-2.0
"""Databases that are not well: damaged, newer, older, locked, full."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import apsw
import httpx
import pytest

from gitprompt.errors import SetupError, Unavailable
from gitprompt.store import migration
from gitprompt.store.database import Database
from gitprompt.store.tables.keys import Keys
from tests import databases
from tests.store.stored import new_log
from tests.world import Refused, Server, eventually, run


@pytest.mark.sqlite
def test_a_damaged_telemetry_database_stops_the_server_with_a_hint(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "telemetry.db").write_bytes(b"not a database" * 1_000)
    with pytest.raises(Refused, match="Restore it from a backup"):
        Server(data).start()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "telemetry.db")
    Database(path).close()
    db = apsw.Connection(path)
    db.execute("UPDATE schema_version SET version = 99")
    db.close()
    with pytest.raises(SetupError, match="newer gitprompt"):
        Database(path)


def test_an_older_database_is_migrated_with_what_is_in_it(tmp_path: Path) -> None:
    path = str(tmp_path / "telemetry.db")
    folder = Path(migration.__file__).parent / "migrations" / "sqlite"
    db = apsw.Connection(path)
    db.execute((folder / "0001_keys_and_pins.sql").read_text())
    db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO schema_version VALUES (1)")
    db.execute(
        "INSERT INTO api_key (name, workspace_id, scopes, hash, created_at) VALUES ('old', 'default', 'read', 'h', 1)"
    )
    db.close()
    database = Database(path)
    (record,) = database.read_now(Keys(None))
    assert (record.name, record.last_used_at) == ("old", None)
    database.close()


@pytest.mark.sqlite
def test_a_database_locked_by_another_process_is_503_and_stores_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        headers = {"X-API-Key": server.key()}
        other = apsw.Connection(str(tmp_path / "data" / "telemetry.db"))
        other.execute("BEGIN IMMEDIATE")
        body = {"prompt_name": "p", "version_tag": "1"}
        response = httpx.post(server.url + "/v1/logs", json=body, headers=headers, timeout=30)
        assert (response.status_code, response.json()["code"]) == (503, "UNAVAILABLE")
        assert response.headers["retry-after"] == "1"
        other.execute("ROLLBACK")
        other.close()
        assert httpx.get(server.url + "/v1/logs", headers=headers).json()["total"] == 0
        assert httpx.post(server.url + "/v1/logs", json=body, headers=headers).status_code == 202
    finally:
        server.stop()


def fill(database: Database) -> None:
    for number in range(1_000):
        large = json.dumps("x" * 4_000)
        database.writer.run(new_log(metadata=large, log_id=str(number)))


@pytest.mark.sqlite
def test_a_full_disk_is_503_and_reads_go_on(tmp_path: Path) -> None:
    """A small tmpfs is a full disk; where it cannot be mounted, SQLite's own limit is one."""
    data = tmp_path / "small"
    data.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(data), cwd=tmp_path)
        mounted = True
    except (Refused, FileNotFoundError):
        mounted = False
    if not mounted:
        database = Database(databases.location(data))
        database.writer.call(lambda db: db.execute("PRAGMA max_page_count = 60"))
        with pytest.raises(Unavailable, match="disk is full"):
            fill(database)
        database.close()
        return
    server = Server(data / "data")
    server.data.parent.mkdir(exist_ok=True)
    try:
        server.start()
        headers = {"X-API-Key": server.key()}
        body = {"prompt_name": "p", "version_tag": "1", "metadata": {"x": "y" * 200_000}}
        with httpx.Client(headers=headers, timeout=30) as client:
            statuses = [
                client.post(server.url + "/v1/logs", json=body).status_code for _ in range(60)
            ]
            assert set(statuses) == {202, 503}
            stored = client.get(server.url + "/v1/logs").json()["total"]
            assert stored == statuses.count(202)
            assert client.get(server.url + "/health").status_code == 200
    finally:
        server.stop(signal.SIGKILL)
        eventually(lambda: is_unmounted(data))


def is_unmounted(folder: Path) -> bool:
    """The git processes of a server that was killed end a moment after it."""
    try:
        run("umount", str(folder), cwd=folder.parent)
    except Refused:
        return False
    return True
