# SPDX-License-Identifier: Apache-2.0
"""Reads below /v1/prompts: which row answers, what is kept, and what is never kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt import keys
from gitprompt.clock import now
from gitprompt.config import ServerSettings
from gitprompt.core.names import is_name
from gitprompt.server.api import hot_path
from gitprompt.server.api.hot_path import owns
from gitprompt.server.app import Sidecar, sidecar
from tests.world import SEED


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar(ServerSettings(data=str(tmp_path / "data"))) as running:
        yield running


@pytest.fixture
def key(application: Sidecar) -> str:
    context = application.context
    scopes = "read,write,admin"
    return keys.create(
        context.database,
        context.salt,
        name="t",
        workspace="default",
        scopes=scopes,
        clock=now,
        expires_in_days=None,
    )[1]


def asked(application: Sidecar, key: str, *requests: tuple[str, str, Any]) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application)
        headers = {"X-API-Key": key}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://t", headers=headers
        ) as client:
            return [
                await client.request(method, path, json=body) for method, path, body in requests
            ]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/prompts", "/v1/prompts"),
        ("/v1/prompts/", "/v1/prompts"),
        ("/v1/prompts/count", "/v1/prompts/count"),
        ("/v1/prompts/a", "/v1/prompts/{name}"),
        ("/v1/prompts/a/b/c/", "/v1/prompts/{name}"),
        ("/v1/prompts/versions", "/v1/prompts/{name}"),
        ("/v1/prompts/versions/versions", "/v1/prompts/{name}/versions"),
        ("/v1/prompts/a/b/labels", "/v1/prompts/{name}/labels"),
        ("/v1/prompts/a/labels/x", "/v1/prompts/{name}/labels/{label}"),
        ("/v1/prompts/a/labels/x/history", "/v1/prompts/{name}/labels/{label}/history"),
        ("/v1/prompts/a/labels/x/versions", "/v1/prompts/other"),
        ("/v1/prompts/a/versions/1.0.0", "/v1/prompts/other"),
        ("/v1/prompts/a/labelsx", "/v1/prompts/{name}"),
    ],
)
def test_a_path_has_the_row_that_documents_it(
    application: Sidecar, path: str, template: str
) -> None:
    assert owns(path)
    assert application.reads.template(path) == template


def test_what_only_begins_alike_is_not_ours() -> None:
    assert not owns("/v1/promptsx")
    assert not owns("/v1/prompt")


def test_every_valid_name_is_one_name_in_a_path(application: Sidecar) -> None:
    for name in ("a", "team/a", "label/a", "a.b-c_d", "versionsx/diffs"):
        assert is_name(name)
        assert application.reads.template(f"/v1/prompts/{name}") == "/v1/prompts/{name}"


def test_an_answer_is_kept_until_the_index_changes(application: Sidecar, key: str) -> None:
    one = "/v1/prompts/welcome?variables[name]=Ada"
    label = {"name": "production", "version_tag": "1.0.0"}
    published, first, again, labelled, after = asked(
        application, key, ("POST", "/v1/prompts", SEED), ("GET", one, None), ("GET", one, None),
        ("POST", "/v1/prompts/welcome/labels", label), ("GET", one + "&label=production", None),
    )  # fmt: skip
    assert (published.status_code, labelled.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert after.json()["content"] == first.json()["content"]


def test_statistics_are_never_kept(application: Sidecar, key: str) -> None:
    log = {"prompt_name": "welcome", "version_tag": "1.0.0", "status": "ok"}
    path = "/v1/prompts/welcome/versions?stats=true"
    _, before, _, after = asked(
        application, key, ("POST", "/v1/prompts", SEED), ("GET", path, None),
        ("POST", "/v1/logs", log), ("GET", path, None),
    )  # fmt: skip
    assert before.json()["items"][0]["stats"] is None
    assert after.json()["items"][0]["stats"]["calls"] == 1


def test_what_is_kept_is_bounded(
    application: Sidecar, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_path, "_MAX_ANSWERS", 3)
    requests = [("GET", f"/v1/prompts?q={number}", None) for number in range(9)]
    answers = asked(application, key, *requests, *requests)
    assert {answer.status_code for answer in answers} == {200}
    assert len(application.reads._kept.answers) == 3


def test_a_method_that_no_row_has_is_told_which_are_there(application: Sidecar, key: str) -> None:
    (answer,) = asked(application, key, ("PATCH", "/v1/prompts/welcome/labels/x", {}))
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")
