# SPDX-License-Identifier: Apache-2.0
"""/v1/evaluations: files in Git, and their results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.server.client import Client, fresh
from tests.world import WELCOME, Clone, Server, run


def suite(name: str) -> dict[str, Any]:
    return {
        "name": name, "description": "Check", "prompt_name": "welcome", "version_tag": "1.0.0",
        "criteria": {"min_score": 0.8},
    }  # fmt: skip


def test_evaluations_are_files_in_git(server: Server, client: Client) -> None:
    body = suite(fresh("accuracy"))
    created = client.post("/v1/evaluations", body)
    assert {key: created[key] for key in body} == body
    assert client.refused("POST", "/v1/evaluations", body) == (409, "Evaluation already exists")
    path = f"main:evals/{body['name']}.yaml"
    text = run("git", "show", path, cwd=server.data / "repos/default.git")
    assert "min_score: 0.8" in text


def test_an_evaluation_is_found_by_its_number_and_by_its_name(client: Client) -> None:
    name = fresh("accuracy")
    created = client.post("/v1/evaluations", suite(name))
    for key in (created["id"], name):
        assert client.get(f"/v1/evaluations/{key}") == created
    assert created in client.get("/v1/evaluations", limit=100)["items"]
    assert client.refused("GET", "/v1/evaluations/not%20valid")[0] == 400


def test_a_result_that_is_sent_again_is_the_same_result(client: Client) -> None:
    name = fresh("accuracy")
    number = client.post("/v1/evaluations", suite(name))["id"]
    body = {
        "run_id": "run_7a3fe2c",
        "score": 0.95,
        "metadata": {"judge": "gpt-4"},
        "result_id": "r",
    }
    result = client.post(f"/v1/evaluations/{number}/results", body)
    assert (result["evaluation_id"], result["score"]) == (number, 0.95)
    assert client.post(f"/v1/evaluations/{name}/results", body)["id"] == result["id"]
    changed = {**body, "score": 0.1}
    assert client.refused("POST", f"/v1/evaluations/{name}/results", changed)[0] == 409
    assert client.get(f"/v1/evaluations/{name}/results")["total"] == 1


def test_an_evaluation_is_deleted_by_an_admin_and_its_number_not_given_again(
    server: Server, client: Client
) -> None:
    body = suite(fresh("accuracy"))
    number = client.post("/v1/evaluations", body)["id"]
    writer = Client(server, "read,write")
    assert writer.refused("DELETE", f"/v1/evaluations/{body['name']}")[0] == 403
    assert client.call("DELETE", f"/v1/evaluations/{number}") is None
    assert client.refused("GET", f"/v1/evaluations/{number}") == (404, "Evaluation not found")
    assert client.post("/v1/evaluations", body)["id"] > number


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
