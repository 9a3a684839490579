# SPDX-License-Identifier: Apache-2.0
"""Webhooks: who may poke, what counts as a poke, and that nothing else is taken from one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt.config import ServerSettings
from gitprompt.server.app import Sidecar, sidecar
from tests.world import Clone

SECRETS = ServerSettings(
    github_webhook_secret="old, new ,,",
    gitlab_webhook_secret="gitlab-secret",
    bitbucket_webhook_secret="schlüssel",
    gitea_webhook_secret=" , ",
    generic_webhook_secret="generic-secret",
)
BODY = b'{"ref": "refs/heads/main"}'
TRIGGERED = (200, {"message": "Sync triggered"})


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """Shared: a poke changes nothing while Git does not."""
    data = tmp_path_factory.mktemp("webhooks") / "data"
    with sidecar(replace(SECRETS, data=str(data))) as running:
        yield running


def signed(secret: str, body: bytes = BODY) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def github(signature: str, event: str = "push") -> dict[str, str]:
    return {"X-Hub-Signature-256": signature, "X-GitHub-Event": event}


def sent(
    application: Sidecar,
    dialect: str,
    headers: dict[str, str],
    *,
    body: bytes = BODY,
    method: str = "POST",
) -> httpx.Response:
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            path = f"/webhooks/{dialect}"
            answer = await client.request(method, path, headers=headers, content=body)
        await pokes()
        return answer

    return asyncio.run(story())


async def pokes() -> None:
    """Wait for the syncs that were triggered."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


def answered(application: Sidecar, dialect: str, headers: dict[str, str]) -> tuple[int, Any]:
    answer = sent(application, dialect, headers)
    body = answer.json()
    return answer.status_code, body.get("error", body)


@pytest.mark.parametrize("secret", ["old", "new"])
def test_each_of_several_secrets_signs_while_one_is_rotated(
    application: Sidecar, secret: str
) -> None:
    assert answered(application, "github", github(f"sha256={signed(secret)}")) == TRIGGERED


@pytest.mark.parametrize(
    "signature",
    [
        f"sha256={signed('')}",
        f"sha256={signed('old, new ,,')}",
        f"sha256={signed('generic-secret')}",
        f"sha256={signed('new', BODY + b' ')}",
        f"sha256={signed('new').upper()}",
        signed("new"),
        "new",
    ],
)
def test_what_no_secret_has_signed_is_refused(application: Sidecar, signature: str) -> None:
    assert answered(application, "github", github(signature)) == (401, "Invalid signature")


def test_a_secret_that_is_not_ascii_signs_too(application: Sidecar) -> None:
    headers = {"X-Hub-Signature": f"sha256={signed('schlüssel')}", "X-Event-Key": "repo:push"}
    assert answered(application, "bitbucket", headers) == TRIGGERED


def test_the_header_of_one_forge_is_worth_nothing_at_another(application: Sidecar) -> None:
    headers = {"X-Gitlab-Token": "gitlab-secret", "X-Gitlab-Event": "Push Hook"}
    assert answered(application, "gitlab", headers) == TRIGGERED
    assert answered(application, "github", headers) == (401, "Missing signature")


def test_a_setting_of_commas_alone_is_no_secret(application: Sidecar) -> None:
    answer = sent(application, "gitea", {"X-Gitea-Signature": signed("")})
    assert (answer.status_code, answer.json()["error"]) == (503, "Webhook secret not configured")
    assert answer.headers["retry-after"] == "60"


def test_an_event_that_moves_no_ref_is_ignored_and_starts_no_sync(application: Sidecar) -> None:
    state = application.context.workspaces.state("default")
    before = state.seconds
    for event in ("ping", "Push", "pushed", ""):
        headers = github(f"sha256={signed('new')}", event)
        expected = {"message": "Event ignored", "event": event}
        assert answered(application, "github", headers) == (200, expected)
    assert state.seconds == before


def test_an_event_is_not_believed_before_its_signature(application: Sidecar) -> None:
    assert answered(application, "github", github("sha256=0", "ping"))[0] == 401


def test_a_sender_who_shows_no_signature_is_refused_before_a_byte_is_read(
    application: Sidecar,
) -> None:
    messages: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/github", "headers": [],
        "query_string": b"", "root_path": "", "server": ("t", 80),
    }  # fmt: skip
    asyncio.run(application(scope, receive, send))
    assert messages[0]["status"] == 401


def test_a_webhook_is_posted(application: Sidecar) -> None:
    answer = sent(application, "generic", {}, method="GET", body=b"")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_poke_syncs_every_workspace(application: Sidecar, published: Clone) -> None:
    context = application.context
    source = asyncio.run(context.workspaces.create("team"))
    hosted = Clone(Path(source.repository.git_dir))
    hosted.git("fetch", "-q", str(published.path), "refs/tags/*:refs/tags/*")
    headers = {"X-Gitprompt-Signature": f"sha256={signed('generic-secret')}"}
    assert answered(application, "generic", headers) == TRIGGERED
    assert context.index.count_versions("team") == 1


def test_the_answer_does_not_wait_for_the_sync(application: Sidecar) -> None:
    async def story() -> tuple[int, int]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            headers = {"X-Gitprompt-Signature": f"sha256={signed('generic-secret')}"}
            answer = await client.post("/webhooks/generic", headers=headers, content=BODY)
        at_work = len(asyncio.all_tasks()) - 1
        await pokes()
        return answer.status_code, at_work

    status, at_work = asyncio.run(story())
    assert status == 200
    assert at_work > 0


def test_a_body_is_hashed_as_it_comes(application: Sidecar) -> None:
    piece = b"x" * 100_000

    def told(count: int) -> tuple[int, int]:
        """The status, and the bytes that were held at most, of a body of so many pieces."""
        digest = hmac.new(b"new", digestmod=hashlib.sha256)
        for _ in range(count):
            digest.update(piece)
        scope = {
            "type": "http", "method": "POST", "path": "/webhooks/github", "raw_path": b"",
            "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
            "server": ("t", 80), "client": ("127.0.0.1", 1),
            "headers": [(b"x-hub-signature-256", f"sha256={digest.hexdigest()}".encode()),
                        (b"x-github-event", b"ping")],
        }  # fmt: skip
        left = count
        answers: list[Any] = []

        async def receive() -> dict[str, Any]:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": bytes(piece), "more_body": left > 0}

        async def send(message: Any) -> None:
            answers.append(message)

        tracemalloc.start()
        asyncio.run(application(scope, receive, send))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return answers[0]["status"], peak

    status, peak = told(200)
    assert (status, peak < 3_000_000) == (200, True)
    assert told(251)[0] == 413
