# SPDX-License-Identifier: Apache-2.0
"""/v1/api-keys and the audit log."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.server.client import Client, fresh, publish
from tests.world import WELCOME, Clone, Server


def test_api_keys(server: Server, client: Client) -> None:
    made = client.post("/v1/api-keys", {"name": "ci", "scopes": "read", "expires_in_days": 1})
    assert made["key"].startswith("pm_")
    theirs = {"X-API-Key": made["key"]}
    assert httpx.get(server.url + "/v1/prompts", headers=theirs).status_code == 200
    listed = client.get("/v1/api-keys")["items"]
    mine = next(key for key in listed if key["id"] == made["id"])
    assert mine["last_used_at"] is not None
    assert "key" not in mine
    assert "hash" not in mine
    assert client.call("DELETE", f"/v1/api-keys/{made['id']}") is None
    assert httpx.get(server.url + "/v1/prompts", headers=theirs).status_code == 401
    assert client.refused("DELETE", f"/v1/api-keys/{made['id']}") == (404, "API key not found")
    assert client.refused("POST", "/v1/api-keys", {"name": "x", "scopes": "root"})[0] == 422
    other = {"name": "x", "workspace_id": "elsewhere"}
    assert client.refused("POST", "/v1/api-keys", other)[0] == 403
    assert client.refused("POST", "/v1/api-keys", {"name": "x", "workspace_id": "*"})[0] == 403


def test_every_mutation_is_in_the_audit_log(server: Server, client: Client, tmp_path: Path) -> None:
    name = fresh("audited")
    publish(client, name)
    client.post(f"/v1/prompts/{name}/labels", {"name": "production"})
    client.call("PUT", f"/v1/prompts/{name}/labels/production", {"version_tag": "1.0.0"})
    client.call("DELETE", f"/v1/prompts/{name}/labels/production")
    client.post("/v1/logs", {"prompt_name": name, "version_tag": "1.0.0"})
    found = client.get("/v1/audit-logs", prompt_name=name)["items"]
    assert [(row["action"], row["outcome"]) for row in found] == [
        ("log:create", "done"), ("label:delete", "done"), ("label:move", "done"),
        ("label:create", "done"), ("create_prompt", "done"),
    ]  # fmt: skip
    assert {row["ip_address"] for row in found} == {"127.0.0.1"}
    pushed = fresh("pushed")
    clone = Clone.init(tmp_path / "c")
    clone.commit("x", **{pushed: WELCOME})
    clone.tag(pushed, "1.0.0")
    clone.git("push", "-q", server.remote(), f"refs/tags/prompts/{pushed}/1.0.0")
    (row,) = client.get("/v1/audit-logs", prompt_name=pushed)["items"]
    assert (row["action"], row["version_tag"], row["outcome"]) == ("create_prompt", "1.0.0", "done")


def test_a_word_that_no_row_can_have_is_refused(client: Client) -> None:
    for path in ("audit-logs?outcome=x", "logs?status=x", "runs?status=x"):
        status, message = client.refused("GET", f"/v1/{path}")
        assert (status, ": must be " in message) == (422, True), (path, message)
    assert "items" in client.get("/v1/audit-logs?outcome=done")
