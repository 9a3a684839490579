# SPDX-License-Identifier: Apache-2.0
"""DRIVER=github: repositories at a forge, one for each workspace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt import drivers
from gitprompt.config import server_settings
from gitprompt.drivers.github import Github
from gitprompt.errors import NotFound, SetupError
from tests.drivers.three_nodes import document, send, survive
from tests.forge import Forge
from tests.world import WELCOME, Clone, Refused, Server, eventually, run

TOKEN = "ghp_s3cret"


def made(**env: str) -> Github:
    driver = drivers.make(server_settings({}, {"DRIVER": "github", **env}))
    assert isinstance(driver, Github)
    return driver


@pytest.mark.parametrize(
    ("api", "forge"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.github.com/", "https://github.com"),
        ("https://github.acme.com/api/v3", "https://github.acme.com"),
        ("https://github.acme.com:8443/api/v3/", "https://github.acme.com:8443"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("http://127.0.0.1:3001/forge/api/v3", "http://127.0.0.1:3001/forge"),
    ],
)
def test_repositories_are_where_their_api_is(api: str, forge: str) -> None:
    driver = made(GITHUB_REPO="acme/prompts", GITHUB_API_URL=api)
    assert driver.url("default") == f"{forge}/acme/prompts.git"


def test_each_workspace_has_its_repository() -> None:
    driver = made(GITHUB_REPO="acme/prompts, billing=acme/bills.git,Ops_2=a-b/c.d_e")
    assert driver.workspaces() == ["Ops_2", "billing", "default"]
    assert driver.url("billing") == "https://github.com/acme/bills.git"
    driver.admit("billing")
    with pytest.raises(NotFound) as caught:
        driver.admit("sales")
    assert "GITHUB_REPO" in caught.value.hint


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "needs GITHUB_REPO"),
        ({"GITHUB_REPO": " , "}, "needs GITHUB_REPO"),
        ({"GITHUB_REPO": "prompts"}, "'prompts' is not owner/repository"),
        ({"GITHUB_REPO": "https://github.com/a/b"}, "is not owner/repository"),
        ({"GITHUB_REPO": "a/.."}, "is not owner/repository"),
        ({"GITHUB_REPO": "-a/b"}, "is not owner/repository"),
        ({"GITHUB_REPO": "a/b/c"}, "is not owner/repository"),
        ({"GITHUB_REPO": "w x=a/b"}, "is not owner/repository"),
        ({"GITHUB_REPO": "a/b,default=a/c"}, "two repositories for 'default'"),
        ({"GITHUB_REPO": "a/b", "GITHUB_API_URL": "github.com"}, "GITHUB_API_URL is no URL"),
        ({"GITHUB_REPO": "a/b", "GITHUB_API_URL": "https://u:p@h/api/v3"}, "is no URL"),
        ({"GITHUB_REPO": "a/b", "GITHUB_API_URL": "http://["}, "GITHUB_API_URL is no URL"),
        ({"GITHUB_REPO": "a/b", "GITPROMPT_ORIGIN": "/x"}, "and --origin exclude each other"),
        ({"GITHUB_REPO": "a/b", "GITPROMPT_REPO": "/x"}, "and --repo exclude each other"),
    ],
)
def test_settings_that_cannot_be_are_refused(env: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError) as caught:
        made(**env)
    assert said in str(caught.value)


@pytest.fixture
def at_github(forge: Clone, tmp_path: Path) -> Iterator[Forge]:
    """`forge` and the empty repository `bills` at a forge."""
    run("git", "init", "-q", "--bare", "-b", "main", "bills.git", cwd=tmp_path)
    found = Forge(tmp_path)
    yield found
    found.close()


def node(folder: Path, forge: Forge, name: str = "node", **env: str) -> Server:
    settings = {
        "DRIVER": "github", "GITHUB_REPO": "acme/forge,billing=acme/bills", "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": f"{forge.url}/api/v3", "GITHUB_SYNC_INTERVAL_MS": "300", **env,
    }  # fmt: skip
    return Server(folder / name, env=settings)


def test_every_workspace_is_served_and_published_to_its_repository(
    published: Clone, forge: Clone, at_github: Forge, tmp_path: Path
) -> None:
    server = node(tmp_path, at_github).start()
    try:
        assert server.get("/v1/prompts/welcome?render=false")["version"]["version_tag"] == "1.0.0"
        assert send(server, "POST", "/v1/prompts", document("bill"), "billing").status_code == 201
        bills = Clone(tmp_path / "bills.git")
        assert "refs/tags/prompts/bill/1.0.0" in bills.git("show-ref")
        assert "bill" not in forge.git("show-ref")
        refused = send(server, "POST", "/v1/prompts", document("x"), "sales")
        assert refused.status_code == 404
        assert "GITHUB_REPO" in refused.json()["hint"]
        assert not (server.data / "repos" / "sales.git").exists()
        published.commit("Another", other=WELCOME)
        published.tag("other", "1.0.0")
        published.push_all("origin")
        eventually(lambda: server.request("/v1/prompts/other?render=false").status_code == 200)
    finally:
        server.stop()


def test_a_push_to_the_node_is_at_the_forge_first(
    forge: Clone, at_github: Forge, tmp_path: Path
) -> None:
    server = node(tmp_path, at_github).start()
    try:
        run("git", "clone", "-q", server.remote(), "c", cwd=tmp_path)
        clone = Clone(tmp_path / "c")
        clone.commit("Add", fresh=WELCOME)
        clone.tag("fresh", "1.0.0")
        clone.git("push", "-q", "origin", "HEAD:main", "refs/tags/prompts/fresh/1.0.0")
        assert "refs/tags/prompts/fresh/1.0.0" in forge.git("show-ref")
        at_github.fate = "away"
        clone.tag("fresh", "1.0.1")
        with pytest.raises(Refused, match="unable to access"):
            clone.git("push", "-q", "origin", "refs/tags/prompts/fresh/1.0.1")
        assert server.request("/v1/prompts/fresh?version=1.0.1").status_code == 404
        assert server.request("/v1/prompts/fresh?version=1.0.0&render=false").status_code == 200
    finally:
        server.stop()


def test_the_token_is_shown_to_nobody(at_github: Forge, tmp_path: Path) -> None:
    server = node(tmp_path, at_github).start()
    try:
        processes = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True)
        at_github.token = "another"
        failed = server.request("/v1/sync", method="POST")
        assert failed.status_code == 503
        shown = [
            failed.text,
            processes.stdout,
            *(server.request(path).text for path in ("/v1/sync", "/v1/config", "/health/deep")),
            server.logged(),
            *(
                path.read_text(errors="replace")
                for path in server.data.rglob("*")
                if path.is_file()
            ),
        ]
        assert not any(TOKEN in text for text in shown)
    finally:
        server.stop()


def test_a_workspace_that_has_a_history_and_no_repository_is_refused_at_the_start(
    at_github: Forge, tmp_path: Path
) -> None:
    server = node(tmp_path, at_github).start()
    assert send(server, "POST", "/v1/prompts", document("bill"), "billing").status_code == 201
    server.stop()
    with pytest.raises(Refused, match="for which GITHUB_REPO names no repository"):
        node(tmp_path, at_github, GITHUB_REPO="acme/forge").start()


@pytest.mark.stores
def test_three_nodes_publish_race_die_and_are_replaced(at_github: Forge, tmp_path: Path) -> None:
    survive([node(tmp_path, at_github, f"node{at}") for at in range(3)])
