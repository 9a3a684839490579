# SPDX-License-Identifier: Apache-2.0
"""The file of a person's keys: which server gets which, and who else may read it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.cli import credentials
from gitprompt.errors import SetupError, UsageError

KEY = "pm_" + "a" * 64
OTHER = "pm_" + "b" * 64
SERVER = "https://prompts.example.com"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "gitprompt" / "credentials.json"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_file_is_below_xdg_config_home_or_in_the_home(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credentials.path() == str(file)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert credentials.path() == str(tmp_path / ".config" / "gitprompt" / "credentials.json")


@pytest.mark.parametrize("url", [f"{SERVER}/", "HTTPS://Prompts.Example.COM:443", f"{SERVER}//"])
def test_a_key_belongs_to_a_server_in_each_of_its_spellings(url: str) -> None:
    credentials.store(SERVER, KEY)
    assert credentials.key_for(url) == KEY
    credentials.store(url, OTHER)
    assert list(credentials.stored().values()) == [OTHER]


@pytest.mark.parametrize(
    "url",
    [
        "http://prompts.example.com", f"{SERVER}:8443", f"{SERVER}/team",
        "https://prompts.example.com.evil.example", "https://example.com",
    ],
)  # fmt: skip
def test_another_server_gets_no_key(url: str) -> None:
    credentials.store(SERVER, KEY)
    assert credentials.key_for(url) is None


def test_nobody_else_may_read_what_is_stored_whatever_the_umask(
    file: Path, open_umask: None
) -> None:
    credentials.store(SERVER, KEY)
    credentials.store("http://127.0.0.1:3000", OTHER)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_not_used(file: Path, mode: int) -> None:
    credentials.store(SERVER, KEY)
    file.chmod(mode)
    for call in (credentials.stored, lambda: credentials.key_for(SERVER)):
        with pytest.raises(SetupError, match="may be read by others") as caught:
            call()
        assert caught.value.hint == f"chmod 600 {file}"
    with pytest.raises(SetupError):
        credentials.store(SERVER, OTHER)
    assert OTHER not in file.read_text()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b'"pm_x"', b'{"a": 1}', b'{"a": []}']
)
def test_a_damaged_file_is_reported_and_left_as_it_is(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SetupError, match="is damaged") as caught:
        credentials.store(SERVER, KEY)
    assert caught.value.hint == "Remove it, and log in again."
    assert file.read_bytes() == content


def test_a_key_is_forgotten_alone_and_once(file: Path) -> None:
    credentials.store(SERVER, KEY)
    credentials.store("http://127.0.0.1:3000", OTHER)
    assert credentials.store(f"{SERVER}/", None)
    assert not credentials.store(SERVER, None)
    assert json.loads(file.read_text()) == {"http://127.0.0.1:3000": OTHER}


def test_to_forget_what_was_never_stored_makes_no_file(file: Path) -> None:
    assert not credentials.store(SERVER, None)
    assert (credentials.stored(), file.parent.exists()) == ({}, False)


def test_a_password_in_a_url_is_refused_and_not_repeated(file: Path) -> None:
    with pytest.raises(UsageError, match="no user or password") as caught:
        credentials.store("https://ada:hunter2@prompts.example.com", KEY)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert not file.exists()
