# SPDX-License-Identifier: Apache-2.0
"""What three nodes with one origin, and each its own data folder, must survive."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from tests.world import WELCOME, Clone, Server, eventually, run


def send(server: Server, method: str, path: str, body: object, workspace: str) -> httpx.Response:
    headers = {"Content-Type": "application/json", "X-Workspace-Id": workspace}
    key = server.key(workspace=workspace)
    content = json.dumps(body).encode()
    return server.request(path, method=method, key=key, headers=headers, content=content)


def document(name: str, version: str = "1.0.0") -> dict[str, object]:
    return {
        "name": name, "version": version, "messages": [{"role": "user", "content": f"Hi {version}"}]
    }  # fmt: skip


def survive(nodes: list[Server]) -> None:
    """Publish, race, kill, replace. Starts and stops them."""
    path = "/v1/prompts/raced/labels/production"
    try:
        for one in nodes:
            one.start()
        for at in range(4):
            body = document("raced", f"1.{at}.0")
            assert send(nodes[at % 3], "POST", "/v1/prompts", body, "default").status_code == 201

        def has(server: Server, version: str) -> bool:
            return server.request(f"/v1/prompts/raced?version={version}").status_code == 200

        eventually(lambda: all(has(one, f"1.{at}.0") for one in nodes for at in range(4)))
        current = None
        for _ in range(3):
            wanted = [f"1.{at}.0" for at in range(4) if f"1.{at}.0" != current]

            def move(at: int, wanted: list[str] = wanted, current: str | None = current) -> int:
                body = {"version_tag": wanted[at], "expected": current}
                return send(nodes[at], "PUT", path, body, "default").status_code

            with ThreadPoolExecutor(3) as pool:
                statuses = list(pool.map(move, range(3)))
            assert sorted(statuses) == [200, 409, 409], statuses
            current = wanted[statuses.index(200)]

            def follows(server: Server, current: str = current) -> bool:
                return bool(server.request(path).json().get("version_tag") == current)

            for one in nodes:
                eventually(partial(follows, one))
        for at in (
            0,
            1,
            2,
        ):  # whoever does not say what is there wins, though the node has not heard of the last
            body = {"version_tag": f"1.{at}.0"}
            moved = send(nodes[at], "PUT", path, body, "default")
            assert moved.status_code == 200, moved.text
            current = f"1.{at}.0"
        nodes[1].stop(signal.SIGKILL)
        shutil.rmtree(nodes[1].data)
        nodes[1] = Server(nodes[1].data, env=nodes[1].env).start()
        assert nodes[1].request(path).json()["version_tag"] == current
        again = send(nodes[1], "POST", "/v1/prompts", document("raced", "1.0.0"), "default")
        assert again.status_code == 409
    finally:
        for one in nodes:
            one.stop()


def share(folder: Path, node: Callable[[str], Server]) -> None:
    """What is pushed to one node, and a workspace that it makes, are on the others, and there after a restart."""
    first, second = node("a").start(), node("b").start()
    try:
        run("git", "clone", "-q", first.remote(), "c", cwd=folder)
        clone = Clone(folder / "c")
        clone.commit("Add", fresh=WELCOME)
        clone.tag("fresh", "1.0.0")
        clone.git("push", "-q", "origin", "HEAD:main", "refs/tags/prompts/fresh/1.0.0")
        path = "/v1/prompts/fresh?render=false"
        eventually(lambda: second.request(path).status_code == 200)
        assert first.request(path).json() == second.request(path).json()
        for version in ("1.0.0", "1.0.1"):
            sent = send(first, "POST", "/v1/prompts", document("bill", version), "billing")
            assert sent.status_code == 201
            first.stop()
            first.start()
    finally:
        first.stop()
        second.stop()
    third = node("late").start()  # it finds the workspace at its start
    try:
        key, headers = third.key(workspace="billing"), {"X-Workspace-Id": "billing"}
        assert third.request("/v1/prompts/bill", key=key, headers=headers).status_code == 200
    finally:
        third.stop()
