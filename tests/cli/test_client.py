# SPDX-License-Identifier: Apache-2.0
"""The small client: what a server's answers become, whichever server it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.cli.client import Client, ServerRefused, path_of
from gitprompt.errors import SetupError, UsageError
from tests.server.client import fresh
from tests.world import Server

KEY = "pm_" + "a" * 64


@pytest.fixture(scope="module")
def ours(server: Server) -> Iterator[Client]:
    with Client(server.url + "/", server.key()) as client:
        yield client


class Stranger(BaseHTTPRequestHandler):
    """A server that is not ours: each path has one answer."""

    answers: ClassVar[dict[str, tuple[int, str]]] = {
        "/page": (200, "<html>Welcome</html>"),
        "/empty": (200, ""),
        "/gateway": (502, "<html>Bad gateway</html>"),
        "/list": (500, "[1, 2]"),
        "/details": (422, json.dumps({"error": "no", "details": ["x"], "hint": 7})),
        "/steering": (400, json.dumps({"error": "a\x1b[2J\nb", "hint": "c\u202ed"})),
        "/fields": (422, json.dumps({"error": "no", "details": {"fields": ["a\x07", 3]}})),
        "/moved": (302, ""),
    }
    seen: ClassVar[list[tuple[str, str | None, str | None]]] = []

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        headers = self.headers
        self.seen.append((self.path, headers.get("X-API-Key"), headers.get("X-Workspace-Id")))
        status, body = self.answers[self.path]
        self.send_response(status)
        self.send_header("Location", "/page")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture(scope="module")
def stranger() -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with Client(f"http://127.0.0.1:{server.server_port}", KEY, workspace="team") as client:
        yield client
    server.shutdown()
    server.server_close()
    thread.join()


def refused(client: Client, path: str) -> tuple[int, str, str]:
    """Status, message and hint of a request that must fail."""
    with pytest.raises(ServerRefused) as caught:
        client.get(path)
    message = caught.value.message.removeprefix(f"{client.server}{path}").removeprefix(": ")
    return caught.value.answered, message, caught.value.hint


def test_a_refusal_has_the_status_and_the_words_of_the_server(ours: Client) -> None:
    assert refused(ours, "/v1/prompts/missing")[:2] == (404, "404 Prompt not found")
    with pytest.raises(ServerRefused, match="422 Validation failed") as caught:
        ours.post("/v1/logs", {"prompt_name": 1, "version_tag": 2})
    fields = caught.value.hint.split("\n  ")
    assert sorted(field.partition(":")[0] for field in fields) == ["prompt_name", "version_tag"]


def test_an_answer_without_a_body_is_none(ours: Client) -> None:
    trace_id = ours.post("/v1/traces", {})["trace_id"]
    assert ours.send("DELETE", f"/v1/traces/{trace_id}") is None
    assert refused(ours, f"/v1/traces/{trace_id}")[0] == 404


def test_a_list_is_read_to_its_last_page(ours: Client) -> None:
    name = fresh("paged")
    ids = [ours.post("/v1/traces", {"prompt_name": name})["trace_id"] for _ in range(101)]
    assert [row["trace_id"] for row in ours.everything("/v1/traces", prompt_name=name)] == ids[::-1]


def test_a_probe_refuses_an_unknown_key_and_takes_one_that_may_not_read(server: Server) -> None:
    with pytest.raises(ServerRefused) as caught:
        Client(server.url, KEY).probe()
    assert (caught.value.answered, KEY in str(caught.value)) == (401, False)
    writer = Client(server.url, server.key("write"))
    assert refused(writer, "/v1/prompts")[0] == 403
    writer.probe()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/page", (0, " is not a gitprompt server", "")),
        ("/empty", (0, " is not a gitprompt server", "")),
        ("/gateway", (502, "502", "")),
        ("/list", (500, "500", "")),
        ("/details", (422, "422 no", "7")),
    ],
)
def test_an_answer_that_is_not_ours_is_an_error_and_not_a_bug(
    stranger: Client, path: str, expected: tuple[int, str, str]
) -> None:
    assert refused(stranger, path) == expected


def test_the_words_of_a_server_stay_on_their_line(stranger: Client) -> None:
    assert refused(stranger, "/steering") == (400, "400 a\\x1b[2J\\nb", "c\\u202ed")
    assert refused(stranger, "/fields") == (422, "422 no", "a\\x07\n  3")


def test_a_key_is_not_carried_to_where_a_server_points(stranger: Client) -> None:
    Stranger.seen.clear()
    assert refused(stranger, "/moved") == (0, " is not a gitprompt server", "")
    assert Stranger.seen == [("/moved", KEY, "team")]


def test_a_proxy_of_the_environment_is_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Client(server.url, server.key()).get("/v1/prompts/count") == {"count": 0}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:x", "http://"])
def test_a_server_that_is_not_there_says_so_without_the_key(url: str) -> None:
    with pytest.raises(SetupError, match=f"^{url.rstrip('/')} does not answer") as caught:
        Client(url, KEY).get("/v1/prompts")
    assert "gitprompt serve" in caught.value.hint
    assert KEY not in caught.value.message


@pytest.mark.parametrize("key", ["pm_\n", "pm_ö", "pm_\x1b", " pm_"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UsageError, match="the API key has characters") as caught:
        Client("http://localhost", key)
    assert key.strip() not in f"{caught.value.message} {caught.value.hint}"


def test_a_workspace_that_no_header_takes_is_refused() -> None:
    with pytest.raises(UsageError, match="the workspace has characters"):
        Client("http://localhost", KEY, workspace="ö")


@given(st.text(min_size=1))
def test_a_path_has_the_segments_that_were_asked_for(segment: str) -> None:
    try:
        path = path_of("v1", segment, "x")
    except UsageError:
        assert segment in (".", "..") or not segment.isprintable() or max(segment) >= "\ud800"
        return
    url = httpx.URL("http://localhost" + path)
    assert (url.query, url.fragment) == (b"", "")
    assert [unquote(part) for part in url.raw_path.decode().split("/")] == ["", "v1", segment, "x"]
