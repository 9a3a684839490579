# SPDX-License-Identifier: Apache-2.0
"""The local token: it goes over the Unix socket of a data directory whose lock is held, and it is
worth a poke there and nothing anywhere else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gitprompt import hosting
from gitprompt.errors import SetupError
from gitprompt.server import local
from tests.world import Clone, Refused, Server, run


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Server]:
    """A server that looks at its repositories only when it is poked."""
    server = Server(tmp_path / "data", "--poll-seconds", "3600").start()
    yield server
    server.stop(signal.SIGKILL)


def over_the_socket(data: Path, path: str, token: str, method: str = "GET") -> httpx.Response:
    transport = httpx.HTTPTransport(uds=local.address(str(data)))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        return client.request(method, path, headers={"X-API-Key": token})


def token_of(server: Server) -> str:
    token = local.token(str(server.data))
    assert token is not None
    return token


def audited(server: Server, action: str) -> dict[str, str]:
    """The newest row of an action in the audit log."""
    rows = server.get("/v1/audit-logs")["items"]
    row: dict[str, str] = next(row for row in rows if row["action"] == action)
    return row


def gitprompt(*args: str, cwd: Path) -> str:
    return run(sys.executable, "-m", "gitprompt", *args, cwd=cwd)


def test_a_plain_push_and_a_command_poke_the_server(slow: Server, published: Clone) -> None:
    published.git("push", "-q", str(slow.data / "repos" / "default.git"), "main", "--tags")
    assert slow.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
    assert "1 prompts, 1 versions" in gitprompt("sync", "--data", "data", cwd=slow.data.parent)
    assert audited(slow, "sync")["api_key_name"] == "local token"


def test_only_the_owner_may_use_socket_and_token(slow: Server) -> None:
    for name in ("socket", "local-token"):
        assert stat.S_IMODE((slow.data / name).stat().st_mode) == 0o600


def test_the_token_is_worth_nothing_on_any_port(slow: Server) -> None:
    token = token_of(slow)
    for path in ("/v1/sync", "/v1/prompts", "/v1/api-keys", "/git/default.git/info/refs"):
        assert slow.request(path + "?service=git-upload-pack", key=token).status_code == 401


def test_the_socket_takes_a_poke_and_nothing_else(slow: Server) -> None:
    token = token_of(slow)
    assert over_the_socket(slow.data, "/v1/sync", token, "POST").status_code == 200
    assert over_the_socket(slow.data, "/health", "").status_code == 200
    for path in ("/v1/api-keys", "/v1/prompts", "/git/default.git/info/refs", "/metrics"):
        assert over_the_socket(slow.data, path, token).status_code == 404
    assert over_the_socket(slow.data, "/v1/sync", slow.key()).status_code == 401  # an API key


@pytest.mark.sqlite
def test_the_token_is_revoked_at_once(slow: Server) -> None:
    token = token_of(slow)
    assert "revoked" in gitprompt("keys", "revoke", "local", "--data", "data", cwd=slow.data.parent)
    assert over_the_socket(slow.data, "/v1/sync", token).status_code == 401
    assert audited(slow, "key:revoke")["target_id"] == "local token"
    with pytest.raises(Refused, match="there is no local token"):
        gitprompt("keys", "revoke", "local", "--data", "data", cwd=slow.data.parent)
    with pytest.raises(Refused, match="neither a number nor 'local'"):
        gitprompt("keys", "revoke", "all", "--data", "data", cwd=slow.data.parent)


def test_every_start_has_a_token_of_its_own_and_leaves_none(slow: Server) -> None:
    first = token_of(slow)
    slow.request("/health", key=None)
    assert slow.stop() == 0
    assert not (slow.data / "socket").exists()
    assert local.token(str(slow.data)) is None
    slow.start()
    assert token_of(slow) != first


def test_a_stranger_who_takes_the_port_of_a_dead_server_gets_no_token(
    slow: Server, published: Clone
) -> None:
    port = urlsplit(slow.url).port
    slow.stop(signal.SIGKILL)
    got: list[str | None] = []

    class Thief(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.headers["X-API-Key"])
            self.send_response(204)
            self.end_headers()

    thief = HTTPServer(("127.0.0.1", port or 0), Thief)
    thread = threading.Thread(target=thief.serve_forever, daemon=True)
    thread.start()
    try:
        published.git("push", "-q", str(slow.data / "repos" / "default.git"), "main")
        gitprompt("sync", "--data", "data", cwd=slow.data.parent)
    finally:
        thief.shutdown()
        thief.server_close()
        thread.join()
    assert got == []


def test_a_data_folder_with_a_very_long_path_has_a_socket_too(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    server = Server(folder / "data", "--poll-seconds", "3600").start()
    try:
        assert "0 prompts" in gitprompt("sync", "--data", "data", cwd=folder)
        assert audited(server, "sync")["api_key_name"] == "local token"
    finally:
        server.stop()


def test_whoever_only_looks_who_holds_a_folder_keeps_nobody_out(tmp_path: Path) -> None:
    data = str(tmp_path)
    assert hosting.is_held(data) is None
    with hosting.hold(data, "process 7"):
        assert "in use by process 7" in (hosting.is_held(data) or "")
        before = (tmp_path / "lock").read_text()
        with pytest.raises(SetupError, match="in use by process 7"), hosting.hold(data, "another"):
            pass
        assert (tmp_path / "lock").read_text() == before
    look = "import sys, fcntl, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH)"
    script = f"{look}; print('looking', flush=True); time.sleep(0.05)"
    with subprocess.Popen(
        [sys.executable, "-c", script, os.path.join(data, "lock")], stdout=subprocess.PIPE
    ) as looker:
        assert looker.stdout is not None
        looker.stdout.readline()
        with hosting.hold(data, "a server"):
            pass


@pytest.mark.parametrize("name", ["local", "Local Token", "git"])
def test_no_api_key_passes_for_something_else_in_the_audit(slow: Server, name: str) -> None:
    with pytest.raises(Refused, match="the audit log calls something else"):
        gitprompt("keys", "create", "--data", "data", "--name", name, cwd=slow.data.parent)
