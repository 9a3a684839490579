# SPDX-License-Identifier: Apache-2.0
"""Nothing that comes from elsewhere steers a terminal, forges a row, or leaves the folder it is for;
and no key goes to whom the person has not named."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.cli import credentials
from gitprompt.core.printable import printable, printable_json, printable_lines
from gitprompt.errors import UsageError
from tests.conftest import Outcome
from tests.world import WELCOME, Clone, Server

ESC = "\x1b]0;owned\x07\x1b[2J\u202e"
KEY = "pm_" + "a" * 64
Cli = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("welcome@production → 1.0.0", "welcome@production → 1.0.0"),
        ("Grüße, 世界\u3000\u00a0👩\u200d👧", "Grüße, 世界\u3000\u00a0👩\u200d👧"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\u2028c", "a\\r\\nb\\u2028c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def is_harmless(text: str, allowed: str) -> bool:
    return all(
        unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for c in text
        if c not in allowed
    )


@given(st.text(st.characters()))
def test_nothing_harmful_is_left_of_any_text(text: str) -> None:
    assert is_harmless(printable(text), "\u200c\u200d")
    assert is_harmless(printable_lines(text), "\n\t\u200c\u200d")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_says_the_same_with_escapes(text: str) -> None:
    encoded = printable_json(json.dumps([text], ensure_ascii=False, indent=2))
    assert is_harmless(encoded, "\n\u200c\u200d")
    assert json.loads(encoded) == [text]


class Evil(BaseHTTPRequestHandler):
    """A server that names what no prompt can be called."""

    box: ClassVar[Path]
    seen: ClassVar[list[str | None]] = []

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("X-API-Key"))
        path = self.path.partition("?")[0]
        if path == "/v1/prompts":
            names = [f"{self.box}/absolute", "../../dots", ESC, "good"]
            answer: Any = {
                "items": [{"name": n, "latest": "1", "labels": {}, "updated_at": 1} for n in names]
            }
        elif path.endswith("/versions"):
            answer = {"items": [{"version_tag": "1.0.0"}, {"version_tag": "../../up"}, {}]}
        else:
            answer = {"count": 1, "content": {"messages": []}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Evil.box, Evil.seen = tmp_path / "box", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_export_writes_only_below_its_folder(
    cli: Cli, evil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITPROMPT_API_KEY", KEY)
    out = tmp_path / "box" / "a" / "out"
    said = cli("export", "--out", str(out), "--server", evil)
    written = [path for path in (tmp_path / "box").rglob("*") if path.is_file()]
    assert written == [out / "good" / "1.0.0.json"]
    assert (said.code, "1 written" in said.out, "5 refused" in said.out) == (1, True, True)
    assert is_harmless(said.out + said.err, "\n\t")


def test_a_list_of_a_server_has_a_row_a_prompt(
    cli: Cli, evil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITPROMPT_API_KEY", KEY)
    said = cli("list-prompts", "--server", evil)
    assert len(said.out.splitlines()) == 4
    assert is_harmless(said.out, "\n\t")


def test_a_cloned_file_does_not_choose_who_gets_a_key(
    cli: Cli, clone: Clone, evil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITPROMPT_API_KEY", KEY)
    clone.write("gitprompt.toml", f'server = "{evil}"\n')
    clone.commit("Add", welcome="messages: [{role: user, content: x}]\n")
    status = cli("status")
    assert (status.code, "not logged in there" in status.err) == (0, True)
    listing = cli("list-prompts")
    assert (listing.code, "gitprompt login" in listing.err) == (2, True)
    assert Evil.seen == []
    assert cli("list-prompts", "--server", evil).code == 0
    assert Evil.seen == [KEY]


def test_login_lets_a_server_have_the_key_that_is_stored_for_it(
    cli: Cli, clone: Clone, evil: str, server: Server, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GITPROMPT_API_KEY", KEY)
    key = server.key()
    (tmp_path / "key").write_text(f"{key}\n")
    with (tmp_path / "key").open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        assert "logged in" in cli("login", server.url + "/").out
    file = Path(credentials.path())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    clone.write("gitprompt.toml", f'server = "{server.url}"\n')
    assert cli("list-prompts").code == 0
    clone.write("gitprompt.toml", f'server = "{evil}"\n')
    assert cli("list-prompts").code == 2  # logged in elsewhere
    assert Evil.seen == []
    assert "logged out" in cli("logout", server.url).out
    assert "there is no key for" in cli("logout", server.url).err
    file.chmod(0o644)
    assert "may be read by others" in cli("logout", server.url).err


@pytest.mark.parametrize("key", ["", "secret", KEY])
def test_a_key_that_is_none_is_not_stored(
    cli: Cli, server: Server, evil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (tmp_path / "key").write_text(key)
    with (tmp_path / "key").open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        said = cli("login", server.url)
    assert said.code in (1, 2)
    assert credentials.stored() == {}
    assert not key or key not in said.err


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://Example.com/", "http://example.com:80"),
        ("https://example.com:443", "https://example.com:443"),
        ("https://example.com/gitprompt//", "https://example.com:443/gitprompt"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_a_server_has_one_spelling(url: str, same: str) -> None:
    assert credentials.server_id(url) == same


@pytest.mark.parametrize(
    "url", ["example.com", "ftp://a", "http://", "http://u:p@a", "http://a:x", "http://a/?q=1"]
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        credentials.server_id(url)


def test_the_words_of_colleagues_are_printed_and_do_nothing_else(cli: Cli, clone: Clone) -> None:
    clone.commit(
        "Add",
        welcome=f"messages: [{{role: user, content: {json.dumps(ESC)}}}]\n",
        bad='messages: [{role: user, content: x}]\nvariables: {"a\\e[2J": {type: string}}\n',
    )
    clone.tag("welcome", "1.0.0")
    reason = f"why{ESC}\n2026-01-01 00:00\tnone → 9.9.9\tboss\tforged\tabc"
    assert cli("label", "set", "welcome", "production", "1.0.0", "-m", reason).code == 0
    history = cli("label", "log", "welcome", "production")
    assert len(history.out.splitlines()) == 1
    commands = (
        ("label", "log", "welcome", "production"), ("label", "log", "welcome", "production", "--json"),
        ("render", "welcome"), ("show", "welcome"), ("show", "welcome", "--json"), ("validate",),
        ("validate", "--format", "json"), ("validate", "--format", "github"), ("status",), ("list",),
    )  # fmt: skip
    for command in commands:
        said = cli(*command)
        assert is_harmless(said.out + said.err, "\n\t"), command


LATIN = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("env", [{}, LATIN])
def test_names_and_reasons_that_are_not_utf8_are_read_as_what_they_are(
    published: Clone, env: dict[str, str]
) -> None:
    latin = {os.fsencode(name): value.encode() for name, value in {**os.environ, **env}.items()}
    latin |= {b"GIT_COMMITTER_NAME": "René".encode("latin-1")}
    published.commit("Next", welcome=WELCOME.replace("Hello", "Salut"))
    for command in (
        [b"publish", b"welcome", b"--version", b"1.1.0", b"-m", "Été".encode("latin-1")],
        [b"label", b"set", b"welcome", b"live", b"1.1.0", b"-m", "Déjà vu".encode()],
        [b"render", b"welcome", b"--var", "name=Zoë".encode("latin-1")],
    ):
        done = subprocess.run(
            [os.fsencode(sys.executable), b"-m", b"gitprompt", *command],
            cwd=published.path, env=latin, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "René" in published.git("log", "-1", "--format=%cn", "refs/labels/welcome@live")
    assert "Déjà vu" in published.git("log", "-1", "--format=%B", "refs/labels/welcome@live")
    assert "Été" in published.git("cat-file", "-p", "prompts/welcome/1.1.0")
