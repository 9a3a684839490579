# SPDX-License-Identifier: Apache-2.0
"""The drill: one archive, made while eight clients write, gives a server that serves the same bytes
and accepts the same keys."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gitprompt.errors import SetupError
from gitprompt.transfer import recovery
from tests.world import WELCOME, Clone, Refused, Server, run

pytestmark = pytest.mark.sqlite


def gitprompt(*args: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    return run(sys.executable, "-m", "gitprompt", *map(str, args), cwd=cwd, env=env)


@pytest.fixture
def running(tmp_path: Path, published: Clone) -> Iterator[Server]:
    """A server with a version whose tag and branch have vanished, and one that stands."""
    server = Server(tmp_path / "data").start()
    published.git("push", "-q", server.remote(), "main")
    published.git("checkout", "-q", "-b", "side")
    published.commit("Add gone", gone=WELCOME.replace("Hello", "Farewell"))
    published.tag("gone", "1.0.0")
    published.git("push", "-q", server.remote(), "side", "refs/tags/*:refs/tags/*")
    hosted = Clone(server.data / "repos" / "default.git")
    hosted.git("update-ref", "-d", "refs/tags/prompts/gone/1.0.0")  # plain git, no hook
    hosted.git("update-ref", "-d", "refs/heads/side")
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    yield server
    server.stop()


def write_logs(server: Server, stop: threading.Event, acknowledged: list[str], who: int) -> None:
    headers = {"X-API-Key": server.key()}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        while not stop.is_set():
            log = f"{who}-{len(acknowledged)}"
            body = {"prompt_name": "welcome", "version_tag": "1.0.0", "log_id": log}
            if client.post("/v1/logs", json=body).status_code == 202:
                acknowledged.append(log)


def logs_in(data: Path) -> set[str]:
    with sqlite3.connect(data / "telemetry.db") as database:
        rows = {row[0] for row in database.execute("SELECT log_id FROM log")}
    database.close()
    return rows


def test_the_drill(running: Server, tmp_path: Path) -> None:
    running.key()
    stop = threading.Event()
    lists: list[list[str]] = [[] for _ in range(8)]
    writers = [
        threading.Thread(target=write_logs, args=(running, stop, lists[at], at)) for at in range(8)
    ]
    for writer in writers:
        writer.start()
    while sum(map(len, lists)) < 400:
        stop.wait(0.02)
    before = {log for logs in lists for log in logs}
    try:
        gitprompt(
            "backup", "b.tar", "--data", "data", "--passphrase-file", "passphrase", cwd=tmp_path
        )
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    served = running.text("/v1/prompts/gone?variables[name]=Ada")
    hosted = Clone(running.data / "repos" / "default.git")
    refs = hosted.git("for-each-ref")
    running.stop()
    gitprompt("restore", "b.tar", "--data", "new", "--passphrase-file", "passphrase", cwd=tmp_path)
    assert before <= logs_in(tmp_path / "new")
    again = Server(tmp_path / "new")
    again._keys = running._keys  # the old keys
    again.start()
    try:
        assert again.text("/v1/prompts/gone?variables[name]=Ada") == served == "Farewell Ada!"
        assert again.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
        assert Clone(again.data / "repos" / "default.git").git("for-each-ref") == refs
        assert [item["condition"] for item in again.get("/v1/sync")["tampered"]] == ["deleted"]
    finally:
        again.stop()


def test_nobody_else_may_read_what_is_made(running: Server, tmp_path: Path) -> None:
    pass_option = ("--passphrase-file", "passphrase")
    gitprompt("backup", "b.tar", "--data", "data", *pass_option, cwd=tmp_path)
    gitprompt("restore", "b.tar", "--data", "new", *pass_option, cwd=tmp_path)
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("b.tar", "new", "new/repos", "new/salt", "new/telemetry.db")
    }
    assert modes == {
        "b.tar": 0o600, "new": 0o700, "new/repos": 0o700, "new/salt": 0o600,
        "new/telemetry.db": 0o600,
    }  # fmt: skip
    salt = (running.data / "salt").read_bytes()
    assert salt not in (tmp_path / "b.tar").read_bytes()
    assert (tmp_path / "new" / "salt").read_bytes() == salt


def test_the_salt_needs_a_passphrase_or_a_no(running: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--without-salt") as refused:
        gitprompt("backup", "b.tar", "--data", "data", cwd=tmp_path)
    assert (refused.value.code, (tmp_path / "b.tar").exists()) == (2, False)
    said = gitprompt("backup", "b.tar", "--data", "data", "--without-salt", cwd=tmp_path)
    assert "no key will be valid" in said
    # A passphrase that is not needed is ignored.
    gitprompt("restore", "b.tar", "--data", "new", "--passphrase-file", "passphrase", cwd=tmp_path)
    assert not (tmp_path / "new" / "salt").exists()


def test_a_salt_of_the_environment_is_never_copied(running: Server, tmp_path: Path) -> None:
    env = {"API_KEY_SALT": "0123456789abcdef0123456789abcdef"}
    said = gitprompt("backup", "b.tar", "--data", "data", cwd=tmp_path, env=env)
    assert "comes from API_KEY_SALT and is not in it" in said
    assert not recovery.contents_of(str(tmp_path / "b.tar")).salt


def test_no_salt_is_made_beside_keys_that_are_there(running: Server, tmp_path: Path) -> None:
    running.key()
    gitprompt("backup", "b.tar", "--data", "data", "--without-salt", cwd=tmp_path)
    gitprompt("restore", "b.tar", "--data", "new", cwd=tmp_path)
    with pytest.raises(Refused, match="API keys that are there need it"):
        Server(tmp_path / "new").start()
    assert not (tmp_path / "new" / "salt").exists()
    # Whoever makes a key wants one that is valid, and is told what that costs.
    said = gitprompt("keys", "create", "--data", "new", cwd=tmp_path)
    assert "a new salt is made, and they are not valid" in said


def test_a_wrong_passphrase_changes_nothing(running: Server, tmp_path: Path) -> None:
    option = ("--passphrase-file", "passphrase")
    gitprompt("backup", "b.tar", "--data", "data", *option, cwd=tmp_path)
    gitprompt("restore", "b.tar", "--data", "new", *option, cwd=tmp_path)
    with pytest.raises(Refused, match="--force replaces it"):
        gitprompt("restore", "b.tar", "--data", "new", *option, cwd=tmp_path)
    before = sorted(path.name for path in (tmp_path / "new").iterdir())
    (tmp_path / "wrong").write_text("wrong\n")
    wrong = ("restore", "b.tar", "--data", "new", "--force", "--passphrase-file", "wrong")
    with pytest.raises(Refused, match="does not open the salt") as refused:
        gitprompt(*wrong, cwd=tmp_path)
    assert refused.value.code == 1
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == before
    gitprompt("restore", "b.tar", "--data", "new", "--force", *option, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == before


def test_a_server_in_use_is_not_restored_over(running: Server, tmp_path: Path) -> None:
    option = ("--passphrase-file", "passphrase")
    gitprompt("backup", "b.tar", "--data", "data", *option, cwd=tmp_path)
    with pytest.raises(Refused, match="is in use by process"):
        gitprompt("restore", "b.tar", "--data", "data", "--force", *option, cwd=tmp_path)


def test_a_restore_that_was_cut_short_has_to_be_run_again(running: Server, tmp_path: Path) -> None:
    option = ("--passphrase-file", "passphrase")
    gitprompt("backup", "b.tar", "--data", "data", *option, cwd=tmp_path)
    running.stop()
    (running.data / recovery.UNFINISHED).touch()
    with pytest.raises(Refused, match="was cut short"):
        running.start()
    gitprompt("restore", "b.tar", "--data", "data", "--force", *option, cwd=tmp_path)
    assert running.start().text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"


def archive(path: Path, **members: bytes | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as made:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return path


def manifest(**more: object) -> bytes:
    return json.dumps({"format": 1, "created_at": 1, "heads": {}, "salt": False, **more}).encode()


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("manifest.json")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest.json": b"{"},
        {"manifest.json": manifest(format=2)},
        {"manifest.json": manifest(heads={"../../x": ""})},
        {"manifest.json": manifest(heads={"default": "--upload-pack=x"})},
        {"manifest.json": manifest(heads=["default"])},
        {"manifest.json": b" " * (2 << 20)},
        {"manifest.json": link()},
        {"manifest.json": manifest()},  # and no database
        {"manifest.json": manifest(), "telemetry.db": b"not a database"},
    ],
)
def test_what_is_no_backup_is_refused_and_leaves_nothing(
    tmp_path: Path, members: dict[str, bytes | tarfile.TarInfo]
) -> None:
    path = archive(tmp_path / "b.tar", **members)
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(SetupError):
        recovery.restore(
            str(path), str(data), "telemetry.db", passphrase=None, progress=lambda *_: None
        )
    assert os.listdir(data) == []


def test_the_database_may_have_another_name_in_the_folder(tmp_path: Path) -> None:
    """As in the composition that is known from before: the working directory is the data folder."""
    env = {"DATABASE_URL": "sqlite:./pm.db", "API_KEY_SALT": "the-salt-of-a-composition"}
    at = {"GITPROMPT_DATA": str(tmp_path / "data"), **env}
    (tmp_path / "data").mkdir()
    key = gitprompt("keys", "create", "--scopes", "read", cwd=tmp_path / "data", env=at)
    said = gitprompt("backup", "../b.tar", cwd=tmp_path / "data", env=at)
    assert "pm.db, 0 repositories, no salt" in said
    (tmp_path / "new").mkdir()
    at["GITPROMPT_DATA"] = str(tmp_path / "new")
    gitprompt("restore", "../b.tar", cwd=tmp_path / "new", env=at)
    assert sorted(os.listdir(tmp_path / "new")) == ["lock", "pm.db", "repos"]
    at["DATABASE_URL"] = f"sqlite:{tmp_path}/new/pm.db"
    server = Server(tmp_path / "new", env=at).start()
    try:
        assert server.request("/v1/prompts", key=key.split()[-1]).status_code == 200
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_restores_is_that_of_the_folder(running: Server, tmp_path: Path) -> None:
    """A server is not root, and would not start."""
    gitprompt("backup", "b.tar", "--data", "data", "--passphrase-file", "passphrase", cwd=tmp_path)
    (tmp_path / "new").mkdir()
    shutil.chown(tmp_path / "new", 1000, 1000)
    gitprompt("restore", "b.tar", "--data", "new", "--passphrase-file", "passphrase", cwd=tmp_path)
    kept = list((tmp_path / "new").rglob("*"))
    assert len(kept) > 10
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in kept} == {(1000, 1000)}


def test_a_file_that_is_cut_short_is_refused(running: Server, tmp_path: Path) -> None:
    gitprompt("backup", "b.tar", "--data", "data", "--without-salt", cwd=tmp_path)
    whole = (tmp_path / "b.tar").read_bytes()
    for size in (0, 300, 2_000, len(whole) // 2):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        with pytest.raises(Refused, match="cut short"):
            gitprompt("restore", "cut.tar", "--data", "new", cwd=tmp_path)
        assert not (tmp_path / "new" / "telemetry.db").exists()
