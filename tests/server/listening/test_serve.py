# SPDX-License-Identifier: Apache-2.0
"""The life of the sidecar: start, stop, kill, restart, and everything that can be in its way."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.world import WELCOME, Clone, Refused, Server, eventually, run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data").start()
    yield running
    running.stop(signal.SIGKILL)


@pytest.mark.sqlite
def test_nothing_configured_makes_everything(own: Server) -> None:
    assert own.url.startswith("http://127.0.0.1:")
    assert {p.name for p in own.data.iterdir()} >= {
        "salt",
        "repos",
        "index.db",
        "telemetry.db",
        "lock",
    }
    assert (own.data / "repos" / "default.git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    for path in own.data.rglob("*.db"):
        assert path.stat().st_mode & 0o077 == 0
    key = own.key("read")
    assert own.request("/v1/prompts", key=key).json()["items"] == []


def test_sigterm_drains_and_ends_with_0(own: Server, published: Clone) -> None:
    published.push_all(own.remote())
    begin = time.monotonic()
    assert own.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begin < 10


def test_a_push_in_flight_is_finished_at_sigterm(own: Server, published: Clone) -> None:
    published.write("big.bin", os.urandom(4 << 20))
    published.commit("Big")
    remote = own.remote()
    pushing = subprocess.Popen(
        ["git", "-C", str(published.path), "push", "-q", remote, "main", "--tags"]
    )
    eventually(
        lambda: (
            any((own.data / "repos/default.git/objects").glob("*objdir*"))
            or pushing.poll() is not None
        )
    )
    assert own.stop(signal.SIGTERM) == 0
    assert pushing.wait() == 0


def test_two_servers_on_one_folder_the_second_says_who(own: Server) -> None:
    second = Server(own.data)
    with pytest.raises(Refused, match=r"is in use by process \d+ at http://127.0.0.1") as caught:
        second.start()
    assert caught.value.code == 1


def test_a_port_in_use(own: Server, tmp_path: Path) -> None:
    port = own.url.rpartition(":")[2]
    with pytest.raises(Refused, match=f"port {port} on 127.0.0.1 is in use"):
        Server(tmp_path / "other", "--port", port).start()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "x"], "is not a int"),
        (["--port", "70000"], "not between 0 and 65535"),
        (["--driver", "ftp"], "there is no driver 'ftp'"),
        (["--workers", "4"], "only one worker"),
        (["--repo", "/nowhere"], "is not a directory"),
        (["--log-format", "xml"], "neither text nor json"),
    ],
)
def test_wrong_options(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        Server(tmp_path / "data", *options).start()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = ["serve", "--data", str(tmp_path / "file" / "data"), "--port", "0"]
    with pytest.raises(Refused, match="cannot be written"):
        run(sys.executable, "-m", "gitprompt", *command, cwd=tmp_path)


def test_kill_9_and_restart_serves_what_was_acknowledged(own: Server, published: Clone) -> None:
    """Pushes go on while the server is killed; after a restart each acknowledged one is served,
    stale locks notwithstanding."""
    remote = own.remote()
    published.push_all(remote)
    acknowledged: list[str] = []

    def push() -> None:
        for number in range(1, 200):
            version = f"1.{number}.0"
            published.tag("welcome", version)
            try:
                published.git("push", "-q", remote, f"prompts/welcome/{version}")
            except Refused:
                return
            acknowledged.append(version)

    pusher = threading.Thread(target=push)
    pusher.start()
    eventually(lambda: len(acknowledged) >= 5)
    own.stop(signal.SIGKILL)
    pusher.join()
    repository = own.data / "repos" / "default.git"
    (repository / "packed-refs.lock").write_text("")
    (repository / "refs/tags/prompts/welcome/1.0.0.lock").write_text("")
    (repository / "objects" / "tmp_objdir-incoming-xyz").mkdir()
    own.start()
    served = {
        item["version_tag"] for item in own.get("/v1/prompts/welcome/versions?limit=100")["items"]
    }
    assert served >= {"1.0.0", *acknowledged}
    assert not list(repository.rglob("*.lock"))
    published.tag("welcome", "9.0.0")
    published.git("push", "-q", own.remote(), "prompts/welcome/9.0.0")
    assert own.get("/v1/prompts/welcome/versions?limit=1")["total"] == len(served) + 1
    run("git", "fsck", "--strict", cwd=repository)


def test_the_index_may_be_deleted_at_any_time(own: Server, published: Clone) -> None:
    published.push_all(own.remote())
    before = own.get("/v1/prompts/welcome/versions")
    own.stop(signal.SIGKILL)
    for path in own.data.glob("index.db*"):
        path.unlink()
    own.start()
    assert own.get("/v1/prompts/welcome/versions") == before
    own.stop(signal.SIGKILL)
    (own.data / "index.db").write_bytes(b"damaged" * 5000)
    own.start()
    assert own.get("/v1/prompts/welcome/versions") == before


def test_it_may_be_told_to_stop_as_soon_as_it_says_that_it_serves(own: Server) -> None:
    assert [own.stop(), own.start().stop(), own.start().stop()] == [0, 0, 0]
    assert own.logged().count("stopped") == 3


@pytest.mark.sqlite
def test_a_damaged_telemetry_db_is_not_thrown_away(own: Server) -> None:
    own.key()
    own.stop()
    (own.data / "telemetry.db").write_bytes(b"damaged" * 5000)
    with pytest.raises(Refused, match=r"telemetry\.db is damaged(.|\n)*Restore it from a backup"):
        own.start()
    assert (own.data / "telemetry.db").read_bytes().startswith(b"damaged")


@pytest.mark.sqlite
def test_keys_survive_a_restart_and_need_their_salt(own: Server) -> None:
    key = own.key("read")
    own.stop()
    own.start()
    assert own.request("/v1/prompts", key=key).status_code == 200
    own.stop()
    own.env["API_KEY_SALT"] = "another salt of some length"
    with pytest.raises(Refused, match="this salt is not the one with which the API keys"):
        own.start()
    del own.env["API_KEY_SALT"]
    own.start()
    assert own.request("/v1/prompts", key=key).status_code == 200


def test_logs_are_json_when_asked_and_never_carry_keys(tmp_path: Path, published: Clone) -> None:
    options = ("--log-format", "json", "--log-level", "debug", "--log-requests", "all")
    server = Server(tmp_path / "data", *options).start()
    try:
        published.push_all(server.remote())
        server.request("/v1/prompts/welcome?variables[name]=%0Ainjected")
        eventually(lambda: '"path": "/v1/prompts/welcome"' in server.logged())
        lines = [json.loads(line) for line in server.logged().splitlines()]
        assert any(line["message"] == "synced" and line["versions"] == 1 for line in lines)
        assert server.key() not in server.logged()
    finally:
        server.stop()


# In place


@pytest.fixture
def in_place(published: Clone, tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data", "--repo", str(published.path)).start()
    yield running
    running.stop()


def test_what_plain_git_does_is_noticed_within_a_second(in_place: Server, published: Clone) -> None:
    assert in_place.text("/v1/prompts/welcome?variables[name]=x") == "Hello x!"
    config = (published.path / ".git" / "config").read_bytes()
    published.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    begin = time.monotonic()
    eventually(lambda: in_place.text("/v1/prompts/welcome?variables[name]=x") == "Hi x!")
    assert time.monotonic() - begin < 3
    published.git("update-ref", "refs/labels/welcome@production", "prompts/welcome/1.0.0^{}")
    assert in_place.request("/v1/sync", method="POST").status_code == 200
    assert in_place.text("/v1/prompts/welcome?label=production&variables[name]=x") == "Hello x!"
    assert (published.path / ".git" / "config").read_bytes() == config
    assert not (published.path / ".git" / "hooks" / "pre-receive").exists()
    assert "refs/gitprompt" not in published.git("for-each-ref")


def test_pushes_to_a_repository_in_place(
    in_place: Server, published: Clone, tmp_path: Path
) -> None:
    run("git", "clone", "-q", in_place.remote(), "other", cwd=tmp_path)
    other = Clone(tmp_path / "other")
    other.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    other.tag("welcome", "1.1.0")
    assert "refusing to update checked out branch" in other.refusal("push", "origin", "main")
    other.git("push", "origin", "prompts/welcome/1.1.0")
    assert in_place.text("/v1/prompts/welcome?variables[name]=x") == "Hi x!"
    other.git("tag", "-a", "-m", "x", "prompts/none/1.0.0")
    assert "has no prompts/none.yaml" in other.refusal("push", "origin", "prompts/none/1.0.0")


def test_hooks_of_a_repository_in_place_go_on_running(
    in_place: Server, published: Clone, tmp_path: Path
) -> None:
    hook = published.path / ".git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho mine says no >&2\nexit 1\n")
    hook.chmod(0o755)
    run("git", "clone", "-q", in_place.remote(), "other", cwd=tmp_path)
    other = Clone(tmp_path / "other")
    other.tag("welcome", "1.1.0")
    assert "mine says no" in other.refusal("push", "origin", "prompts/welcome/1.1.0")
    hook.unlink()
    other.git("push", "origin", "prompts/welcome/1.1.0")


def test_a_repository_that_becomes_unreadable_degrades_and_recovers(
    in_place: Server, published: Clone
) -> None:
    git_dir = published.path / ".git"
    head = (git_dir / "HEAD").read_text()
    (git_dir / "HEAD").write_text("rubbish")
    eventually(lambda: in_place.request("/health/deep", key=None).status_code == 503)
    assert in_place.text("/v1/prompts/welcome?variables[name]=x") == "Hello x!"
    (git_dir / "HEAD").write_text(head)
    eventually(lambda: in_place.request("/health/deep", key=None).status_code == 200)


# Bounds


def test_an_idle_server_is_small(own: Server) -> None:
    assert own.process is not None
    own.request("/v1/prompts")
    assert psutil.Process(own.process.pid).memory_info().rss < 80e6


def test_hostile_requests_do_not_stop_the_server(own: Server) -> None:
    host, port = own.url.removeprefix("http://").split(":")
    for raw in (
        b"GET / HTTP/1.1\r\n",
        b"\0" * 1000,
        b"GET /v1/prompts/%F0%28%8C%28 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/prompts?" + b"a=b&" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz",
        b"GET /v1/prompts HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xfe\r\n\r\n",
        b"GET /v1/prompts HTTP/1.1\r\nHost: x\r\nX-Workspace-Id: \xff\r\nX-API-Key: a\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            try:
                answer = connection.recv(4096)
            except (ConnectionResetError, TimeoutError):
                answer = b""
            assert b" 500 " not in answer.partition(b"\r\n")[0], raw
    assert own.request("/health", key=None).status_code == 200
    assert "internal error" not in own.logged()


def test_a_query_of_too_many_parameters_is_a_400(own: Server) -> None:
    response = own.request("/v1/prompts?" + "a=b&" * 1100)
    assert (response.status_code, response.json()["code"]) == (400, "BAD_REQUEST")


def spoken(server: Server, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of what a server answers to raw bytes before it closes."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.lower(), body


def test_http_1_0_has_no_chunks_and_ends_with_the_connection(own: Server) -> None:
    head, body = spoken(own, b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body.startswith(b"# HELP")
    assert body.endswith(b"\n")
    head, body = spoken(own, b"GET /health HTTP/1.0\r\n\r\n")
    assert len(body) == int(head.split(b"content-length: ")[1].split()[0])
    head, body = spoken(own, b"HEAD /health HTTP/1.0\r\n\r\n")
    assert (head.split(b"\r\n")[0], body) == (b"http/1.1 200 ok", b"")
    key = base64.b64encode(f"x:{own.key()}".encode())
    head, body = spoken(own, b"GET /git/default.git/info/refs?service=git-upload-pack HTTP/1.0\r\n"
                             b"Authorization: Basic " + key + b"\r\n\r\n")  # fmt: skip
    assert b"chunked" not in head
    assert body.startswith(b"001e# service=git-upload-pack")


def test_what_is_no_http_is_refused_in_our_envelope(own: Server) -> None:
    head, body = spoken(own, b"nonsense\r\n\r\n")
    assert head.startswith(b"http/1.1 400")
    error = json.loads(body)
    assert (error["code"], bool(error["requestId"])) == ("BAD_REQUEST", True)
    assert len(body) == int(head.split(b"content-length: ")[1].split()[0])


def test_it_serves_below_a_path_whether_or_not_a_proxy_takes_it_off(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--root-path", "/tools/gitprompt/").start()
    try:
        for prefix in ("", "/tools/gitprompt"):
            assert server.request(f"{prefix}/health", key=None).status_code == 200
            assert server.request(f"{prefix}/v1/prompts", key=server.key()).status_code == 200
            page = server.request(f"{prefix}/docs", key=None).text
            assert 'src="docs/start.js"' in page
        assert server.request("/tools/gitpromptx/health", key=None).status_code == 404
        run(
            "git",
            "ls-remote",
            server.remote().replace("/git/", "/tools/gitprompt/git/"),
            cwd=tmp_path,
        )
    finally:
        server.stop()


def requests_of(server: Server) -> list[dict[str, Any]]:
    lines = map(json.loads, server.logged().splitlines())
    return [line for line in lines if line["message"] == "request"]


def test_what_changes_something_or_is_refused_is_logged_with_who_asked(
    tmp_path: Path, published: Clone
) -> None:
    server = Server(tmp_path / "data", "--log-format", "json").start()
    try:
        published.push_all(server.remote())
        key, headers = server.key(), {"Content-Type": "application/json", "X-Request-Id": "mine"}
        server.request("/v1/prompts", key=key)
        server.request("/v1/metrics", method="POST", key=key, headers=headers, content=b'{"name": "a", "value": 1}')  # fmt: skip
        server.request("/v1/prompts/a%0Ab", key=key)
        server.request("/v1/prompts/welcome/labels/x", method="PUT", key=key, headers=headers,
                       content=b'{"version_tag": "1.0.0"}')  # fmt: skip

        def told() -> list[Any]:
            return [line for line in requests_of(server) if line["status"] != 401]

        eventually(lambda: len(told()) >= 3)  # a line is written after its answer
        push, refused, label = told()
        assert (push["path"], push["status"]) == ("/git/default.git/git-receive-pack", 200)
        assert (refused["path"], refused["status"]) == ("/v1/prompts/a\nb", 404)
        assert (label["method"], label["key"], label["request_id"]) == ("PUT", "key", "mine")
        assert label["bytes"] > 0
        assert label["ms"] > 0
    finally:
        server.stop()


def test_a_line_of_a_log_is_one_line_whatever_was_asked(own: Server) -> None:
    own.request("/v1/prompts/a%0Aforged%1B[2J", key=own.key())
    eventually(lambda: "forged" in own.logged())
    (line,) = [line for line in own.logged().splitlines() if "forged" in line]
    assert "request" in line
    assert "\x1b" not in line
