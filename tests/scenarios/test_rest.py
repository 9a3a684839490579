# SPDX-License-Identifier: Apache-2.0
"""Every row of the REST contract, asked by a client that behaves like the existing ones: plain
httpx, brackets percent-encoded, no workspace header, 30 s, raises on what is not 2xx, JSON but on
204."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.client import SPAN, Client, fresh, publish
from tests.world import SEED, Clone, Server


def test_odds_and_ends_of_the_attack(client: Client) -> None:
    assert client.refused("GET", "/v1/metrics", name="m", step="0" * 15 + "1" + "9" * 30)[0] == 422
    run_id = client.post("/v1/runs", {"workflow_name": "w", "run_id": fresh("a/b")})["run_id"]
    path = "/v1/runs/" + run_id.replace("/", "%2F")
    assert client.get(path)["run_id"] == run_id
    assert client.call("PATCH", path, {"status": "completed", "end_time": 5})["status"] == "updated"
    assert client.get(path)["end_time"] == 5
    assert client.refused("POST", "/v1/metrics", {"name": "m", "value": 1.7e308})[0] == 422
    trace_id = client.post("/v1/traces", {})["trace_id"]
    body = {"workflow_name": "w", "run_id": fresh("run"), "trace_id": trace_id}
    client.post("/v1/runs", body)
    assert client.refused("GET", "/v1/prompts/x/versions", stats="maybe")[0] == 422


ROUTES = [
    ("GET", "/v1/prompts", "read"), ("POST", "/v1/prompts", "write"),
    ("GET", "/v1/prompts/count", "read"), ("GET", "/v1/prompts/a", "read"),
    ("GET", "/v1/prompts/a/versions", "read"), ("GET", "/v1/prompts/a/diff", "read"),
    ("GET", "/v1/prompts/a/labels", "read"), ("POST", "/v1/prompts/a/labels", "write"),
    ("GET", "/v1/prompts/a/labels/l", "read"), ("PUT", "/v1/prompts/a/labels/l", "write"),
    ("DELETE", "/v1/prompts/a/labels/l", "write"),
    ("GET", "/v1/prompts/a/labels/l/history", "read"),
    ("POST", "/v1/logs", "write"), ("GET", "/v1/logs", "read"),
    ("POST", "/v1/traces", "write"), ("GET", "/v1/traces", "read"),
    ("GET", "/v1/traces/count", "read"), ("GET", "/v1/traces/t", "read"),
    ("DELETE", "/v1/traces/t", "write"), ("POST", "/v1/traces/t/spans", "write"),
    ("GET", "/v1/traces/t/spans/s", "read"),
    ("POST", "/v1/runs", "write"), ("GET", "/v1/runs", "read"), ("GET", "/v1/runs/r", "read"),
    ("PATCH", "/v1/runs/r", "write"), ("DELETE", "/v1/runs/r", "write"),
    ("POST", "/v1/evaluations", "write"), ("GET", "/v1/evaluations", "read"),
    ("GET", "/v1/evaluations/e", "read"), ("DELETE", "/v1/evaluations/e", "admin"),
    ("POST", "/v1/evaluations/e/results", "write"), ("GET", "/v1/evaluations/e/results", "read"),
    ("POST", "/v1/metrics", "write"), ("GET", "/v1/metrics", "read"),
    ("GET", "/v1/metrics/summary", "read"),
    ("POST", "/v1/api-keys", "admin"), ("GET", "/v1/api-keys", "admin"),
    ("DELETE", "/v1/api-keys/1", "admin"), ("GET", "/v1/audit-logs", "admin"),
    ("GET", "/v1/config", "admin"), ("GET", "/v1/sync", "read"), ("POST", "/v1/sync", "write"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_route_enforces_its_scope_and_its_workspace(
    server: Server, method: str, path: str, scope: str
) -> None:
    others = {"read", "write", "admin"} - {scope}
    lacking = server.key(",".join(sorted(others)))
    foreign = server.key("read,write,admin", "elsewhere")
    expected = {
        None: (401, "Missing X-API-Key header"),
        "pm_" + "0" * 64: (401, "Invalid API key"),
        lacking: (403, f"Missing required scope: {scope}"),
        foreign: (401, "API key does not belong to this workspace"),
    }
    headers = {"Content-Type": "application/json", "X-Workspace-Id": "default"}
    for key, (status, words) in expected.items():
        response = server.request(path, method=method, key=key, content=b"{}", headers=headers)
        assert (response.status_code, response.json()["error"]) == (status, words)


def test_the_table_of_routes_is_complete(server: Server) -> None:
    described = server.get("/openapi.json")
    known = {(method, path.count("/")) for method, path, _ in ROUTES}
    for path, operations in described["paths"].items():
        if path.startswith("/v1"):
            for method in operations:
                assert (method.upper(), path.count("/")) in known, path


def test_workspaces_are_sealed(server: Server) -> None:
    ours, theirs = (
        Client(server, **{"X-Workspace-Id": "ours"}),
        Client(server, **{"X-Workspace-Id": "theirs"}),
    )
    publish(ours, "secret-prompt")
    ours.post("/v1/prompts/secret-prompt/labels", {"name": "production"})
    trace_id = ours.post("/v1/traces", {})["trace_id"]
    ours.post(f"/v1/traces/{trace_id}/spans", {**SPAN, "span_id": "s"})
    run_id = ours.post("/v1/runs", {"workflow_name": "w"})["run_id"]
    suite = ours.post("/v1/evaluations", {"name": "sealed", "prompt_name": "secret-prompt"})["id"]
    ours.post(f"/v1/evaluations/{suite}/results", {"score": 1})
    ours.post("/v1/logs", {"prompt_name": "secret-prompt", "version_tag": "1.0.0"})
    ours.post("/v1/metrics", {"name": "sealed", "value": 1})
    for path in (
        "/v1/prompts/secret-prompt", "/v1/prompts/secret-prompt/labels/production",
        f"/v1/traces/{trace_id}", f"/v1/traces/{trace_id}/spans/s", f"/v1/runs/{run_id}",
        f"/v1/evaluations/{suite}", f"/v1/evaluations/{suite}/results", "/v1/evaluations/sealed",
    ):  # fmt: skip
        assert theirs.refused("GET", path)[0] == 404, path
    for path in (
        "/v1/prompts", "/v1/prompts/secret-prompt/versions", "/v1/prompts/secret-prompt/labels",
        "/v1/logs", "/v1/traces", "/v1/runs", "/v1/evaluations", "/v1/audit-logs",
    ):  # fmt: skip
        found = theirs.get(path)
        assert "secret-prompt" not in json.dumps(found), path
    assert theirs.get("/v1/traces/count") == {"count": 0}
    assert theirs.get("/v1/metrics", name="sealed")["points"] == []
    assert theirs.get("/v1/metrics/summary")["items"] == []
    assert theirs.refused("DELETE", f"/v1/traces/{trace_id}")[0] == 404
    assert theirs.refused("POST", f"/v1/traces/{trace_id}/spans", SPAN)[0] == 404
    assert [key["workspace_id"] for key in theirs.get("/v1/api-keys")["items"]] == ["theirs"]
    key_id = ours.get("/v1/api-keys")["items"][0]["id"]
    assert theirs.refused("DELETE", f"/v1/api-keys/{key_id}")[0] == 404


def test_the_command_line_tells_the_story_of_a_server(server: Server, tmp_path: Path) -> None:
    clone = Clone.init(tmp_path / "c")
    name = fresh("cli")
    env = {"GITPROMPT_API_KEY": server.key(), "GITPROMPT_SERVER": server.url}
    clone.write("welcome.json", json.dumps({**SEED, "name": name}))

    def gitprompt(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gitprompt", *args], cwd=clone.path, capture_output=True,
            text=True, check=True, env={**os.environ, **env},
        )  # fmt: skip
        return done.stdout.strip()

    assert f"{name} · v1.0.0 · committed" in gitprompt("create-prompt", "--file", "welcome.json")
    shown = json.loads(gitprompt("get-prompt", name, "--var", "name=Ada"))
    assert shown["content"]["messages"][1]["content"] == "Hello Ada!"
    gitprompt("add-label", name, "production")
    assert gitprompt("get-label", name, "production") == "1.0.0"
    assert name in gitprompt("list-prompts", "--q", name)
    gitprompt("log", "--prompt", name, "--version", "1.0.0", "--latency-ms", "5")
    trace = gitprompt("create-trace", "--prompt", name, "--version", "1.0.0")
    gitprompt("add-span", trace, "--name", "call", "--metadata", '{"model": "m"}')
    assert "call" in gitprompt("trace", "show", trace)
    run_id = gitprompt("create-run", "--workflow", "w", "--trace", trace)
    gitprompt("update-run", run_id, "--status", "completed")
    assert json.loads(gitprompt("run", "show", run_id))["status"] == "completed"
    gitprompt("eval", "create", name, "--prompt", name)
    gitprompt("eval", "result", name, "--score", "0.5", "--run", run_id)
    gitprompt("export", "--out", "out")
    assert (clone.path / "out" / name / "1.0.0.json").exists()
    assert json.loads(gitprompt("import", "--dir", "out", "--json"))["failed"] == 0
    env.update(GITPROMPT_WORKSPACE="copied", GITPROMPT_API_KEY=server.key(workspace="copied"))
    assert json.loads(gitprompt("import", "--dir", "out", "--json"))["published"] >= 1
    assert json.loads(gitprompt("import", "--dir", "out", "--json"))["published"] == 0
