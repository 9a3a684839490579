# SPDX-License-Identifier: Apache-2.0
"""A damaged index is built anew, at the start and while the server serves; damage elsewhere is named."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.store.index.writer import open_index
from tests.world import Server, eventually

VERSIONS = 12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data").start()
    for patch in range(VERSIONS):
        assert publish(server, f"1.0.{patch}") == 201
    yield server
    server.stop()


def publish(server: Server, version: str) -> int:
    document = {
        "name": "welcome", "version": version,
        "messages": [{"role": "user", "content": "x" * 3_000 + version}],
    }  # fmt: skip
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    return server.request("/v1/prompts", method="POST", content=body, headers=headers).status_code


def served(server: Server) -> list[int]:
    return [
        server.request(f"/v1/prompts/welcome?version=1.0.{patch}&render={render}").status_code
        for patch in range(VERSIONS)
        for render in ("true", "false")
    ]


def scribble(path: Path) -> None:
    size = path.stat().st_size
    numbers = random.Random(3)
    with path.open("r+b") as file:
        for _ in range(200):
            file.seek(size // 10 + numbers.randrange(max(size - size // 10 - 64, 1)))
            file.write(numbers.randbytes(64))


def test_an_index_that_is_damaged_while_serving_is_built_anew(server: Server) -> None:
    for name in ("index.db", "index.db-wal"):
        scribble(server.data / name)

    def is_whole() -> bool:
        return {*served(server), publish(server, f"2.0.{random.randrange(10**9)}")} == {200, 201}

    eventually(is_whole, 20)
    assert server.request("/health/deep", key=None).json()["checks"]["index"] == "ok"


def test_an_index_that_is_deleted_under_the_server_is_built_anew(server: Server) -> None:
    inode = (server.data / "index.db").stat().st_ino
    (server.data / "index.db").unlink()
    eventually(lambda: (server.data / "index.db").exists())
    eventually(lambda: "is whole again" in server.logged())
    assert set(served(server)) == {200}
    assert publish(server, "2.0.0") == 201
    assert server.request("/v1/prompts/welcome?version=2.0.0").status_code == 200
    assert (server.data / "index.db").stat().st_ino != inode or os.name == "nt"


def test_a_start_with_a_damaged_index_serves_all(server: Server) -> None:
    server.stop()
    scribble(server.data / "index.db")
    server.start()
    assert set(served(server)) == {200}


def test_a_sound_index_is_kept(server: Server) -> None:
    server.stop()
    inode = (server.data / "index.db").stat().st_ino
    writer = open_index(str(server.data / "index.db"))
    assert len(writer.known_refs("default")) == VERSIONS
    writer.close()
    assert (server.data / "index.db").stat().st_ino == inode


@pytest.mark.sqlite
def test_a_damaged_telemetry_is_named_with_its_cure(server: Server) -> None:
    server.stop()
    scribble(server.data / "telemetry.db")
    with pytest.raises(Exception, match=r"telemetry\.db|the database is damaged") as caught:
        server.start()
    assert "Traceback" not in str(caught.value)
    assert "gitprompt doctor" in str(caught.value)


def test_a_damaged_repository_is_named_and_reading_goes_on(server: Server) -> None:
    head = server.data / "repos" / "default.git" / "HEAD"
    before = head.read_text()
    head.write_text("garbage\n")
    assert publish(server, "2.0.0") == 503
    assert set(served(server)) == {200}
    eventually(lambda: server.request("/health/deep", key=None).status_code == 503)
    head.write_text(before)
    eventually(lambda: publish(server, "2.0.1") == 201)
