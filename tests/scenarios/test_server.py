# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract of what is served, over a real socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.world import WELCOME, Clone, Server, eventually, run

SECRETS = {
    "GITHUB_WEBHOOK_SECRET": "old, github-secret",
    "GITLAB_WEBHOOK_SECRET": "gitlab-secret",
    "GITEA_WEBHOOK_SECRET": "gitea-secret",
    "GITPROMPT_WEBHOOK_SECRET": "generic-secret",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A sidecar with a few prompts, pushed once for all tests of this module."""
    folder = tmp_path_factory.mktemp("server")
    running = Server(folder / "data", env=SECRETS).start()
    clone = Clone.init(folder / "clone")
    clone.commit("1", welcome=WELCOME, **{"support/triage": WELCOME})
    clone.tag("welcome", "1.0.0")
    clone.tag("support/triage", "1.0.0")
    clone.commit("2", welcome=WELCOME.replace("Hello", "Hi") + "tags: [greeting]\n")
    clone.tag("welcome", "1.10.0")
    clone.tag("welcome", "1.9.0", at="HEAD~1")
    clone.tag("welcome", "2.0.0-rc.1")
    for version in ("1.9.0", "1.10.0"):
        clone.gitprompt("label", "set", "welcome", "production", version, "-m", f"to {version}")
    for number in range(5):
        clone.commit("x", **{f"many/p{number}": WELCOME})
        clone.tag(f"many/p{number}", "1.0.0")
    clone.push_all(running.remote(), "refs/labels/*:refs/labels/*")
    yield running
    running.stop()


def error(response: object) -> tuple[int, str, str]:
    body = response.json()  # type: ignore[attr-defined]
    assert set(body) >= {"error", "code", "requestId"}
    return response.status_code, body["code"], body["error"]  # type: ignore[attr-defined]


def test_health_needs_no_key(server: Server) -> None:
    assert server.request("/health", key=None).json() == {"status": "ok"}
    deep = server.request("/health/deep", key=None)
    assert deep.status_code == 200
    database = "postgres" if databases.IS_POSTGRES else "sqlite"
    assert deep.json() == {
        "status": "ok",
        "checks": dict.fromkeys((database, "index", "driver", "sync", "space"), "ok"),
        "dbType": database,
        "dbConnected": True,
        "driverType": "filesystem",
    }


def test_the_newest_version_is_served_without_a_selector(server: Server) -> None:
    found = server.get("/v1/prompts/welcome?variables[name]=Ada")
    assert found["version"]["version_tag"] == "1.10.0"
    assert found["content"]["messages"] == [{"role": "user", "content": "Hi Ada!"}]
    assert list(found["content"])[:2] == ["name", "version"]
    assert set(found["version"]) == {"name", "version_tag", "commit_sha", "created_at"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("variables%5Bname%5D=A+b", "Hi A b!"),
        ("variables[name]=%7B%7Bname%7D%7D", "Hi {{name}}!"),
        ("variables[name]=x&variables[name]=y", "Hi y!"),
        ("variables[name]=%ff", "Hi �!"),
        ("variables[name]=a%zz", "Hi a%zz!"),
        ("version=1.9.0&variables[name]=%3Cb%3E", "Hello <b>!"),
        ("label=production&variables[name]=Ada&variables[other]=1", "Hi Ada!"),
        ("version=2.0.0-rc.1&render=false", "Hi {{name}}!"),
    ],
)
def test_selectors_and_variables(server: Server, query: str, text: str) -> None:
    assert server.text(f"/v1/prompts/welcome?{query}") == text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("welcome", (400, "BAD_REQUEST", "Missing required variables: name")),
        (
            "welcome?version=1.0.0&label=production",
            (400, "BAD_REQUEST", "Give either version or label, not both"),
        ),
        ("welcome?version=9.9.9", (404, "NOT_FOUND", "Version not found")),
        ("welcome?version=../../etc/passwd", (404, "NOT_FOUND", "Version not found")),
        ("welcome?version=1", (404, "NOT_FOUND", "Version not found")),
        ("welcome?label=nothing", (404, "NOT_FOUND", "Label not found")),
        ("nothing", (404, "NOT_FOUND", "Prompt not found")),
        ("..%2f..%2fetc", (404, "NOT_FOUND", "Prompt not found")),
        ("a%00b", (404, "NOT_FOUND", "Prompt not found")),
        ("welcome/labels/nothing", (404, "NOT_FOUND", "Label not found")),
        ("welcome/labels/nothing/history", (404, "NOT_FOUND", "Label not found")),
        ("welcome/diff", (400, "BAD_REQUEST", "Give both from and to: versions or labels")),
        (
            "welcome/versions?page=0",
            (422, "VALIDATION_FAILED", "page: must be an integer between 1 and 1099511627776"),
        ),
        (
            "welcome/versions?limit=101",
            (422, "VALIDATION_FAILED", "limit: must be an integer between 1 and 100"),
        ),
        (
            "welcome/versions?cursor=x",
            (422, "VALIDATION_FAILED", "cursor: not one that this list gave"),
        ),
        (
            "welcome/versions?cursor=WzEsMl0=",
            (422, "VALIDATION_FAILED", "cursor: not one that this list gave"),
        ),
        (
            "welcome/versions?cursor=" + base64.b64encode(b"[" * 1490).decode(),
            (422, "VALIDATION_FAILED", "cursor: not one that this list gave"),
        ),
        ("?limit=x", (422, "VALIDATION_FAILED", "limit: must be an integer between 1 and 100")),
        ("?q=" + "x" * 257, (400, "BAD_REQUEST", "q is longer than 256 characters")),
    ],
)
def test_what_cannot_be_answered_says_why(
    server: Server, path: str, expected: tuple[int, str, str]
) -> None:
    path = f"/v1/prompts{path}" if path.startswith("?") else f"/v1/prompts/{path}"
    assert error(server.request(path)) == expected


def test_names_with_folders_plain_or_encoded(server: Server) -> None:
    for name in ("support/triage", "support%2Ftriage"):
        assert server.text(f"/v1/prompts/{name}?variables[name]=x") == "Hello x!"
        assert server.get(f"/v1/prompts/{name}/versions")["total"] == 1


def test_versions_newest_first_equal_seconds_by_precedence(server: Server) -> None:
    found = server.get("/v1/prompts/welcome/versions")
    assert found["total"] == 4
    keys = [
        (-item["created_at"], ["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1"].index(item["version_tag"]))
        for item in found["items"]
    ]
    assert keys == sorted(keys)
    first = found["items"][0]
    assert first["status"] == "active"
    assert first["workspace_id"] == "default"
    assert isinstance(first["id"], int)
    empty = {"items": [], "total": 0, "page": 1, "limit": 50, "totalPages": 0}
    assert server.get("/v1/prompts/nobody/versions") == empty
    assert server.get("/v1/prompts/nobody/labels") == empty


@pytest.mark.parametrize(
    "path",
    [
        "/v1/prompts",
        "/v1/prompts/welcome/versions",
        "/v1/prompts/welcome/labels/production/history",
    ],
)
def test_pages_and_cursors_walk_the_same_list(server: Server, path: str) -> None:
    everything = server.get(path)["items"]
    assert len(everything) >= 2
    by_page: list[object] = []
    page = 1
    while len(by_page) < len(everything):
        by_page += server.get(f"{path}?limit=2&page={page}")["items"]
        page += 1
    by_cursor: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        found = server.get(f"{path}?limit=2&cursor={cursor}")
        by_cursor += found["items"]
        cursor = found["nextCursor"]
    assert by_page == by_cursor == everything
    assert "nextCursor" not in server.get(path)


def test_lists_are_filtered(server: Server) -> None:
    def names(query: str) -> list[str]:
        return [item["name"] for item in server.get(f"/v1/prompts?{query}")["items"]]

    assert names("q=WELC") == ["welcome"]
    assert names("q=many/p&limit=2") == ["many/p0", "many/p1"]
    assert names("tag=greeting") == ["welcome"]
    assert names("label=production") == ["welcome"]
    assert names("q=%25") == []
    (found,) = server.get("/v1/prompts?q=welcome")["items"]
    assert found["latest"] == "1.10.0"
    assert found["labels"] == {"production": "1.10.0"}
    assert server.get("/v1/prompts/count") == {"count": 7}


def test_labels_and_their_history(server: Server) -> None:
    label = server.get("/v1/prompts/welcome/labels/production")
    assert {k: label[k] for k in ("prompt_name", "name", "version_tag")} == {
        "prompt_name": "welcome", "name": "production", "version_tag": "1.10.0",
    }  # fmt: skip
    assert server.get("/v1/prompts/welcome/labels")["items"] == [label]
    history = server.get("/v1/prompts/welcome/labels/production/history")["items"]
    assert [(m["version"], m["previous"], m["reason"]) for m in history] == [
        ("1.10.0", "1.9.0", "to 1.10.0"), ("1.9.0", None, "to 1.9.0"),
    ]  # fmt: skip
    assert history[0]["actor"] == "Ada Test <ada@example.com>"


def test_the_difference_of_two_selectors(server: Server) -> None:
    found = server.get("/v1/prompts/welcome/diff?from=1.0.0&to=production")
    assert found["bump"] == "patch"
    assert [c["path"] for c in found["messages"]] == ["messages[0]"]
    assert [c["path"] for c in found["settings"]] == ["tags"]
    assert found["variables"] == []


def test_etags_and_request_ids(server: Server) -> None:
    path = "/v1/prompts/welcome?label=production&variables[name]=Ada"
    first = server.request(path, headers={"X-Request-Id": "my-id.1"})
    assert first.headers["x-request-id"] == "my-id.1"
    etag = first.headers["etag"]
    again = server.request(path, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert server.request(path.replace("Ada", "Bo")).headers["etag"] != etag
    strange = server.request("/v1/nothing", headers={"X-Request-Id": "a b\t<x>"})
    assert strange.headers["x-request-id"] == strange.json()["requestId"] != "a b\t<x>"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/nothing",
        "/v1/promptsx",
        "/git/default.git",
        "/health/x",
        "/v1/prompts/welcome/labels/a/b/c",
    ],
)
def test_unknown_routes_are_json(server: Server, path: str) -> None:
    assert error(server.request(path))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/prompts", "/v1/prompts/welcome", "/health", "/v1/sync"])
def test_other_methods_are_told_what_is_allowed(server: Server, path: str) -> None:
    response = server.request(path, method="PUT")
    assert error(response)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in response.headers["allow"]


# Auth

READ = ["/v1/prompts", "/v1/prompts/count", "/v1/prompts/welcome?version=1.0.0&variables[name]=a",
        "/v1/prompts/welcome/versions", "/v1/prompts/welcome/labels", "/v1/prompts/welcome/labels/production",
        "/v1/prompts/welcome/labels/production/history", "/v1/prompts/welcome/diff?from=1.0.0&to=1.9.0", "/v1/sync"]  # fmt: skip


@pytest.mark.parametrize("path", READ)
def test_every_route_enforces_key_scope_and_workspace(server: Server, path: str) -> None:
    assert error(server.request(path, key=None)) == (
        401,
        "UNAUTHORIZED",
        "Missing X-API-Key header",
    )
    assert error(server.request(path, key="pm_" + "0" * 64)) == (
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    )
    assert error(server.request(path, key="' OR 1=1")) == (401, "UNAUTHORIZED", "Invalid API key")
    assert error(server.request(path, key=server.key("write"))) == (
        403,
        "FORBIDDEN",
        "Missing required scope: read",
    )
    assert server.request(path, key=server.key("read")).status_code == 200
    other = server.key("read,write,admin", "other")
    wrong = error(server.request(path, key=other, headers={"X-Workspace-Id": "default"}))
    assert wrong == (401, "UNAUTHORIZED", "API key does not belong to this workspace")
    for headers in ({"X-Workspace-Id": "other"}, {}):  # a key acts in its own workspace
        mine = server.request(path, key=other, headers=headers)
        assert mine.status_code in (200, 404)
        assert "welcome" not in mine.text.replace("Hello", "")


def test_a_key_comes_in_any_of_three_headers(server: Server) -> None:
    key = server.key("read")
    basic = base64.b64encode(f"x:{key}".encode()).decode()
    for value in (f"Bearer {key}", f"Basic {basic}"):
        assert (
            server.request("/v1/prompts", key=None, headers={"Authorization": value}).status_code
            == 200
        )
    assert (
        server.request("/v1/prompts", key=None, headers={"Authorization": "Basic %%"}).status_code
        == 401
    )


def test_a_master_key_reads_every_workspace(server: Server) -> None:
    key = server.key("read", "*")
    for workspace in ("default", "other"):
        headers = {"X-Workspace-Id": workspace}
        assert server.request("/v1/prompts", key=key, headers=headers).status_code == 200
    bad = server.request("/v1/prompts", key=key, headers={"X-Workspace-Id": "../x"})
    assert error(bad) == (400, "BAD_REQUEST", "Invalid workspace")


def test_a_revoked_key_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    import sys

    def keys(*args: str) -> str:
        return run(
            sys.executable,
            "-m",
            "gitprompt",
            "keys",
            *args,
            "--data",
            str(server.data),
            cwd=tmp_path,
            env=server.env,
        )

    said = keys("create", "--name", "short")
    key_id, key = said.split()[1], said.split()[-1]
    assert server.request("/v1/prompts", key=key).status_code == 200
    assert key not in keys("list")
    keys("revoke", key_id)
    if databases.IS_POSTGRES:  # within a second
        eventually(lambda: server.request("/v1/prompts", key=key).status_code == 401, seconds=5)
    assert error(server.request("/v1/prompts", key=key)) == (401, "UNAUTHORIZED", "Invalid API key")


def test_an_expired_key_is_refused(server: Server) -> None:
    from gitprompt import keys
    from gitprompt.store.database import Database

    database = Database(databases.location(server.data))
    _, key = keys.create(database, keys.salt(str(server.data), "", database), name="old", workspace="default",
                         scopes="read", expires_in_days=1, clock=lambda: 1_000_000)  # fmt: skip
    database.close()
    assert error(server.request("/v1/prompts", key=key)) == (401, "UNAUTHORIZED", "API key expired")


def test_secrets_are_not_on_disk_or_in_logs(server: Server) -> None:
    key = server.key("read")
    server.request("/v1/prompts", key=key)
    for path in server.data.parent.rglob("*"):
        if path.is_file() and "clone" not in path.parts:
            assert key.encode() not in path.read_bytes(), path
    assert (server.data / "salt").stat().st_mode & 0o777 == 0o600


# Sync and webhooks


def test_sync_tells_its_state_and_needs_write(server: Server) -> None:
    assert error(server.request("/v1/sync", method="POST", key=server.key("read")))[0] == 403
    state = server.request("/v1/sync", method="POST").json()
    assert state["counts"] == {"prompts": 7, "versions": 10, "labels": 1, "suites": 0}
    assert state["last_error"] is None
    assert state["rejected"] == state["tampered"] == []
    nowhere = server.request(
        "/v1/sync",
        method="POST",
        key=server.key("write", "*"),
        headers={"X-Workspace-Id": "nowhere"},
    )
    assert error(nowhere)[0] == 404


def signed(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


BODY = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "../../etc"}}).encode()


@pytest.mark.parametrize(
    ("dialect", "headers"),
    [
        (
            "github",
            {
                "X-Hub-Signature-256": "sha256=" + signed("github-secret", BODY),
                "X-GitHub-Event": "push",
            },
        ),
        (
            "github",
            {"X-Hub-Signature-256": "sha256=" + signed("old", BODY), "X-GitHub-Event": "create"},
        ),
        ("gitlab", {"X-Gitlab-Token": "gitlab-secret", "X-Gitlab-Event": "Tag Push Hook"}),
        ("gitea", {"X-Gitea-Signature": signed("gitea-secret", BODY), "X-Gitea-Event": "push"}),
        ("generic", {"X-Gitprompt-Signature": "sha256=" + signed("generic-secret", BODY)}),
    ],
)
def test_a_webhook_is_a_poke_in_each_dialect(
    server: Server, dialect: str, headers: dict[str, str]
) -> None:
    def send(headers: dict[str, str]) -> object:
        return server.request(
            f"/webhooks/{dialect}", method="POST", key=None, headers=headers, content=BODY
        )

    for _ in range(2):  # a replay changes nothing
        assert send(headers).json() == {"message": "Sync triggered"}  # type: ignore[attr-defined]
    name = next(iter(headers))
    assert error(send({**headers, name: "sha256=" + "0" * 64})) == (
        401,
        "UNAUTHORIZED",
        "Invalid signature",
    )
    assert error(send({**headers, name: "~"}))[0] == 401
    missing = {k: v for k, v in headers.items() if k != name}
    assert error(send(missing)) == (401, "UNAUTHORIZED", "Missing signature")


def test_other_events_and_unconfigured_dialects(server: Server) -> None:
    headers = {
        "X-Hub-Signature-256": "sha256=" + signed("github-secret", BODY),
        "X-GitHub-Event": "ping",
    }
    found = server.request(
        "/webhooks/github", method="POST", key=None, headers=headers, content=BODY
    )
    assert found.json() == {"message": "Event ignored", "event": "ping"}
    unset = server.request("/webhooks/bitbucket", method="POST", key=None, content=BODY)
    assert error(unset) == (503, "UNAVAILABLE", "Webhook secret not configured")
    assert error(server.request("/webhooks/forge", method="POST", key=None))[0] == 404
    large = server.request(
        "/webhooks/github",
        method="POST",
        key=None,
        headers={"X-Hub-Signature-256": "x"},
        content=b"x" * 25_000_001,
    )
    assert error(large)[:2] == (413, "PAYLOAD_TOO_LARGE")


def test_a_webhook_brings_what_plain_git_did(server: Server, tmp_path: Path) -> None:
    bare = server.data / "repos" / "default.git"
    head = run("git", "rev-parse", "refs/heads/main", cwd=bare).strip()
    run("git", "update-ref", "refs/labels/welcome@hooked", head, cwd=bare)
    headers = {"X-Gitprompt-Signature": "sha256=" + signed("generic-secret", b"")}
    server.request("/webhooks/generic", method="POST", key=None, headers=headers, content=b"")
    eventually(lambda: "welcome@hooked" in json.dumps(server.get("/v1/sync")["rejected"]))
    run("git", "update-ref", "-d", "refs/labels/welcome@hooked", cwd=bare)
    eventually(lambda: server.get("/v1/sync")["rejected"] == [])
