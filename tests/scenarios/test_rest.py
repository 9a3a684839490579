# SPDX-License-Identifier: Apache-2.0
"""Every row of the REST contract, asked by a client that behaves like the existing ones: plain
httpx, brackets percent-encoded, no workspace header, 30 s, raises on what is not 2xx, JSON but on
204."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from tests.world import SEED, WELCOME, Clone, Server, run

TRACE = {
    "prompt_name": "welcome", "version_tag": "1.0.0",
    "metadata": {"agent": "headline-agent", "loop": 1},
}  # fmt: skip
SPAN = {
    "name": "llm-call", "status": "ok", "start_time": 1000, "end_time": 2500,
    "metadata": {"model": "gpt-4o", "tokens_in": 120, "tokens_out": 340},
}  # fmt: skip


_OPEN: list[httpx.Client] = []


@pytest.fixture(autouse=True, scope="module")
def close_clients() -> Iterator[None]:
    yield
    for http in _OPEN:
        http.close()


class Client:
    """What an application has: a base URL and a key."""

    def __init__(self, server: Server, scopes: str = "read,write,admin", **headers: str) -> None:
        workspace = headers.get("X-Workspace-Id", "default")
        self.http = httpx.Client(
            base_url=server.url,
            headers={"X-API-Key": server.key(scopes, workspace), **headers},
            timeout=30,
        )
        _OPEN.append(self.http)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        response = self.http.request(method, path, json=body, params=params or None)
        response.raise_for_status()
        return None if response.status_code == 204 else response.json()

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def refused(self, method: str, path: str, body: Any = None, **params: Any) -> tuple[int, str]:
        """Status and text of a request that must fail; the envelope is always the same."""
        response = self.http.request(method, path, json=body, params=params or None)
        assert response.status_code >= 400, response.text
        said = response.json()
        assert {"error", "code", "requestId"} <= said.keys()
        assert response.headers["x-request-id"] == said["requestId"]
        return response.status_code, said["error"]


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server)


def fresh(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def publish(client: Client, name: str, version: str = "1.0.0", text: str = "Hello") -> Any:
    body = {"name": name, "version": version, "messages": [{"role": "user", "content": text}]}
    return client.post("/v1/prompts", body)


# prompts


def test_post_prompts_publishes_and_serves_before_it_answers(client: Client) -> None:
    name = fresh("welcome")
    made = client.post("/v1/prompts", {**SEED, "name": name})
    assert (made["name"], made["version_tag"], made["on_branch"]) == (name, "1.0.0", True)
    found = client.get(f"/v1/prompts/{name}", **{"variables[name]": "Alice B"})
    assert found["content"]["messages"][1]["content"] == "Hello Alice B!"
    assert found["version"] == {
        "name": name,
        "version_tag": "1.0.0",
        "commit_sha": made["commit_sha"],
        "created_at": made["created_at"],
    }
    listed = client.get("/v1/prompts", q=name)
    assert [item["name"] for item in listed["items"]] == [name]
    versions = client.get(f"/v1/prompts/{name}/versions")
    assert versions["items"][0]["status"] == "active"
    assert versions["items"][0]["workspace_id"] == "default"
    assert client.get("/v1/prompts/count")["count"] >= 1


def test_post_prompts_is_a_commit_that_names_the_key(server: Server, client: Client) -> None:
    name = fresh("authored")
    made = publish(client, name)
    repository = server.data / "repos" / "default.git"
    said = run("git", "show", "-s", "--format=%an%n%B", made["commit_sha"], cwd=repository)
    assert said.startswith("key\n")
    assert f"{name} 1.0.0" in said
    kind = run("git", "cat-file", "-t", f"refs/tags/prompts/{name}/1.0.0", cwd=repository).strip()
    assert kind == "tag"
    assert run("git", "show", f"main:prompts/{name}.json", cwd=repository)


def test_thirty_two_publishes_of_one_version_have_one_winner(server: Server) -> None:
    name = fresh("race")
    body = {"name": name, "version": "1.0.0", "messages": [{"role": "user", "content": "x"}]}
    headers = {"X-API-Key": server.key()}

    def attempt(number: int) -> int:
        changed = {**body, "description": str(number)}
        return httpx.post(
            server.url + "/v1/prompts", json=changed, headers=headers, timeout=60
        ).status_code

    with ThreadPoolExecutor(32) as pool:
        statuses = sorted(pool.map(attempt, range(32)))
    assert statuses == [201, *[409] * 31]


def test_a_backport_goes_beside_the_branch_and_the_tip_keeps_the_newest(
    server: Server, client: Client
) -> None:
    name = fresh("backport")
    publish(client, name, "1.0.0", "one")
    assert publish(client, name, "2.0.0", "two")["on_branch"] is True
    assert publish(client, name, "1.0.1", "patched")["on_branch"] is False
    tip = run("git", "show", f"main:prompts/{name}.json", cwd=server.data / "repos/default.git")
    assert json.loads(tip)["messages"][0]["content"] == "two"
    assert client.get(f"/v1/prompts/{name}")["version"]["version_tag"] == "2.0.0"


def test_a_working_copy_that_somebody_edited_is_not_overwritten(
    server: Server, client: Client, tmp_path: Path
) -> None:
    name = fresh("edited")
    theirs = Client(server, **{"X-Workspace-Id": "edits"})
    publish(theirs, name, "1.0.0", "one")
    run("git", "clone", "-q", server.remote(workspace="edits"), "c", cwd=tmp_path)
    clone = Clone(tmp_path / "c")
    clone.write(
        f"prompts/{name}.json", json.dumps({"messages": [{"role": "user", "content": "draft"}]})
    )
    clone.commit("Draft")
    clone.git("push", "-q", "origin", "main")
    assert publish(theirs, name, "1.1.0", "two")["on_branch"] is False
    clone.git("pull", "-q")
    assert "draft" in (clone.path / f"prompts/{name}.json").read_text()


def test_a_yaml_file_stays_yaml_with_its_comments(server: Server, tmp_path: Path) -> None:
    theirs = Client(server, **{"X-Workspace-Id": "yaml"})
    clone = Clone.init(tmp_path / "c")
    clone.commit(
        "x", welcome="# For new customers\n" + WELCOME.replace("Hello", "Hello  # not a comment")
    )
    clone.tag("welcome", "1.0.0")
    clone.git("push", "-q", server.remote(workspace="yaml"), "main", "refs/tags/*:refs/tags/*")
    document = {
        "messages": [{"role": "user", "content": "Hi {{name}}!\nno\n"}],
        "variables": {"name": {"type": "string", "required": True}},
    }
    made = theirs.post("/v1/prompts", {"name": "welcome", "version": "1.1.0", **document})
    assert made["on_branch"] is True
    text = run("git", "show", "main:prompts/welcome.yaml", cwd=server.data / "repos/yaml.git")
    assert text.startswith("# For new customers\n")
    assert "required: true}" in text
    assert (
        theirs.get("/v1/prompts/welcome", render="false")["content"]["messages"]
        == document["messages"]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name: is required"),
        ({"version": None}, "version: is required"),
        ({"version": "1.0"}, None),
        ({"version": "v1"}, "not a semantic version"),
        ({"name": "../../etc/passwd"}, "is not of the form"),
        ({"name": "a/1.0.0"}, "reads as a version"),
        ({"messages": []}, "is empty"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "is not one of"),
        ({"messages": [{"role": "user", "content": "{{nmae}}"}]}, "used but not declared"),
        ({"messages": [{"role": "user", "content": "sk-" + "a" * 48}]}, "looks like a secret"),
        ({"messages": [{"role": "user", "content": "x" * 100_001}]}, "at most"),
        ({"variables": {"name": {"type": "string", "colour": 1}}}, "unknown key"),
        ({"tags": ["x"] * 21}, "at most"),
    ],
)
def test_a_prompt_that_breaks_a_rule_is_422_with_the_reason(
    client: Client, change: dict[str, Any], words: str | None
) -> None:
    body = {**SEED, "name": fresh("wrong"), **change}
    response = client.http.post("/v1/prompts", json=body)
    if words is None:
        assert response.status_code == 201
        return
    assert response.status_code == 422, response.text
    said = response.json()
    assert said["detailsType"] == "fields"
    assert any(words in field for field in said["details"]["fields"]), said


# labels


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


# logs


def test_post_logs_and_get_logs(client: Client) -> None:
    name = fresh("logged")
    body = {
        "prompt_name": name, "version_tag": "1.0.0", "provider": "openai", "model": "gpt-4o",
        "tokens_in": 0, "tokens_out": 340, "latency_ms": 0, "cost_usd": 0, "status": "ok",
        "metadata": {"deep": {"er": [1, None]}}, "ollama_options": {"num_ctx": 1}, "unknown": 1,
    }  # fmt: skip
    answer = client.post("/v1/logs", body)
    assert answer == {"id": answer["id"], "status": "accepted"}
    (stored,) = client.get("/v1/logs", prompt_name=name)["items"]
    body.pop("unknown")
    assert {key: stored[key] for key in body} == body
    assert (stored["id"], stored["workspace_id"]) == (answer["id"], "default")
    assert client.get("/v1/logs", prompt_name=name, status="error")["total"] == 0
    assert client.get("/v1/logs", prompt_name=name, since=stored["created_at"] + 1)["total"] == 0
    assert client.refused("GET", "/v1/logs", since="yesterday")[0] == 422


def test_a_log_sent_again_is_the_same_log(client: Client) -> None:
    body = {"prompt_name": fresh("again"), "version_tag": "1", "log_id": fresh("log")}
    first = client.post("/v1/logs", {**body, "metadata": {"a": 1, "b": 2}})
    assert client.post("/v1/logs", {**body, "metadata": {"b": 2, "a": 1}}) == first
    assert client.get("/v1/logs", prompt_name=body["prompt_name"])["total"] == 1
    assert client.refused("POST", "/v1/logs", {**body, "model": "other"})[0] == 409


# traces and spans


def test_traces_and_spans(client: Client) -> None:
    trace_id = str(uuid.uuid4())
    made = client.post("/v1/traces", {**TRACE, "trace_id": trace_id})
    assert made == {
        "trace_id": trace_id, "prompt_name": "welcome", "version_tag": "1.0.0", "status": "created",
    }  # fmt: skip
    path = f"/v1/traces/{trace_id}"
    child = client.post(f"{path}/spans", {**SPAN, "span_id": "b", "parent_id": "later"})
    assert child == {"trace_id": trace_id, "span_id": "b", "name": "llm-call", "status": "ok"}
    zero = client.post(f"{path}/spans", {"name": "zero", "start_time": 0, "end_time": 0})
    several = client.post(f"{path}/spans", [{"name": "x", "start_time": 5}, {"name": "y"}])
    assert [one["name"] for one in several] == ["x", "y"]
    found = client.get(path)
    assert [one["name"] for one in found["spans"]] == ["zero", "x", "llm-call", "y"]
    assert (found["spans"][0]["start_time"], found["spans"][0]["end_time"]) == (0, 0)
    assert found["metadata"] == TRACE["metadata"]
    one = client.get(f"{path}/spans/{zero['span_id']}")
    assert (one["start_time"], one["status"], one["parent_id"]) == (0, "unset", None)
    assert client.get(f"{path}/spans/b")["metadata"] == SPAN["metadata"]
    assert client.refused("GET", f"{path}/spans/none") == (404, "Span not found")
    assert client.get("/v1/traces/count")["count"] == client.get("/v1/traces")["total"]


def test_a_trace_or_span_sent_again_is_the_same(client: Client) -> None:
    trace = {**TRACE, "trace_id": str(uuid.uuid4())}
    for _ in range(2):
        client.post("/v1/traces", trace)
    assert client.refused("POST", "/v1/traces", {**trace, "version_tag": "2.0.0"})[0] == 409
    path = f"/v1/traces/{trace['trace_id']}/spans"
    batch = [{**SPAN, "span_id": "a"}, {**SPAN, "span_id": "b"}]
    for _ in range(2):
        client.post(path, batch)
    client.post(path, [*batch, {**SPAN, "span_id": "c"}])
    other = [{**SPAN, "span_id": "d"}, {**SPAN, "span_id": "a", "name": "other"}]
    assert client.refused("POST", path, other)[0] == 409
    found = client.get(f"/v1/traces/{trace['trace_id']}")
    assert [span["span_id"] for span in found["spans"]] == ["a", "b", "c"]


def test_spans_of_an_unknown_trace_are_404(client: Client) -> None:
    path = f"/v1/traces/{uuid.uuid4()}"
    assert client.refused("POST", f"{path}/spans", SPAN) == (404, "Trace not found")
    assert client.refused("GET", path) == (404, "Trace not found")
    assert client.refused("DELETE", path) == (404, "Trace not found")
    assert client.refused("POST", "/v1/traces", {"trace_id": "none"})[0] == 422


def test_deleting_a_trace_takes_its_spans_and_leaves_its_runs(client: Client) -> None:
    trace_id = client.post("/v1/traces", {})["trace_id"]
    client.post(f"/v1/traces/{trace_id}/spans", {**SPAN, "span_id": "s"})
    run_id = client.post("/v1/runs", {"workflow_name": "w", "trace_id": trace_id})["run_id"]
    assert client.call("DELETE", f"/v1/traces/{trace_id}") is None
    assert client.refused("GET", f"/v1/traces/{trace_id}/spans/s")[0] == 404
    assert client.get(f"/v1/runs/{run_id}")["trace_id"] is None


OTLP = json.loads((Path(__file__).parents[1] / "data" / "otlp-traces.json").read_text())


def test_otlp_in_json_is_told_apart_and_counted(client: Client) -> None:
    response = client.http.post("/v1/traces", json=OTLP)
    assert (response.status_code, response.json()) == (200, {"partialSuccess": {}})
    found = client.get("/v1/traces/5b8efff798038103d269b633813fc60c")
    assert (found["prompt_name"], found["version_tag"]) == ("support/triage", "1.4.2")
    assert len(found["spans"]) == 4
    assert found["spans"][0]["start_time"] == 1_789_891_200_000
    failed = next(span for span in found["spans"] if span["name"] == "gen")
    assert failed["status"] == "error"
    assert (failed["metadata"]["tokens_in"], failed["metadata"]["tokens_cached"]) == (412, 256)
    client.http.post("/v1/traces", json=OTLP)
    assert len(client.get(f"/v1/traces/{found['trace_id']}")["spans"]) == 4


def test_otlp_in_protobuf(client: Client) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )

    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = uuid.uuid4().bytes, b"12345678", "call"
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000_000, 9_000_000
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    response = client.http.post(
        "/v1/traces", content=gzip.compress(request.SerializeToString()), headers=headers
    )
    assert response.status_code == 200
    assert not ExportTraceServiceResponse.FromString(
        response.content
    ).partial_success.rejected_spans
    found = client.get(f"/v1/traces/{span.trace_id.hex()}")["spans"][0]
    assert (found["span_id"], found["start_time"], found["end_time"]) == (b"12345678".hex(), 1, 9)
    bad = client.http.post(
        "/v1/traces", content=b"\xff\xff", headers={"Content-Type": "application/x-protobuf"}
    )
    assert bad.status_code == 400


# runs


def test_runs(client: Client) -> None:
    made = client.post(
        "/v1/runs", {"workflow_name": "headline", "input": {"topic": "AI"}, "metadata": {"a": 1}}
    )
    assert (made["workflow_name"], made["status"]) == ("headline", "running")
    path = f"/v1/runs/{made['run_id']}"
    assert client.call("PATCH", path, {}) == {"message": "No changes"}
    assert client.call("PATCH", path, {"status": "completed", "output": {"h": 1}}) == {
        "run_id": made["run_id"], "status": "updated",
    }  # fmt: skip
    found = client.get(path)
    assert (found["status"], found["input"], found["output"]) == (
        "completed",
        {"topic": "AI"},
        {"h": 1},
    )
    assert found["end_time"] >= found["start_time"]
    assert client.get("/v1/runs", workflow_name="headline")["total"] >= 1
    assert client.call("DELETE", path) is None
    for method in ("GET", "DELETE"):
        assert client.refused(method, path) == (404, "Run not found")
    assert client.refused("PATCH", path, {"status": "failed"}) == (404, "Run not found")


def test_a_run_sent_again_and_a_run_of_an_unknown_trace(client: Client) -> None:
    body = {"workflow_name": "w", "run_id": fresh("run")}
    for _ in range(2):
        assert client.post("/v1/runs", body)["run_id"] == body["run_id"]
    assert client.refused("POST", "/v1/runs", {**body, "workflow_name": "x"})[0] == 409
    unknown = {"workflow_name": "w", "trace_id": str(uuid.uuid4())}
    assert client.refused("POST", "/v1/runs", unknown) == (404, "Trace not found")


# evaluations


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


# metrics


def test_custom_metrics(client: Client) -> None:
    name = fresh("thumbs").replace("-", "_")
    points = [
        {"name": name, "value": v, "timestamp": 60_000 * at} for at, v in ((1, 2), (1, 4), (3, 5))
    ]
    assert client.post("/v1/metrics", points) == {"accepted": 3}
    assert client.post("/v1/metrics", {"name": name, "value": 1, "labels": {"a": "b"}}) == {
        "accepted": 1
    }
    found = client.get("/v1/metrics", name=name, until=1_000_000, step=60_000)
    assert found["points"] == [
        {"timestamp": 60_000, "value": 3.0, "points": 2},
        {"timestamp": 180_000, "value": 5.0, "points": 1},
    ]
    last = client.get("/v1/metrics", name=name, until=1_000_000, step=1_000_000, agg="last")
    assert last["points"][0]["value"] == 5.0
    assert client.refused("GET", "/v1/metrics")[0] == 422
    assert client.refused("GET", "/v1/metrics", name=name, agg="magic")[0] == 422


def test_statistics_say_how_a_version_did(client: Client) -> None:
    name = fresh("measured")
    publish(client, name, "1.2.0", "a")
    publish(client, name, "1.3.0", "b")
    for latency in range(1, 101):
        client.post("/v1/logs", {"prompt_name": name, "version_tag": "1.3.0", "latency_ms": latency,
                                 "tokens_in": 10, "tokens_out": 1, "cost_usd": 0.01,
                                 "status": "error" if latency > 90 else "ok"})  # fmt: skip
    trace = client.post("/v1/traces", {"prompt_name": name, "version_tag": "1.2.0"})["trace_id"]
    client.post(f"/v1/traces/{trace}/spans", {**SPAN, "span_id": "call"})
    call = {"prompt_name": name, "version_tag": "1.2.0", "trace_id": trace, "span_id": "call",
            "tokens_in": 120, "tokens_out": 340, "latency_ms": 1500}  # fmt: skip
    client.post("/v1/logs", call)  # the same call: it counts once
    run_id = client.post("/v1/runs", {"workflow_name": "w", "trace_id": trace})["run_id"]
    suite = fresh("suite")
    client.post("/v1/evaluations", {"name": suite, "prompt_name": name})
    for score in (0.5, 1.0):
        client.post(f"/v1/evaluations/{suite}/results", {"run_id": run_id, "score": score})
    versions = client.get(f"/v1/prompts/{name}/versions", stats="true")["items"]
    stats = {version["version_tag"]: version["stats"] for version in versions}
    assert (stats["1.3.0"]["calls"], stats["1.3.0"]["errors"], stats["1.3.0"]["error_rate"]) == (
        100,
        10,
        0.1,
    )
    assert (stats["1.3.0"]["latency_p50_ms"], stats["1.3.0"]["latency_p95_ms"]) == (50, 95)
    assert (stats["1.3.0"]["tokens_in"], stats["1.3.0"]["cost_usd"]) == (1000, 1.0)
    assert (stats["1.2.0"]["calls"], stats["1.2.0"]["tokens_out"]) == (1, 340)
    assert (stats["1.2.0"]["scores"], stats["1.2.0"]["mean_score"]) == (2, 0.75)
    summary = client.get("/v1/metrics/summary", window="1h", prompt_name=name)["items"]
    assert {item["version_tag"]: item for item in summary} == stats
    assert client.refused("GET", "/v1/metrics/summary", window="1y")[0] == 422


# what an attack on all of the above found


def test_a_file_in_the_way_of_a_folder_is_never_replaced(server: Server, client: Client) -> None:
    name = fresh("way")
    assert publish(client, name)["on_branch"] is True
    assert publish(client, f"{name}.json/below")["on_branch"] is False
    assert client.get(f"/v1/prompts/{name}.json/below")["content"]["name"] == f"{name}.json/below"
    assert publish(client, name, "1.1.0", "more")["on_branch"] is True
    suite = {"name": name, "prompt_name": name}
    client.post("/v1/evaluations", suite)
    assert client.refused("POST", "/v1/evaluations", {**suite, "name": f"{name}.yaml/x"})[0] == 409
    assert client.get(f"/v1/evaluations/{name}")["name"] == name
    client.post("/v1/evaluations", {**suite, "name": f"{name}-2.yaml/x"})
    assert client.refused("POST", "/v1/evaluations", {**suite, "name": f"{name}-2"})[0] == 409
    assert client.get(f"/v1/evaluations/{name}-2.yaml/x")["prompt_name"] == name


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


@pytest.mark.parametrize("scalar", ["0x_", "+_", "._", "0o_"])
def test_yaml_that_a_library_chokes_on_is_published_over(
    server: Server, tmp_path: Path, scalar: str
) -> None:
    workspace = fresh("odd")
    clone = Clone.init(tmp_path / "c")
    clone.commit("x", welcome=WELCOME + f"note: {scalar}\n")
    clone.tag("welcome", "1.0.0")
    clone.git("push", "-q", server.remote(workspace=workspace), "main", "refs/tags/*:refs/tags/*")
    theirs = Client(server, **{"X-Workspace-Id": workspace})
    assert publish(theirs, "welcome", "1.1.0")["version_tag"] == "1.1.0"


def test_an_export_keeps_its_good_spans_and_counts_each_for_its_own_prompt(client: Client) -> None:
    trace_id = uuid.uuid4().hex
    name = fresh("otlp")

    def span(number: int, **more: Any) -> dict[str, Any]:
        attributes = {"gen_ai.operation.name": "chat", **more.pop("attributes", {})}
        return {
            "traceId": trace_id, "spanId": f"{number:016x}", "name": "chat",
            "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
            **more,
        }  # fmt: skip

    def export(*spans: dict[str, Any]) -> Any:
        return client.post("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})

    def calls(prompt: str) -> dict[str, int]:
        found = client.get("/v1/metrics/summary", prompt_name=prompt)["items"]
        return {item["version_tag"]: item["calls"] for item in found}

    export(span(1))
    export(span(2, attributes={"gen_ai.prompt.name": name, "gen_ai.prompt.version": "1.0.0"}))
    assert calls(name) == {"1.0.0": 2}  # the first belongs to the same trace
    export(span(3, attributes={"gen_ai.prompt.name": f"{name}-b", "gen_ai.prompt.version": "2"}))
    assert calls(f"{name}-b") == {"2": 1}
    partly = export(span(1, name="other"), span(4), {**span(5), "spanId": "x"})
    assert partly["partialSuccess"]["rejectedSpans"] == "2"
    found = client.get(f"/v1/traces/{trace_id}")
    assert sorted(one["span_id"][-1] for one in found["spans"]) == ["1", "2", "3", "4"]
    inside = client.post("/v1/traces", {"metadata": {"resourceSpans": 3}})
    assert client.get(f"/v1/traces/{inside['trace_id']}")["metadata"] == {"resourceSpans": 3}


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


def test_a_call_counts_once_however_its_trace_is_spelled(client: Client) -> None:
    name, trace_id = fresh("spelled"), str(uuid.uuid4())
    client.post(
        "/v1/traces", {"trace_id": trace_id.upper(), "prompt_name": name, "version_tag": "1"}
    )
    client.post(f"/v1/traces/{trace_id.upper()}/spans", {**SPAN, "span_id": "call"})
    call = {"prompt_name": name, "version_tag": "1", "span_id": "call"}
    client.post("/v1/logs", {**call, "trace_id": trace_id.replace("-", "")})
    (found,) = client.get("/v1/metrics/summary", prompt_name=name)["items"]
    assert found["calls"] == 1


def test_statistics_stay_with_versions(client: Client) -> None:
    name = fresh("plain")
    publish(client, name)
    client.post(f"/v1/prompts/{name}/labels", {"name": "production"})
    response = client.http.get(f"/v1/prompts/{name}", params={"stats": "true"})
    assert response.headers["etag"]
    (label,) = client.get(f"/v1/prompts/{name}/labels", stats="true")["items"]
    assert "stats" not in label


def test_publishing_while_refs_are_packed(server: Server) -> None:
    client = Client(server, **{"X-Workspace-Id": "packing"})
    publish(client, "first")
    repository = server.data / "repos" / "packing.git"
    stop = threading.Event()

    def pack() -> None:
        while not stop.is_set():
            run("git", "pack-refs", "--all", cwd=repository)

    packer = threading.Thread(target=pack)
    packer.start()
    try:
        for number in range(40):
            publish(client, f"prompt-{number}")
    finally:
        stop.set()
        packer.join()
    assert client.get("/v1/prompts/count") == {"count": 41}


def test_publishing_goes_on_after_an_older_copy_of_the_repository_was_restored(
    server: Server,
) -> None:
    client = Client(server, **{"X-Workspace-Id": "restored"})
    repository, copy = (server.data / "repos" / name for name in ("restored.git", "copy.tmp"))
    publish(client, "p", "1.0.0", "one")
    shutil.copytree(repository, copy)
    publish(client, "p", "1.1.0", "two")
    shutil.rmtree(repository)
    copy.rename(repository)
    assert publish(client, "p", "1.2.0", "three")["on_branch"] is False
    versions = client.get("/v1/prompts/p/versions")["items"]
    assert {one["version_tag"] for one in versions} == {"1.0.0", "1.1.0", "1.2.0"}
    assert client.get("/v1/prompts/p")["version"]["version_tag"] == "1.2.0"
    assert "dangling" not in run("git", "fsck", "--strict", cwd=repository)


# keys, audit, config


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


def test_config_masks_secrets(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", env={"GITHUB_WEBHOOK_SECRET": "hunter2"}).start()
    try:
        text = json.dumps(Client(server).get("/v1/config"))
        assert "hunter2" not in text
        assert '"github_webhook_secret": "***"' in text
    finally:
        server.stop()


def test_a_rate_limit_counts_each_request_once(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--rate-limit", "5").start()
    try:
        client = Client(server)
        seen = [client.http.get("/v1/logs") for _ in range(12)]
        assert {response.status_code for response in seen} == {200, 429}
        good = [response for response in seen if response.status_code == 200]
        assert good[0].headers["ratelimit-limit"] == "5"
        last = seen[-1]
        assert last.json()["code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= int(last.headers["retry-after"]) <= 60
    finally:
        server.stop()


# every route, every scope, every workspace

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
    for key, (status, words) in expected.items():
        response = server.request(path, method=method, key=key, content=b"{}",
                                  headers={"Content-Type": "application/json"})  # fmt: skip
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


# lists


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/traces", "/v1/runs", "/v1/audit-logs"])
def test_lists_by_page_and_by_cursor(server: Server, path: str) -> None:
    client = Client(server, **{"X-Workspace-Id": "lists"})
    if not client.get("/v1/logs")["total"]:
        for number in range(7):
            client.post("/v1/logs", {"prompt_name": "p", "version_tag": str(number)})
            client.post("/v1/traces", {})
            client.post("/v1/runs", {"workflow_name": "w"})
    first = client.get(path, limit=3)
    assert first["totalPages"] == -(-first["total"] // 3)
    by_page = [item for page in range(1, first["totalPages"] + 1)
               for item in client.get(path, page=page, limit=3)["items"]]  # fmt: skip
    by_cursor: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path, limit=3, cursor=cursor)
        by_cursor += page["items"]
        cursor = page["nextCursor"]
    assert len(by_page) == first["total"]
    assert by_cursor == by_page
    for wrong in ({"page": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "!"}):
        assert client.refused("GET", path, **wrong)[0] == 422


# hostile bodies


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b"[" * 5000, 400), (b"null", 422),
        (b"[]", 422), (b'{"prompt_name": NaN}', 400), (b'{"cost_usd": 1e400}', 400),
        (b'{"prompt_name": "\\ud800", "version_tag": "1"}', 400),
        (b'{"prompt_name": "a\\u0000b", "version_tag": "1"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": -1}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": 1.5}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": 99999999999999999999}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "cost_usd": -0.1}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "status": "maybe"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "metadata": []}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "metadata": {"n": 123456789012345678901234567890}}', None),
        (json.dumps({"prompt_name": "a", "version_tag": "1", "metadata": {str(n): 1 for n in range(51)}}).encode(), 422),
        (json.dumps({"prompt_name": "x" * 257, "version_tag": "1"}).encode(), 422),
        (b'{"prompt_name": null, "version_tag": "1"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "model": null}', 202),
    ],
)  # fmt: skip
def test_hostile_bodies(client: Client, content: bytes, status: int | None) -> None:
    response = client.http.post(
        "/v1/logs", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status if status else response.status_code in (202, 422), (
        response.text
    )


def test_all_problems_of_a_body_are_told_at_once(client: Client) -> None:
    response = client.http.post(
        "/v1/logs", json={"prompt_name": 1, "latency_ms": "x", "status": "no"}
    )
    fields = response.json()["details"]["fields"]
    assert len(fields) == 4
    assert any("version_tag" in field for field in fields)


def test_large_compressed_and_mistyped_bodies(client: Client) -> None:
    big = {"prompt_name": "a", "version_tag": "1", "metadata": {"x": "y" * 10_000_001}}
    assert client.refused("POST", "/v1/logs", big)[0] == 413
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    def send(content: bytes, **more: str) -> int:
        return client.http.post(
            "/v1/logs", content=content, headers={**headers, **more}
        ).status_code

    assert send(gzip.compress(json.dumps(big).encode())) == 413
    assert send(gzip.compress(b'{"prompt_name": "a", "version_tag": "1"}')) == 202
    assert send(b"not gzip") == 400
    assert send(b"{}", **{"Content-Encoding": "br"}) == 415
    assert send(b"{}", **{"Content-Type": "text/plain", "Content-Encoding": "identity"}) == 415
    assert client.refused("PATCH", "/v1/logs", {})[0] == 405
    response = client.http.request("PUT", "/v1/traces/count")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


# docs


def test_the_documentation_page_and_its_assets_are_ours(server: Server) -> None:
    for path in ("/docs", "/docs/"):
        page = server.request(path, key=None)
        assert page.status_code == 200
        assert "swagger" in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert server.request(f"/docs/{name}", key=None).status_code == 200
    assert server.request("/docs/../app.py", key=None).status_code == 404


@pytest.fixture(scope="module")
def described(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json")
    return found


def test_the_openapi_document_is_valid(described: dict[str, Any]) -> None:
    validate(described)


def test_the_examples_of_the_documentation_work_as_printed(
    client: Client, described: dict[str, Any]
) -> None:
    """In the order of a day: each body that the documentation shows is sent as it stands."""
    examples = {
        (method, path): operation["requestBody"]["content"]["application/json"]["example"]
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if "example" in operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    }  # fmt: skip
    prompt = examples.pop(("post", "/v1/prompts"))
    client.http.post("/v1/prompts", json=prompt)
    names = {"{name}": prompt["name"], "{label}": "example", "{evaluation_id}": "accuracy-check"}
    trace = examples.pop(("post", "/v1/traces"))
    client.post("/v1/traces", trace)
    names["{trace_id}"] = trace["trace_id"]
    names["{run_id}"] = client.post("/v1/runs", examples.pop(("post", "/v1/runs")))["run_id"]
    client.post("/v1/evaluations", examples.pop(("post", "/v1/evaluations")))
    for (method, path), body in examples.items():
        for hole, value in names.items():
            path = path.replace(hole, value)
        client.call(method.upper(), path, body)


# the command line against a server


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
