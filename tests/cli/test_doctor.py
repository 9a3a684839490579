# SPDX-License-Identifier: Apache-2.0
"""`gitprompt doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.ui_sessions import NewSession, SessionRow
from tests import databases
from tests.cli.commands import Cli
from tests.world import Clone


def test_doctor_finds_what_is_broken(cli: Cli, clone: Clone, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert cli("keys", "create", "--data", str(data)).code == 0
    first = cli("doctor", "--data", str(data))
    assert (first.code, "not installed" in first.out) == (1, True)
    assert cli("hooks", "install").code == 0
    assert cli("doctor", "--data", str(data)).code == 0
    (data / "index.db").write_bytes(b"rubbish" * 1000)
    (data / "salt").chmod(0o644)
    said = cli("doctor", "--data", str(data))
    assert said.code == 1
    assert "delete" in said.out
    assert "chmod 600" in said.out


def test_a_moved_tag_is_told_by_doctor_and_sync(cli: Cli, published: Clone, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    os.mkdir(data)
    place = ["--data", data]
    assert cli("sync", *place, "--repo", str(published.path)).code == 0
    published.commit("x")
    published.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    assert (
        "moved refs/tags/prompts/welcome/1.0.0"
        in cli("sync", *place, "--repo", str(published.path)).out
    )
    said = cli("doctor", *place)
    assert "it was moved" in said.out
    assert "git update-ref refs/tags/prompts/welcome/1.0.0" in said.out


def test_a_salt_that_is_gone_is_found_where_keys_need_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    assert cli("keys", "create", "--data", str(data)).code == 0
    (data / "salt").unlink()
    said = cli("doctor", "--data", str(data))
    assert (said.code, "is gone, and the 1 API keys that are there need it" in said.out) == (
        1,
        True,
    )
    assert f"gitprompt keys list --data {data}" in said.out
    assert not (data / "salt").exists()
    monkeypatch.setenv("API_KEY_SALT", "a salt of the environment")
    assert "is gone" not in cli("doctor", "--data", str(data)).out


def test_a_folder_of_somebody_else_is_not_called_damaged(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    assert cli("keys", "create", "--data", str(data)).code == 0
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(data))
    said = cli("doctor", "--data", str(data))
    assert said.code == 1
    assert "may not write it, and nothing in it was looked at" in said.out
    assert f"It is that of user {os.getuid()}: run this as that user." in said.out
    assert "restore" not in said.out


@pytest.mark.postgres
def test_a_postgresql_is_asked_whether_it_answers(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitprompt.store.engines import engine_at
    from tests.postgres import PASSWORD, new_url

    (tmp_path / "data").mkdir()
    url = new_url()
    monkeypatch.setenv("DATABASE_URL", url)
    look = ("doctor", "--data", str(tmp_path / "data"))
    assert "database: the tables of gitprompt are gone" in cli(*look).out
    engine_at(url).writer().close()
    assert "ok   database" in cli(*look).out
    monkeypatch.setenv("DATABASE_URL", url + "x")
    said = cli(*look)
    assert (said.code, "does not exist" in said.out, PASSWORD in said.out) == (1, True, False)


def test_sessions_over_plain_http_from_elsewhere_are_found(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    database = Database(databases.location(data))
    entry = Actor("default", "t").did("ui:login", 1)
    row = SessionRow("hash", None, None, "read", 0, 0, 1, 1, 1 << 40)
    database.write_now(NewSession(row, entry))
    for name, value in databases.environment(data).items():
        monkeypatch.setenv(name, value)
    assert "opened over http" not in cli("doctor", "--data", str(data)).out
    database.write_now(NewSession(row._replace(hash="other", plain=1), entry))
    database.close()
    assert "whoever is on the way knows them: 1" in cli("doctor", "--data", str(data)).out
