# SPDX-License-Identifier: Apache-2.0
"""/v1/prompts/{name}/labels."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server.client import Client, fresh, publish
from tests.world import WELCOME, Clone, Server, run


def test_labels_are_created_moved_resolved_and_removed(server: Server, client: Client) -> None:
    name = fresh("labelled")
    for version in ("1.0.0", "1.1.0"):
        publish(client, name, version, version)
    path = f"/v1/prompts/{name}/labels"
    made = client.post(path, {"name": "production", "version_tag": "1.0.0"})
    assert (made["prompt_name"], made["name"], made["version_tag"]) == (name, "production", "1.0.0")
    assert client.refused("POST", path, {"name": "production"}) == (409, "Label already exists")
    lost = client.refused(
        "PUT", f"{path}/production", {"version_tag": "1.1.0", "expected": "9.9.9"}
    )
    assert lost[0] == 409
    moved = client.call(
        "PUT", f"{path}/production",
        {"version_tag": "1.1.0", "expected": "1.0.0", "reason": "Spring"},
    )  # fmt: skip
    assert (moved["previous"], moved["version_tag"]) == ("1.0.0", "1.1.0")
    assert client.get(f"{path}/production")["version_tag"] == "1.1.0"
    assert (
        client.get(f"/v1/prompts/{name}", label="production")["version"]["version_tag"] == "1.1.0"
    )
    history = client.get(f"{path}/production/history")["items"]
    assert [(m["version"], m["previous"], m["reason"]) for m in history] == [
        ("1.1.0", "1.0.0", "Spring"), ("1.0.0", None, ""),
    ]  # fmt: skip
    log = run(
        "git", "log", "--format=%s", f"refs/labels/{name}@production",
        cwd=server.data / "repos/default.git",
    )  # fmt: skip
    assert log.splitlines() == [f"{name}: production → 1.1.0", f"{name}: production → 1.0.0"]
    assert client.call("DELETE", f"{path}/production") is None
    assert client.refused("GET", f"{path}/production") == (404, "Label not found")
    assert client.refused("DELETE", f"{path}/production") == (404, "Label not found")
    assert client.post(path, {"name": "production"})["version_tag"] == "1.1.0"


def test_labels_of_what_does_not_exist(client: Client) -> None:
    name = fresh("few")
    publish(client, name)
    path = f"/v1/prompts/{name}/labels"
    assert client.refused("POST", path, {"name": "x", "version_tag": "9.0.0"})[0] == 400
    assert client.refused("POST", path, {"name": "latest"})[0] == 422
    assert client.refused("POST", path, {"name": "1.0.0"})[0] == 422
    missing = f"/v1/prompts/{fresh('no')}"
    assert client.refused("POST", f"{missing}/labels", {"name": "x"}) == (404, "Prompt not found")
    assert client.get(f"{missing}/labels")["total"] == 0
    assert client.get(f"{missing}/versions")["items"] == []


def test_two_moves_of_one_label_at_once_have_one_winner(server: Server, client: Client) -> None:
    name = fresh("contested")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(client, name, version, version)
    path = f"/v1/prompts/{name}/labels"
    client.post(path, {"name": "production", "version_tag": "1.0.0"})
    barrier = threading.Barrier(2)

    def move(version: str) -> int:
        barrier.wait()
        body = {"version_tag": version, "expected": "1.0.0"}
        return client.http.put(f"{path}/production", json=body).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(move, ("1.1.0", "1.2.0"))) == [200, 409]


def test_a_protected_label_needs_admin(server: Server, tmp_path: Path) -> None:
    clone = Clone.init(tmp_path / "c")
    clone.write("gitprompt.yaml", "labels: {protected: {production: admin}}\n")
    clone.commit("x", welcome=WELCOME)
    clone.tag("welcome", "1.0.0")
    clone.git("push", "-q", server.remote(workspace="guarded"), "main", "refs/tags/*:refs/tags/*")
    header = {"X-Workspace-Id": "guarded"}
    body = {"name": "production", "version_tag": "1.0.0"}
    writer = Client(server, "read,write", **header)
    assert writer.refused("POST", "/v1/prompts/welcome/labels", body) == (
        403, "Missing required scope: admin",
    )  # fmt: skip
    assert Client(server, **header).post("/v1/prompts/welcome/labels", body)
