# SPDX-License-Identifier: Apache-2.0
"""DRIVER=postgres: nodes without a shared disk, and one dump that has Git and telemetry of one moment."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.errors import SetupError
from tests.drivers.three_nodes import document, send, share, survive
from tests.pages import blocks
from tests.postgres import binary, new_url
from tests.world import Server, run

pytestmark = pytest.mark.postgres


def node(folder: Path, url: str, name: str = "node") -> Server:
    env = {"DRIVER": "postgres", "DATABASE_URL": url, "API_KEY_SALT": "the-same-on-every-node"}
    return Server(folder / name, env=env)


@pytest.mark.parametrize("url", ["", "sqlite:./pm.db", "telemetry.db"])
def test_it_needs_a_database_of_postgresql(url: str) -> None:
    with pytest.raises(SetupError, match="needs a PostgreSQL database") as caught:
        drivers.make(server_settings({}, {"DRIVER": "postgres", "DATABASE_URL": url}))
    assert "DATABASE_URL=postgres://" in caught.value.hint


def test_three_nodes_publish_race_die_and_are_replaced(tmp_path: Path) -> None:
    url = new_url()
    survive([node(tmp_path, url, f"node{at}") for at in range(3)])


def test_a_push_and_a_workspace_reach_the_other_node(tmp_path: Path) -> None:
    url = new_url()
    share(tmp_path, lambda name: node(tmp_path, url, name))


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()


def test_a_dump_has_git_and_telemetry(tmp_path: Path) -> None:
    url, other = new_url(), new_url()
    first = node(tmp_path, url).start()
    try:
        assert send(first, "POST", "/v1/prompts", document("kept"), "default").status_code == 201
        key = first.key()
    finally:
        first.stop()
    (commands,) = blocks("docs/operations.md", "sh postgres")
    env = {
        "PATH": f"{Path(binary('pg_dump')).parent}:{os.environ['PATH']}",
        "PGPASSWORD": unquote(urlsplit(url).password or ""),
        "PLACE": without_password(url),
        "PLACE_OF_THE_DRILL": without_password(other),
    }
    run("bash", "-euc", commands, cwd=tmp_path, env=env)
    restored = node(tmp_path, other, "restored").start()
    try:
        assert restored.request("/v1/prompts/kept", key=key).status_code == 200
        again = send(restored, "POST", "/v1/prompts", document("kept"), "default")
        assert again.status_code == 409
    finally:
        restored.stop()
