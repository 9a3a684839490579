# SPDX-License-Identifier: Apache-2.0
"""The composition root: what must be right before anything is made, and what answers a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt import hosting, keys
from gitprompt.clock import now
from gitprompt.config import ServerSettings
from gitprompt.errors import GitpromptError, SetupError
from gitprompt.hosting import Hosting
from gitprompt.server.app import Sidecar, sidecar
from tests.metrics.recorded import told
from tests.world import WELCOME, Clone

HTTP = "http_request_duration_seconds_count"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """Shared by those who only ask."""
    data = tmp_path_factory.mktemp("app") / "data"
    with sidecar(ServerSettings(data=str(data))) as running:
        yield running


@pytest.fixture
def hosted(data: Path, published: Clone) -> Clone:
    """The repository of the default workspace with welcome 1.0.0, before any server runs."""
    repository = Clone(Path(Hosting(str(data)).create("default").git_dir))
    refspecs = ("+main:refs/heads/main", "refs/tags/*:refs/tags/*")
    repository.git("fetch", "-q", str(published.path), *refspecs)
    return repository


def key_of(application: Sidecar) -> str:
    context = application.context
    return keys.create(
        context.database, context.salt, name="t", workspace="default", scopes="read,write,admin",
        clock=now, expires_in_days=None,
    )[1]  # fmt: skip


def asked(
    application: Callable[..., Any], path: str, method: str = "GET", *, at: str = "http://t",
    **headers: str,
) -> httpx.Response:  # fmt: skip
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url=at) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"driver": "ftp"}, "there is no driver 'ftp'"),
        ({"trusted_proxies": "10.0.0.0/33"}, "10.0.0.0/33"),
        ({"metrics_caps": "tool=0"}, "between 1 and"),
        ({"prices": "/nowhere/prices.yaml"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    data: Path, settings: dict[str, Any], says: str
) -> None:
    with (
        pytest.raises(GitpromptError, match=says),
        sidecar(ServerSettings(data=str(data), **settings)),
    ):
        raise AssertionError("it serves")
    assert not data.exists()


def test_a_restore_that_was_cut_short_is_not_served_and_holds_nothing(data: Path) -> None:
    data.mkdir()
    (data / "restoring").touch()
    for _ in range(2):  # the second time it is told the same, not that somebody holds the folder
        with (
            pytest.raises(SetupError, match="cut short") as caught,
            sidecar(ServerSettings(data=str(data))),
        ):
            raise AssertionError("it serves")
        assert "gitprompt restore" in caught.value.hint
    assert not (data / "telemetry.db").exists()


def test_a_folder_that_is_no_repository_leaves_the_data_free(data: Path, tmp_path: Path) -> None:
    settings = ServerSettings(data=str(data), repo=str(tmp_path / "nothing"))
    with pytest.raises(SetupError, match="is not a directory"), sidecar(settings):
        raise AssertionError("it serves")
    with hosting.hold(str(data), "whoever is next"):
        assert not (data / "repos").exists()


def test_a_repository_in_place_is_served_where_it_stands(data: Path, published: Clone) -> None:
    with sidecar(ServerSettings(data=str(data), repo=str(published.path))) as running:
        assert running.context.index.count_versions("default") == 1
    assert not (data / "repos").exists()


def test_at_the_start_a_broken_workspace_keeps_no_other_from_being_in_sync(
    hosted: Clone, data: Path
) -> None:
    (data / "repos" / "broken.git").mkdir()
    with sidecar(ServerSettings(data=str(data))) as running:
        workspaces = running.context.workspaces
        assert workspaces.names == ["broken", "default"]
        assert (workspaces.state("broken").last_error or "") != ""
        assert running.context.index.count_versions("default") == 1


def test_what_a_killed_process_left_is_removed_and_told(
    hosted: Clone, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = hosted.path / "refs" / "heads" / "main.lock"
    lock.touch()
    with caplog.at_level(logging.WARNING), sidecar(ServerSettings(data=str(data))):
        assert not lock.exists()
    assert "removed what a killed process left" in caplog.text


def test_an_unknown_route_is_told_in_the_envelope_with_its_request(application: Sidecar) -> None:
    for path in ("/nothing", "/v1", "/v1/nothing", "/v1/labels//", "/webhooks/github/more"):
        answer = asked(application, path, **{"X-Request-Id": "mine-1"})
        assert answer.status_code == 404, path
        assert answer.json() == {
            "error": "Route not found", "code": "NOT_FOUND", "requestId": "mine-1",
        }  # fmt: skip
        assert answer.headers["x-request-id"] == "mine-1"


def test_every_answer_has_a_request_id_and_a_bad_one_is_not_repeated(
    application: Sidecar,
) -> None:
    ids = [
        asked(application, path, **{"X-Request-Id": "no id"}).headers["x-request-id"]
        for path in ("/health", "/nothing", "/v1/prompts", "/git/x", "/v1/logs")
    ]
    assert "no id" not in ids
    assert len(set(ids)) == len(ids)


def test_a_fault_of_ours_is_logged_whole_and_told_in_two_words(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sidecar(ServerSettings(data=str(data))) as running, caplog.at_level(logging.ERROR):
        headers = {"X-API-Key": key_of(running), "X-Request-Id": "r-1"}
        running.context.index.close()
        answer = asked(running, "/v1/prompts", **headers)
        assert asked(running, "/health").status_code == 200
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "Internal error", "code": "INTERNAL_ERROR", "requestId": "r-1"},
    )
    (record,) = caplog.records
    assert record.exc_info


def test_the_socket_of_the_folder_takes_no_key_and_no_other_route(application: Sidecar) -> None:
    key = {"X-API-Key": key_of(application)}
    assert asked(application, "/v1/sync", **key).status_code == 200
    refused = asked(application.locally, "/v1/sync", **key)
    assert (refused.status_code, refused.json()["error"]) == (401, "Invalid local token")
    assert asked(application.locally, "/health").status_code == 200
    for path in ("/v1/prompts", "/v1/sync/", "/metrics", "/git/default.git/info/refs"):
        assert asked(application.locally, path, **key).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/v1/prompts/a/b", ("GET", "/v1/prompts/{name}", "401")),
        ("GET", "/v1/prompts/a/labels/x", ("GET", "/v1/prompts/{name}/labels/{label}", "401")),
        ("POST", "/v1/prompts/a/render", ("POST", "/v1/prompts/{name}/render", "401")),
        ("DELETE", "/v1/traces/x", ("DELETE", "/v1/traces/{trace_id}", "401")),
        ("GET", "/git/a.git/x", ("GET", "/git/other", "404")),
        ("BREW", "/nowhere", ("other", "other", "404")),
    ],
)
def test_a_request_is_counted_under_its_template(
    application: Sidecar, method: str, path: str, counted: tuple[str, str, str]
) -> None:
    labels = dict(zip(("method", "route", "status"), counted, strict=True))
    before = told(application.context.metrics).total(HTTP, **labels)
    asked(application, path, method)
    assert told(application.context.metrics).total(HTTP, **labels) == before + 1


def test_metrics_with_an_address_of_their_own_are_there_alone(data: Path) -> None:
    """The same port at another host is another address."""
    settings = ServerSettings(data=str(data), metrics_addr="127.0.0.2:3000")
    with sidecar(settings) as running:
        apart, beside = "http://127.0.0.2:3000", "http://127.0.0.1:3000"
        paths = ("/metrics", "/health", "/docs", "/v1/prompts", "/git/x")
        statuses = [asked(running, path, at=apart).status_code for path in paths]
        assert statuses == [200, 200, 404, 404, 404]
        statuses = [asked(running, path, at=beside).status_code for path in paths]
        assert statuses == [404, 200, 200, 401, 404]


def test_what_is_not_http_is_not_answered(application: Sidecar) -> None:
    async def receive() -> Any:
        raise AssertionError("it is read")

    async def send(message: Any) -> None:
        raise AssertionError("it is answered")

    for entrance in (application, application.locally):
        scope = {"type": "websocket", "path": "/v1/prompts", "headers": []}
        asyncio.run(entrance(scope, receive, send))


def test_while_it_lives_it_notices_what_plain_git_does(
    hosted: Clone, data: Path, published: Clone
) -> None:
    published.commit("Change", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    sent: list[str] = []

    async def story(running: Sidecar) -> None:
        messages: asyncio.Queue[Any] = asyncio.Queue()

        async def send(message: Any) -> None:
            sent.append(message["type"])

        life = asyncio.create_task(running({"type": "lifespan"}, messages.get, send))
        await messages.put({"type": "lifespan.startup"})
        hosted.git("fetch", "-q", str(published.path), "refs/tags/*:refs/tags/*")
        while running.context.index.count_versions("default") < 2:
            await asyncio.sleep(0.01)
        await messages.put({"type": "lifespan.shutdown"})
        await life

    with sidecar(ServerSettings(data=str(data), poll_seconds=0.01)) as running:
        asyncio.run(asyncio.wait_for(story(running), 10))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
