# SPDX-License-Identifier: Apache-2.0
"""/v1/prompts: what is published over HTTP, and how it lies in Git."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.client import Client, fresh, publish
from tests.world import SEED, WELCOME, Clone, Server, run


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


# Rendering by POST


def test_a_prompt_is_rendered_with_values_of_any_type(client: Client) -> None:
    name = fresh("render")
    content = "{{#items}}- {{name}}: {{price}}\n{{/items}}{{user.name}}{{#on}}!{{/on}}"
    publish(client, name, text=content)
    values = {"items": [{"name": "x", "price": 1.5}], "user": {"name": "Ada"}, "on": True}
    answer = client.post(f"/v1/prompts/{name}/render", {"variables": values})
    assert answer["content"]["messages"][0]["content"] == "- x: 1.5\nAda!"
    assert answer == {**client.get(f"/v1/prompts/{name}"), "content": answer["content"]}


def test_a_value_may_be_larger_than_a_request_line(client: Client) -> None:
    name = fresh("render")
    publish(client, name, text="{{text}}")
    text = "{{not a template}} " * 20_000
    answer = client.post(f"/v1/prompts/{name}/render", {"variables": {"text": text}})
    assert answer["content"]["messages"][0]["content"] == text


def test_a_render_chooses_a_version_or_a_label(client: Client) -> None:
    name = fresh("render")
    publish(client, name, text="one")
    publish(client, name, version="1.1.0", text="two")
    client.post(f"/v1/prompts/{name}/labels", {"name": "live", "version_tag": "1.0.0"})
    texts = [
        client.post(f"/v1/prompts/{name}/render", body)["content"]["messages"][0]["content"]
        for body in ({}, {"version": "1.0.0"}, {"label": "live"})
    ]
    assert texts == ["two", "one", "one"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("none", {}, 404),
        ("{name}", {"version": "9.9.9"}, 404),
        ("{name}", {"label": "none"}, 404),
        ("{name}", {"version": "1.0.0", "label": "live"}, 400),
        ("{name}", {"variables": []}, 422),
        ("{name}", {"variables": {"count": "many"}}, 422),
        ("{name}", {}, 400),
    ],
)
def test_a_render_that_cannot_be_is_refused(
    server: Server, client: Client, path: str, body: dict[str, Any], status: int
) -> None:
    name = fresh("refused")
    variables = {"count": {"type": "number", "required": True}}
    document = {"name": name, "version": "1.0.0", "variables": variables,
                "messages": [{"role": "user", "content": "{{count}}"}]}  # fmt: skip
    client.post("/v1/prompts", document)
    url = f"{server.url}/v1/prompts/{path.format(name=name)}/render"
    response = httpx.post(url, json=body, headers={"X-API-Key": server.key()})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")


def test_a_prompt_may_be_called_render(server: Server, client: Client) -> None:
    name = fresh("team") + "/render"
    publish(client, name, text="{{x}}")
    assert client.get(f"/v1/prompts/{name}")["version"]["name"] == name
    answer = client.post(f"/v1/prompts/{name}/render", {"variables": {"x": "y"}})
    assert answer["content"]["messages"][0]["content"] == "y"
    headers = {"X-API-Key": server.key()}
    refused = httpx.put(f"{server.url}/v1/prompts/{name}", headers=headers)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


# Query parameters


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/prompts/{name}?lable=production", "Did you mean label?"),
        ("/v1/prompts?lmit=5", "Did you mean limit?"),
        ("/v1/prompts/{name}/versions?stat=true", "Did you mean stats?"),
        ("/v1/prompts/count?page=1", "It has none."),
        ("/v1/prompts?variables[name]=x", "It has: cursor"),
        ("/v1/logs?prompt=x", "Did you mean prompt_name?"),
        ("/v1/sync?x=1", "It has none."),
        ("/v1/prompts/{name}?%00=1", "It has: label"),
    ],
)
def test_a_query_parameter_that_does_not_exist_is_said(
    server: Server, client: Client, path: str, hint: str
) -> None:
    name = fresh("query")
    publish(client, name)
    headers = {"X-API-Key": server.key()}
    response = httpx.get(server.url + path.format(name=name), headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "BAD_REQUEST")
    assert response.json()["hint"].startswith(hint)


def test_what_is_not_below_v1_ignores_unknown_parameters(server: Server) -> None:
    for path in ("/health?x=1", "/metrics?x=1", "/docs?x=1", "/openapi.json?x=1"):
        assert httpx.get(server.url + path).status_code == 200, path


@pytest.mark.parametrize(("flag", "text"), [("False", "{{x}}"), ("0", "{{x}}"), ("TRUE", "y")])
def test_flags_are_read_in_any_case(client: Client, flag: str, text: str) -> None:
    name = fresh("flag")
    publish(client, name, text="{{x}}")
    answer = client.get(f"/v1/prompts/{name}", **{"render": flag, "variables[x]": "y"})
    assert answer["content"]["messages"][0]["content"] == text


def test_a_flag_that_is_neither_is_refused(server: Server, client: Client) -> None:
    name = fresh("flag")
    publish(client, name)
    headers = {"X-API-Key": server.key()}
    response = httpx.get(f"{server.url}/v1/prompts/{name}?render=maybe", headers=headers)
    assert (response.status_code, response.json()["error"]) == (
        422,
        "render: must be true or false",
    )


# Messages as people really send them


TOOLS: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Answer in {{language}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": [
            {"type": "text", "text": "What is on {{what}}? 🙂"},
            {"type": "image_url", "image_url": {"url": "{{url}}"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "{{verbatim}}"},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
}  # fmt: skip


def test_parts_and_tool_calls_come_back_as_they_were_sent(client: Client) -> None:
    name = fresh("tools")
    client.post("/v1/prompts", {"name": name, "version": "1.0.0", **TOOLS})
    stored = client.get(f"/v1/prompts/{name}", render="false")["content"]
    assert stored == {"name": name, "version": "1.0.0", **TOOLS}
    values = {"language": "German", "what": "it", "url": "https://x/y.png"}
    history = [{"role": "user", "content": "{{not a template}}"}]
    body = {"variables": values, "placeholders": {"history": history}}
    rendered = client.post(f"/v1/prompts/{name}/render", body)["content"]["messages"]
    assert rendered[0]["content"] == "Answer in German."
    assert rendered[1] == history[0]
    assert rendered[2]["content"][0]["text"] == "What is on it? 🙂"
    assert rendered[2]["content"][1]["image_url"] == {"url": "https://x/y.png"}
    assert rendered[3:] == TOOLS["messages"][3:]
    query = {f"variables[{key}]": value for key, value in values.items()}
    assert len(client.get(f"/v1/prompts/{name}", **query)["content"]["messages"]) == 5


def test_they_are_the_same_document_by_git(clone: Clone, server: Server, client: Client) -> None:
    name = fresh("by-git")
    clone.write(f"prompts/{name}.json", json.dumps(TOOLS))
    clone.commit("x")
    clone.git(
        "remote",
        "add",
        "hub",
        f"{server.url.replace('//', '//x:' + server.key() + '@')}/git/default.git",
    )
    clone.git("tag", "-a", "-m", "x", f"prompts/{name}/1.0.0")
    clone.git("push", "-q", "hub", f"prompts/{name}/1.0.0")
    stored = client.get(f"/v1/prompts/{name}", render="false")["content"]
    assert stored == {"name": name, "version": "1.0.0", **TOOLS}


def test_a_placeholder_that_is_wrong_or_missing_is_400(server: Server, client: Client) -> None:
    name = fresh("required")
    required = {"type": "placeholder", "name": "history", "required": True}
    document = {"name": name, "version": "1.0.0", "messages": [required, TOOLS["messages"][-1]]}
    client.post("/v1/prompts", document)
    headers = {"X-API-Key": server.key()}
    url = f"{server.url}/v1/prompts/{name}"
    missing = httpx.get(url, headers=headers)
    assert (missing.status_code, missing.json()["error"]) == (
        400, "Missing required placeholders: history"
    )  # fmt: skip
    body = {"placeholders": {"history": [{"role": "user", "content": "x"}, 7]}}
    wrong = httpx.post(f"{url}/render", json=body, headers=headers)
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("placeholders.history[1]: expected a message")


def test_a_prompt_of_type_text_is_served_as_text_too(client: Client) -> None:
    name = fresh("text")
    document = {"name": name, "version": "1.0.0", "type": "text",
                "messages": [{"role": "user", "content": "Hi {{x}}"}]}  # fmt: skip
    client.post("/v1/prompts", document)
    assert client.get(f"/v1/prompts/{name}", **{"variables[x]": "Ada"})["text"] == "Hi Ada"
    assert client.get(f"/v1/prompts/{name}", render="false")["text"] == "Hi {{x}}"


def test_a_schema_in_a_prompt_that_is_none_is_422(server: Server, client: Client) -> None:
    answer = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "objekt"}}}
    body = {"name": fresh("bad"), "version": "1.0.0", "response_format": answer,
            "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    headers = {"X-API-Key": server.key()}
    response = httpx.post(f"{server.url}/v1/prompts", json=body, headers=headers)
    assert response.status_code == 422
    assert "not a valid JSON Schema" in response.text


def test_an_array_is_published_together_and_each_item_has_its_answer(
    server: Server, client: Client
) -> None:
    first, second, shared = fresh("many"), fresh("many"), fresh("many")
    publish(client, first)
    user = [{"role": "user", "content": "Hi"}]
    documents: list[Any] = [
        {"name": first, "version": "1.0.0", "messages": user},
        {"name": second, "version": "1.0.0", "messages": user},
        {"name": second, "version": "1.1.0", "messages": user, "tags": ["x"]},
        {"name": second, "version": "1.0.0", "messages": user},
        {"name": shared, "version": "1.0.0", "messages": []},
        {"name": shared.upper(), "version": "1.0.0", "messages": user},
        {"name": shared, "version": "2.0.0", "messages": user},
        "no document",
        {"name": shared, "messages": user},
    ]
    documents += [
        {"name": f"{shared}/p{number}", "version": "1.0.0", "messages": user}
        for number in range(20)
    ]
    response = client.http.post("/v1/prompts", json=documents)
    assert response.status_code == 207, response.text
    items = response.json()["items"]
    assert [item["status"] for item in items] == [
        409, 201, 201, 409, 422, 201, 409, 422, 422, *[201] * 20,
    ]  # fmt: skip
    assert (items[0]["error"], items[0]["code"]) == ("Prompt already exists", "CONFLICT")
    assert items[4]["details"]["fields"] == ["messages is empty"]
    assert "differs only in case" in items[6]["error"]
    assert items[1]["on_branch"]
    listed = client.get(f"/v1/prompts/{second}/versions")["items"]
    assert {item["version_tag"] for item in listed} == {"1.0.0", "1.1.0"}
    repository = server.data / "repos" / "default.git"
    assert "error" not in run("git", "fsck", "--strict", cwd=repository)
    file = json.loads(run("git", "show", f"main:prompts/{second}.json", cwd=repository))
    assert file["version"] == "1.1.0"
    log = run("git", "log", "--format=%s", "-22", "main", cwd=repository).splitlines()
    assert log[0] == f"{shared}/p19 1.0.0"
    assert log[-1] == f"{second} 1.1.0"
    rows = client.get("/v1/audit-logs", action="create_prompt", prompt_name=second)["items"]
    assert [(row["version_tag"], row["outcome"]) for row in rows] == [
        ("1.1.0", "done"),
        ("1.0.0", "done"),
    ]


def test_an_array_has_a_bound_and_may_be_empty(client: Client) -> None:
    assert client.http.post("/v1/prompts", json=[]).json() == {"items": []}
    status, said = client.refused("POST", "/v1/prompts", [{}] * 1001)
    assert (status, "at most 1000 are taken" in said) == (413, True)


def test_groups_that_race_have_one_winner_each(server: Server) -> None:
    name = fresh("groups")
    headers = {"X-API-Key": server.key()}

    def attempt(number: int) -> list[int]:
        documents = [
            {"name": f"{name}/p{at}", "version": "1.0.0", "description": str(number),
             "messages": [{"role": "user", "content": "x"}]}
            for at in range(15)
        ]  # fmt: skip
        answer = httpx.post(server.url + "/v1/prompts", json=documents, headers=headers, timeout=60)
        return [item["status"] for item in answer.json()["items"]]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(8)))
    for at in range(15):
        assert sorted(row[at] for row in statuses) == [201] + [409] * 7
