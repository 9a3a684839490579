# SPDX-License-Identifier: Apache-2.0
"""The database or the lock is deleted under a running server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt import hosting
from tests.world import Server, eventually

LOG = json.dumps({"prompt_name": "a", "version_tag": "1.0.0"}).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data").start()
    yield server
    server.stop()


def write(server: Server) -> int:
    headers = {"Content-Type": "application/json"}
    return server.request("/v1/logs", method="POST", content=LOG, headers=headers).status_code


@pytest.mark.sqlite
def test_a_database_that_was_deleted_takes_nothing_more(server: Server) -> None:
    assert write(server) < 300
    assert server.request("/health/deep").status_code == 200
    (server.data / "telemetry.db").unlink()
    eventually(lambda: write(server) == 503)
    eventually(lambda: server.request("/health/deep").json()["checks"]["sqlite"] == "error")
    assert server.request("/v1/prompts").status_code == 200, "what is indexed is served on"


def test_a_lock_that_was_deleted_is_held_again(server: Server) -> None:
    assert hosting.is_held(str(server.data))
    (server.data / "lock").unlink()
    eventually(lambda: hosting.is_held(str(server.data)) is not None)
    assert write(server) < 300


def test_the_server_whose_folder_another_has_taken_stops(server: Server) -> None:
    lock = server.data / "lock"
    lock.unlink()
    with hosting.hold(str(server.data), "another"):
        process = server.process
        assert process is not None
        assert process.wait(10) == 0
        assert "another server has taken the data folder" in server.logged()


def test_a_hold_knows_its_own_file(tmp_path: Path) -> None:
    with hosting.hold(str(tmp_path), "me") as hold:
        lost = [hold.is_lost]
        os.replace(tmp_path / "lock", tmp_path / "elsewhere")
        lost.append(hold.is_lost)
        assert hold.retake()
        assert [*lost, hold.is_lost] == [False, True, False]
        assert (tmp_path / "lock").read_text() == "me\n"
