# SPDX-License-Identifier: Apache-2.0
"""`gitprompt backup`, `restore` and `rollups rebuild`, called on data folders without a server."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitprompt.hosting import Hosting
from tests.cli.commands import Cli
from tests.server.client import Client, fresh
from tests.world import Clone, Server

NOTHING = ("--data", "data", "--without-salt")
OPENED = ("--data", "data", "--passphrase-file", "passphrase")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The commands narrow the umask of their process, which is ours."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def data(cli: Cli, clone: Clone) -> Path:
    """A data folder with a key, its salt and an empty hosted repository; beside it a passphrase."""
    assert cli("keys", "create", "--data", "data").code == 0
    Hosting(str(clone.path / "data")).create("default")
    clone.write("passphrase", "correct horse\r\nand a second line\r\n")
    return clone.path / "data"


def test_a_folder_without_a_database_is_not_backed_up(cli: Cli, tmp_path: Path) -> None:
    for command in (("backup", "b.tar"), ("rollups", "rebuild")):
        refused = cli(*command, "--data", "nowhere", cwd=tmp_path)
        assert (refused.code, "there is no nowhere/telemetry.db" in refused.err) == (1, True)
    assert os.listdir(tmp_path) == ["clone"]


def test_a_backup_names_what_is_in_it(cli: Cli, data: Path) -> None:
    whole = cli("backup", "whole.tar", *OPENED)
    assert whole.out.endswith("bytes: telemetry.db, 1 repositories, the salt\n")
    lines = cli("backup", "bare.tar", *NOTHING).out.splitlines()
    assert lines[0].endswith("bytes: telemetry.db, 1 repositories, no salt")
    assert lines[1:] == [
        "Without the salt of this folder no key will be valid: keep a copy elsewhere."
    ]


def test_a_repository_that_is_served_in_place_is_missed_aloud(cli: Cli, clone: Clone) -> None:
    cli("keys", "create", "--data", "data")
    outcome = cli("backup", "b.tar", *NOTHING)
    assert "telemetry.db, 0 repositories" in outcome.out
    assert "git clone --mirror copies it" in outcome.out


def test_a_backup_never_replaces_a_file(cli: Cli, clone: Clone, data: Path) -> None:
    clone.write("b.tar", "the backup of last week")
    refused = cli("backup", "b.tar", *NOTHING)
    assert (refused.code, "b.tar exists already" in refused.err) == (1, True)
    assert (clone.path / "b.tar").read_text() == "the backup of last week"


@pytest.mark.parametrize("text", ["", "\n", "\r\nsecond line\n"])
def test_an_empty_passphrase_is_usage(cli: Cli, clone: Clone, data: Path, text: str) -> None:
    clone.write("passphrase", text)
    refused = cli("backup", "b.tar", *OPENED)
    assert (refused.code, "the passphrase is empty" in refused.err) == (2, True)
    assert not (clone.path / "b.tar").exists()


def test_the_passphrase_is_the_first_line_however_it_ends(
    cli: Cli, clone: Clone, data: Path
) -> None:
    assert cli("backup", "b.tar", *OPENED).code == 0
    clone.write("other", "correct horse")
    outcome = cli("restore", "b.tar", "--data", "new", "--passphrase-file", "other")
    assert outcome.out == "✓ new is what b.tar was: 1 repositories\n"
    assert (clone.path / "new" / "salt").read_bytes() == (data / "salt").read_bytes()


def test_a_restore_without_the_salt_asks_for_no_passphrase(
    cli: Cli, clone: Clone, data: Path
) -> None:
    assert cli("backup", "b.tar", *OPENED).code == 0
    assert "--without-salt" in cli("restore", "b.tar", "--data", "new").err
    outcome = cli("restore", "b.tar", "--data", "new", "--without-salt")
    assert (outcome.code, "The salt is not from this backup" in outcome.out) == (0, True)
    assert not (clone.path / "new" / "salt").exists()


@pytest.mark.parametrize("part", ["telemetry.db", "repos", "salt"])
def test_nothing_that_is_there_is_replaced_without_force(
    cli: Cli, clone: Clone, data: Path, part: str
) -> None:
    assert cli("backup", "b.tar", *NOTHING).code == 0
    there = clone.path / "new" / part
    there.parent.mkdir()
    there.symlink_to("dangling")
    refused = cli("restore", "b.tar", "--data", "new")
    assert (refused.code, f"{part} is there" in refused.err) == (1, True)
    assert os.listdir(there.parent) == [part]


def test_a_database_alone_replaces_that_alone(cli: Cli, clone: Clone, data: Path) -> None:
    with closing(sqlite3.connect(data / "telemetry.db")) as database:
        database.execute("VACUUM INTO ?", (str(clone.path / "old.db"),))
    for path in data.glob("telemetry.db*"):
        path.unlink()
    salt = (data / "salt").read_bytes()
    outcome = cli("restore", "old.db", "--data", "data")
    assert outcome.out == "✓ data/telemetry.db is what old.db was\n"
    assert (data / "salt").read_bytes() == salt
    assert len(cli("keys", "list", "--data", "data").out.splitlines()) == 1


def test_a_backup_that_is_not_there_makes_no_folder(cli: Cli, clone: Clone) -> None:
    refused = cli("restore", "missing.tar", "--data", "new")
    assert (refused.code, "there is no missing.tar" in refused.err) == (1, True)
    assert not (clone.path / "new").exists()


@pytest.mark.sqlite
def test_sums_are_computed_again_from_the_rows_that_are_there(
    cli: Cli, server: Server, client: Client
) -> None:
    name = fresh("summed")
    for _ in range(2):
        client.post("/v1/logs", {"prompt_name": name, "version_tag": "1.0.0"})

    def calls() -> list[int]:
        items = client.get("/v1/metrics/summary", prompt_name=name)["items"]
        return [item["calls"] for item in items]

    rebuild = ("rollups", "rebuild", "--data", str(server.data))
    assert cli(*rebuild).code == 0
    assert calls() == [2]
    with closing(sqlite3.connect(server.data / "telemetry.db")) as database, database:
        database.execute("DELETE FROM log WHERE prompt_name = ?", (name,))
    assert cli(*rebuild, "--since", str(int(time.time()) + 7200)).code == 0
    assert calls() == [2]  # its hour begins earlier
    assert cli(*rebuild).code == 0
    assert calls() == []


@pytest.mark.parametrize("command", [("backup", "b.tar"), ("restore", "b.tar")])
def test_postgresql_has_its_own_tools_and_another_file_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:secret@db/prompts")
    refused = cli(*command)
    assert (refused.code, "pg_dump --schema=gitprompt" in refused.err) == (2, True)
    assert "secret" not in refused.err
    monkeypatch.setenv("DATABASE_URL", "sqlite:./elsewhere/pm.db")
    refused = cli(*command)
    assert (refused.code, "names ./elsewhere/pm.db" in refused.err) == (2, True)
