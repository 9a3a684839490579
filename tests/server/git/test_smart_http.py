# SPDX-License-Identifier: Apache-2.0
"""Git over HTTP, request by request: who may ask, what is started, and when it is answered."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt import keys
from gitprompt.clock import now
from gitprompt.config import ServerSettings
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.server.git.smart_http import template
from tests.server.client import fresh
from tests.server.git.requests import packet, push_of
from tests.world import Clone

TAG = "refs/tags/prompts/welcome/1.0.0"
LIMIT = 100_000


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """Shared: each test has a workspace of its own."""
    data = tmp_path_factory.mktemp("git") / "data"
    with sidecar(ServerSettings(data=str(data), max_push_bytes=LIMIT)) as running:
        yield running


@pytest.fixture
def space() -> str:
    return fresh("space")


def key_of(application: Sidecar, scopes: str = "read,write", workspace: str = keys.MASTER) -> str:
    context = application.context
    return keys.create(
        context.database, context.salt, name="ci", workspace=workspace, scopes=scopes, clock=now,
        expires_in_days=None,
    )[1]  # fmt: skip


def asked(
    application: Sidecar,
    method: str,
    path: str,
    *,
    key: str | None = "",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """`key` None sends none, '' one of all workspaces that may write."""
    sent = dict(headers or {})
    if key is not None:
        sent["Authorization"] = f"Bearer {key or key_of(application)}"

    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            return await client.request(method, f"/git/{path}", content=body, headers=sent)

    return asyncio.run(story())


def pushed(application: Sidecar, space: str, body: bytes, **options: Any) -> httpx.Response:
    headers = {"Content-Type": "application/x-git-receive-pack-request"}
    headers |= options.pop("headers", {})
    path = f"{space}.git/git-receive-pack"
    return asked(application, "POST", path, body=body, headers=headers, **options)


def repository_of(application: Sidecar, space: str) -> Path:
    return Path(application.context.settings.data) / "repos" / f"{space}.git"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/git/default.git/info/refs", "/git/{workspace}.git/info/refs"),
        ("/git/A-b_9.git/git-upload-pack", "/git/{workspace}.git/git-upload-pack"),
        ("/git/default.git/git-receive-pack", "/git/{workspace}.git/git-receive-pack"),
        ("/git/default.git/git-upload-archive", "/git/other"),
        ("/git/default.git/info/refs/", "/git/other"),
        ("/git/default.git/info/refs\n", "/git/other"),
        ("/git/../x.git/info/refs", "/git/other"),
        ("/git/a/b.git/info/refs", "/git/other"),
        (f"/git/{'x' * 129}.git/info/refs", "/git/other"),
        ("/git/default/info/refs", "/git/other"),
    ],
)
def test_the_route_of_a_path_is_without_its_workspace(path: str, route: str) -> None:
    assert template(path) == route


def test_a_push_is_served_when_it_is_answered(
    application: Sidecar, space: str, published: Clone
) -> None:
    answer = pushed(application, space, push_of(published, TAG))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-git-receive-pack-result"
    assert b"unpack ok" in answer.content
    assert f"ok {TAG}".encode() in answer.content
    assert application.context.catalog.find(space, "welcome").version.version == "1.0.0"


def test_what_is_refused_names_its_ref_and_serves_nothing(
    application: Sidecar, space: str, published: Clone
) -> None:
    published.commit("Break", broken="messages: 3\n")
    published.tag("broken", "1.0.0")
    body = push_of(published, TAG, "refs/tags/prompts/broken/1.0.0")
    answer = pushed(application, space, body)
    assert f"ng {TAG} pre-receive hook declined".encode() in answer.content
    assert application.context.index.count_versions(space) == 0


def test_a_body_that_git_has_compressed_is_unpacked(
    application: Sidecar, space: str, published: Clone
) -> None:
    body = gzip.compress(push_of(published, TAG))
    answer = pushed(application, space, body, headers={"Content-Encoding": "x-gzip"})
    assert f"ok {TAG}".encode() in answer.content


@pytest.mark.parametrize("compressed", [False, True])
def test_a_push_larger_than_the_limit_is_refused_however_small_it_was_sent(
    application: Sidecar, space: str, compressed: bool
) -> None:
    body, headers = b"\0" * (LIMIT + 1), {"Content-Encoding": "gzip" if compressed else "identity"}
    sent = gzip.compress(body) if compressed else body
    answer = pushed(application, space, sent, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_the_first_push_makes_a_workspace_and_asking_to_fetch_does_not(
    application: Sidecar, space: str
) -> None:
    reader = key_of(application, scopes="read")
    path = f"{space}.git/info/refs?service=git-upload-pack"
    refused = asked(application, "GET", path, key=reader)
    assert (refused.status_code, refused.json()["error"]) == (404, f"Workspace {space} not found")
    assert not repository_of(application, space).exists()
    for service in ("git-receive-pack", "git-upload-pack"):
        answer = asked(application, "GET", f"{space}.git/info/refs?service={service}")
        assert (answer.status_code, b"refs/" in answer.content) == (200, False)
        assert not repository_of(application, space).exists()
    pushed(application, space, b"0000")
    assert repository_of(application, space).is_dir()


def test_refs_are_advertised_with_their_service_and_not_to_be_cached(
    application: Sidecar, space: str, published: Clone
) -> None:
    pushed(application, space, push_of(published, TAG))
    path = f"{space}.git/info/refs?service=git-upload-pack"
    answer = asked(application, "GET", path, headers={"X-Request-Id": "mine-1"})
    assert answer.content.startswith(packet("# service=git-upload-pack\n") + b"0000")
    assert TAG.encode() in answer.content
    assert b"refs/gitprompt" not in answer.content
    assert answer.headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert answer.headers["cache-control"].startswith("no-cache")
    assert answer.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    ("protocol", "begins"),
    [
        ("version=2", packet("version 2\n")),
        ("version=2:evil", packet("# service=git-upload-pack\n")),
        ("version=9", packet("# service=git-upload-pack\n")),
    ],
)
def test_only_a_protocol_that_git_knows_reaches_it(
    application: Sidecar, protocol: str, begins: bytes
) -> None:
    path = "default.git/info/refs?service=git-upload-pack"
    answer = asked(application, "GET", path, headers={"Git-Protocol": protocol})
    assert answer.content.startswith(begins)
    assert (b"version 2" in answer.content) == (protocol == "version=2")


def test_git_is_asked_for_a_password_where_there_is_no_key(application: Sidecar) -> None:
    path = "default.git/info/refs?service=git-upload-pack"
    answer = asked(application, "GET", path, key=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="gitprompt')
    basic = b64encode(f"anybody:{key_of(application)}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    assert asked(application, "GET", path, key=None, headers=headers).status_code == 200


def test_the_workspace_of_the_path_counts_more_than_the_header(
    application: Sidecar, space: str
) -> None:
    own = key_of(application, workspace=space)
    path, headers = "info/refs?service=git-receive-pack", {"X-Workspace-Id": space}
    refused = asked(application, "GET", f"default.git/{path}", key=own, headers=headers)
    assert refused.status_code == 401
    headers = {"X-Workspace-Id": "default"}
    taken = asked(application, "GET", f"{space}.git/{path}", key=own, headers=headers)
    assert taken.status_code == 200


def test_a_key_that_only_reads_makes_no_workspace(
    application: Sidecar, space: str, published: Clone
) -> None:
    reader = key_of(application, "read")
    refused = pushed(application, space, push_of(published, TAG), key=reader)
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert not repository_of(application, space).exists()


def test_an_empty_question_is_answered_in_good_order(application: Sidecar, space: str) -> None:
    """Git sends it to learn whether a large push would be taken."""
    answer = pushed(application, space, b"0000")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_client_that_goes_away_leaves_nothing(
    application: Sidecar, space: str, published: Clone
) -> None:
    body = push_of(published, TAG)
    messages = [
        {"type": "http.request", "body": body[:-30], "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {
        "type": "http", "method": "POST", "path": f"/git/{space}.git/git-receive-pack",
        "query_string": b"", "server": ("t", 80), "client": None,
        "headers": [
            (b"authorization", f"Bearer {key_of(application)}".encode()),
            (b"content-type", b"application/x-git-receive-pack-request"),
        ],
    }  # fmt: skip

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        """Nobody listens any more."""

    asyncio.run(asyncio.wait_for(application(scope, receive, send), 10))
    assert messages == []
    hosted = Clone(repository_of(application, space))
    assert hosted.git("for-each-ref") == ""
    assert hosted.git("count-objects").startswith("0 objects")
