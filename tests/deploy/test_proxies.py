# SPDX-License-Identifier: Apache-2.0
"""The snippets for nginx, Caddy and Traefik: TLS, below a path, with what a service sends and what git does."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.proxies import HOST, KINDS, Proxy, is_there, proxy
from tests.pages import blocks
from tests.world import Clone, Server, run

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(300)]

LARGE = 100_000_000  # bytes
SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat",
    "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
}  # fmt: skip


class Proxied(NamedTuple):
    server: Server
    proxy: Proxy
    folder: Path

    @property
    def key(self) -> dict[str, str]:
        return {"X-API-Key": self.server.key()}

    @property
    def remote(self) -> str:
        return f"https://x:{self.server.key()}@{HOST}:{self.proxy.port}/gitprompt/git/default.git"


@pytest.fixture(scope="module", params=KINDS)
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    kind = request.param
    if not is_there(kind):
        pytest.skip(f"{kind} is not installed: .ci/run says how it is")
    folder = tmp_path_factory.mktemp(kind)
    (command,) = blocks("docs/deploy.md", "sh serve")
    server = Server(folder / "data", *command.split()[2:]).start()
    try:
        with proxy(kind, folder / "proxy", server.url) as front:
            yield Proxied(server, front, folder)
    finally:
        server.stop()


def test_the_page_of_the_api_and_all_that_it_loads(proxied: Proxied) -> None:
    page = proxied.proxy.request("/docs").text
    places = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(places) == 3
    for place in places:
        assert proxied.proxy.request(f"/{place}").status_code == 200, place
    assert proxied.proxy.request("/openapi.json").json()["openapi"].startswith("3.1")
    assert proxied.proxy.request("/").json()["name"] == "gitprompt"
    assert proxied.proxy.request("x/docs").status_code == 404, "another path is not ours"


def test_metrics_are_for_who_has_a_key_whatever_a_client_says(proxied: Proxied) -> None:
    assert proxied.proxy.request("/metrics").status_code == 401
    forged = {"X-Forwarded-Prefix": "/zz"}
    assert proxied.proxy.request("/zz/metrics", headers=forged).status_code == 404


def test_a_push_of_100_mb_and_a_clone_of_it(proxied: Proxied) -> None:
    folder = proxied.folder / "large"
    folder.mkdir()
    run("git", "init", "-q", "-b", "main", cwd=folder)
    work = Clone(folder)
    content = os.urandom(LARGE)
    (folder / "recording.bin").write_bytes(content)
    work.git("add", ".")
    work.git("commit", "-q", "-m", "Add a recording")
    work.git(*proxied.proxy.git, "push", "-q", proxied.remote, "main")
    run("git", *proxied.proxy.git, "clone", "-q", proxied.remote, "again", cwd=proxied.folder)
    assert (proxied.folder / "again" / "recording.bin").read_bytes() == content


def test_nginx_writes_nothing_of_a_push_or_a_clone_to_its_disk(proxied: Proxied) -> None:
    """It warns of each body that it does."""
    log = proxied.folder / "proxy" / "error.log"
    if log.exists():  # of nginx alone; the others have no such files
        assert proxied.proxy.request("/health").status_code == 200
        assert "buffered to a temporary file" not in log.read_text()


def test_what_the_server_says_of_a_push_reaches_its_author(proxied: Proxied) -> None:
    folder = proxied.folder / "wrong"
    run("git", *proxied.proxy.git, "clone", "-q", proxied.remote, str(folder), cwd=proxied.folder)
    work = Clone(folder)
    work.commit("Bad", bad="messages: 1\n")
    assert "prompts/bad.yaml:1:11" in work.refusal(*proxied.proxy.git, "push", "origin", "main")


def test_an_export_of_spans(proxied: Proxied) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
    answer = proxied.proxy.request(
        "/otlp/v1/traces", "POST", content=gzip.compress(json.dumps(body).encode()),
        headers={**proxied.key, "Content-Type": "application/json", "Content-Encoding": "gzip"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()) == (200, {"partialSuccess": {}})
    traces = proxied.proxy.request("/v1/traces", headers=proxied.key).json()["items"]
    assert [trace["trace_id"] for trace in traces] == [SPAN["traceId"]]


def test_the_audit_has_the_address_of_the_client(proxied: Proxied) -> None:
    prompt = {"name": "hi", "version": "1.0.0", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {**proxied.key, "X-Forwarded-For": "198.51.100.7"}
    answer = proxied.proxy.request("/v1/prompts", "POST", json=prompt, headers=headers)
    assert answer.status_code == 201, answer.text
    audit = proxied.proxy.request("/v1/audit-logs?limit=1", headers=proxied.key).json()["items"]
    assert audit[0]["ip_address"] == "127.0.0.2", "what a client says of itself is not believed"
