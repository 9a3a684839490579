# SPDX-License-Identifier: Apache-2.0
"""/v1/evaluations: files in Git, and their results."""

from __future__ import annotations

import json
from pathlib import Path

from tests.server.client import Client, fresh
from tests.world import WELCOME, Clone, Server, run


def test_evaluations_are_files_in_git(server: Server, client: Client) -> None:
    name = fresh("accuracy")
    body = {
        "name": name, "description": "Check", "prompt_name": "welcome", "version_tag": "1.0.0",
        "criteria": {"min_score": 0.8},
    }  # fmt: skip
    made = client.post("/v1/evaluations", body)
    assert {key: made[key] for key in body} == body
    assert client.refused("POST", "/v1/evaluations", body) == (409, "Evaluation already exists")
    text = run("git", "show", f"main:evals/{name}.yaml", cwd=server.data / "repos/default.git")
    assert "min_score: 0.8" in text
    for key in (made["id"], name):
        assert client.get(f"/v1/evaluations/{key}") == made
    assert made in client.get("/v1/evaluations", limit=100)["items"]
    result = client.post(
        f"/v1/evaluations/{made['id']}/results",
        {"run_id": "run_7a3fe2c", "score": 0.95, "metadata": {"judge": "gpt-4"}, "result_id": "r"},
    )
    assert (result["evaluation_id"], result["score"]) == (made["id"], 0.95)
    again = {
        "run_id": "run_7a3fe2c",
        "score": 0.95,
        "metadata": {"judge": "gpt-4"},
        "result_id": "r",
    }
    assert client.post(f"/v1/evaluations/{name}/results", again)["id"] == result["id"]
    again["score"] = 0.1
    assert client.refused("POST", f"/v1/evaluations/{name}/results", again)[0] == 409
    assert client.get(f"/v1/evaluations/{name}/results")["total"] == 1
    writer = Client(server, "read,write")
    assert writer.refused("DELETE", f"/v1/evaluations/{name}")[0] == 403
    assert client.call("DELETE", f"/v1/evaluations/{made['id']}") is None
    assert client.refused("GET", f"/v1/evaluations/{made['id']}") == (404, "Evaluation not found")
    assert client.refused("GET", "/v1/evaluations/not%20valid")[0] == 400
    assert client.post("/v1/evaluations", body)["id"] > made["id"]


def test_a_suite_that_came_with_a_push_appears_by_itself(server: Server, tmp_path: Path) -> None:
    header = {"X-Workspace-Id": "suites"}
    clone = Clone.init(tmp_path / "c")
    clone.write("evals/tone.yaml", "prompt_name: welcome\n")
    clone.commit("x", welcome=WELCOME)
    clone.git("push", "-q", server.remote(workspace="suites"), "main")
    client = Client(server, **header)
    (found,) = client.get("/v1/evaluations")["items"]
    assert (found["name"], found["prompt_name"]) == ("tone", "welcome")
    assert client.post(f"/v1/evaluations/{found['id']}/results", {"score": 0})["score"] == 0


def test_a_suite_that_could_not_be_read_back_is_not_written(client: Client) -> None:
    name = fresh("huge")
    body = {"name": name, "prompt_name": "p", "criteria": {"x": 10**400}}
    headers = {"Content-Type": "application/json"}
    response = client.http.post("/v1/evaluations", content=json.dumps(body), headers=headers)
    assert response.status_code == 422, response.text
    body["criteria"] = {}
    assert client.post("/v1/evaluations", body)["name"] == name
    for other, status in ((f"{name}/results", 422), ("12", 422), (name.upper(), 409)):
        assert client.refused("POST", "/v1/evaluations", {**body, "name": other})[0] == status


def test_a_suite_created_anew_does_not_inherit_results(server: Server, tmp_path: Path) -> None:
    header = {"X-Workspace-Id": "reborn"}
    client = Client(server, **header)
    first = client.post("/v1/evaluations", {"name": "tone", "prompt_name": "p"})["id"]
    client.post(f"/v1/evaluations/{first}/results", {"score": 0.25})
    run("git", "clone", "-q", server.remote(workspace="reborn"), "c", cwd=tmp_path)
    clone = Clone(tmp_path / "c")
    (clone.path / "evals/tone.yaml").unlink()
    clone.commit("Remove it")
    clone.git("push", "-q", "origin", "main")
    assert client.refused("GET", "/v1/evaluations/tone")[0] == 404
    second = client.post("/v1/evaluations", {"name": "tone", "prompt_name": "q"})["id"]
    assert second > first
    assert client.get("/v1/evaluations/tone/results")["total"] == 0
    assert client.get("/v1/metrics/summary")["items"] == []


def test_a_suite_that_cannot_be_created_leaves_its_predecessors_results(
    server: Server, tmp_path: Path
) -> None:
    client = Client(server, **{"X-Workspace-Id": "refused"})
    suite = {"name": "tone", "prompt_name": "p"}
    first = client.post("/v1/evaluations", suite)["id"]
    client.post(f"/v1/evaluations/{first}/results", {"score": 0.25})
    run("git", "clone", "-q", server.remote(workspace="refused"), "c", cwd=tmp_path)
    clone = Clone(tmp_path / "c")
    (clone.path / "evals/tone.yaml").unlink()
    clone.commit("Remove it")
    clone.git("push", "-q", "origin", "main")
    hosted = Clone(server.data / "repos" / "refused.git")
    hosted.git("update-ref", "--no-deref", "HEAD", clone.git("rev-parse", "HEAD"))
    status, reason = client.refused("POST", "/v1/evaluations", suite)
    assert status >= 400, reason
    assert "HEAD is detached" in reason
    hosted.git("symbolic-ref", "HEAD", "refs/heads/main")
    clone.git("revert", "--no-edit", "HEAD")
    clone.git("push", "-q", "origin", "main")
    assert client.get("/v1/evaluations/tone")["id"] == first
    assert client.get("/v1/evaluations/tone/results")["total"] == 1
