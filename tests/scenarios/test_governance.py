# SPDX-License-Identifier: Apache-2.0
"""What a repository says of itself in gitprompt.yaml, and who may change that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import WELCOME, Clone, Refused, Server

POLICY = """\
publish_from: [main, release/*]
branches: {main: {force: never}}
default_label: production
"""


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:90]


@pytest.fixture
def team(server: Server, space: str, published: Clone) -> Clone:
    """A clone whose origin has the policy; pushed with a key that may write and is no admin's."""
    published.write("gitprompt.yaml", POLICY)
    published.commit("Policy")
    published.git("remote", "add", "origin", server.remote(workspace=space))
    published.push_all("origin")
    published.git("fetch", "-q", "origin")
    published.git("remote", "set-url", "origin", server.remote("read,write", workspace=space))
    return published


def ask(server: Server, space: str, path: str, *, method: str = "GET", body: Any = None) -> Any:
    return server.request(
        path, method=method, key=server.key(workspace=space),
        headers={"Content-Type": "application/json"},
        content=None if body is None else json.dumps(body).encode(),
    )  # fmt: skip


def changed(clone: Clone, text: str) -> str:
    return clone.commit(text, welcome=WELCOME.replace("Hello", text))


def test_a_version_is_published_from_the_branches_that_are_named(
    server: Server, space: str, team: Clone
) -> None:
    team.git("switch", "-q", "-c", "feature")
    changed(team, "Feature")
    with pytest.raises(Refused, match=r"published from main, release/\*, and this is feature"):
        team.gitprompt("publish", "welcome", "--bump", "minor")
    team.tag("welcome", "1.1.0")
    said = team.refusal("push", "origin", "feature", "prompts/welcome/1.1.0")
    assert "on none of the branches that versions are published from: main, release/*" in said
    # A branch and a tag in one push are judged together.
    team.git("push", "-q", "origin", "feature:release/1.1", "prompts/welcome/1.1.0")
    answer = ask(server, space, "/v1/prompts/welcome?version=1.1.0&render=false")
    assert answer.status_code == 200


def test_publish_sends_the_branch_with_the_tag(team: Clone) -> None:
    changed(team, "Next")
    assert "1.1.0" in team.gitprompt("publish", "welcome", "--bump", "minor", "--push")
    assert team.git("ls-remote", "origin", "main").split()[0] == team.git("rev-parse", "main")


def test_a_document_that_is_tagged_by_itself_is_on_no_branch(team: Clone) -> None:
    blob = team.git("rev-parse", "HEAD:prompts/welcome.yaml")
    team.git("tag", "-a", "-m", "x", "prompts/welcome/3.0.0", blob)
    assert "publish_from" in team.refusal("push", "origin", "prompts/welcome/3.0.0")


def test_over_rest_what_would_be_beside_the_branch_is_403(
    server: Server, space: str, team: Clone
) -> None:
    document = {"name": "welcome", "messages": [{"role": "user", "content": "Hi"}]}
    for version, status in (("0.9.0", 403), ("1.1.0", 201), ("1.0.5", 403)):
        body = {**document, "version": version}
        answer = ask(server, space, "/v1/prompts", method="POST", body=body)
        assert answer.status_code == status, answer.text
    assert "Versions are published from main, release/* here" in answer.json()["error"]


def test_the_history_of_a_branch_is_not_rewritten(server: Server, space: str, team: Clone) -> None:
    team.git("commit", "-q", "--amend", "-m", "Another past")
    said = team.refusal("push", "--force", "origin", "main")
    assert "the history of main is never rewritten" in said
    assert "git revert" in said
    team.git("push", "-q", "origin", "main:refs/heads/other")
    team.git("push", "-q", "--force", "origin", "main~1:refs/heads/other")
    admin = server.remote(workspace=space)
    assert "never rewritten" in team.refusal("push", "--force", admin, "main"), "whoever pushes"


CHANGES = {
    "fewer": "publish_from: [main]\n",
    "force": POLICY.replace("never", "allowed"),
    "default": POLICY.replace("production", "x"),
    "labels": POLICY + "labels: {protected: {a: admin}}\n",
    "nothing": "{}\n",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_policy_is_changed_by_admins(
    server: Server, space: str, team: Clone, change: str
) -> None:
    team.write("gitprompt.yaml", change)
    team.commit("Other policy")
    assert "this changes the policy in gitprompt.yaml" in team.refusal("push", "origin", "main")
    team.git("push", "-q", server.remote(workspace=space), "main")


def test_severities_are_no_policy(team: Clone) -> None:
    team.write("gitprompt.yaml", POLICY + "checks: {size: error}\n")
    team.commit("Stricter")
    team.git("push", "-q", "origin", "main")


# What a request without a selector gets


def text_of(server: Server, space: str, query: str = "") -> str:
    answer = ask(server, space, f"/v1/prompts/welcome?render=false&{query}")
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["content"]["messages"][0]["content"]
    return content


def test_a_request_without_a_selector_gets_the_default_label(
    server: Server, space: str, team: Clone
) -> None:
    changed(team, "Next")
    team.gitprompt("publish", "welcome", "--bump", "minor", "--push")
    assert text_of(server, space) == "Next {{name}}!", "the newest, as long as nobody has set it"
    team.gitprompt("label", "set", "welcome", "production", "1.0.0", "--push")
    assert text_of(server, space) == "Hello {{name}}!"
    assert text_of(server, space, "version=1.1.0") == "Next {{name}}!"
    body = {"variables": {"name": "Ada"}}
    answer = ask(server, space, "/v1/prompts/welcome/render", method="POST", body=body)
    assert answer.json()["content"]["messages"][0]["content"] == "Hello Ada!"
    assert "Hello Ada!" in team.gitprompt("render", "welcome", "--var", "name=Ada")


def test_without_the_label_there_is_nothing_if_the_repository_says_so(
    server: Server, space: str, team: Clone
) -> None:
    team.write("gitprompt.yaml", "default_label: {name: production, otherwise: nothing}\n")
    team.commit("Strict")
    team.git("push", "-q", server.remote(workspace=space), "main")
    answer = ask(server, space, "/v1/prompts/welcome")
    assert (answer.status_code, answer.json()["error"]) == (404, "Label production not found")
    assert "default_label" in answer.json()["hint"]
    assert text_of(server, space, "version=1.0.0") == "Hello {{name}}!"
