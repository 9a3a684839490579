# SPDX-License-Identifier: Apache-2.0
"""Text that prompts share, from the work tree through a push to what is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.world import Clone, Refused, Server

TONE = "prompts/_fragments/tone.md"
SHARING = """\
messages:
  - role: system
    content: |
      You answer customers.
      {{> tone}}
      {{> legal/eu}}
  - {role: user, content: "{{question}}"}
"""


@pytest.fixture
def sharing(clone: Clone) -> Clone:
    """A clone with two prompts that share two fragments, support published as 1.0.0."""
    clone.write(TONE, "Be kind to {{customer}}.\n")
    clone.write("prompts/_fragments/legal/eu.md", "Obey the law.\nSay so.\n")
    clone.commit("Add", support=SHARING, other=SHARING)
    clone.gitprompt("publish", "support")
    return clone


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:90]


@pytest.fixture
def remote(server: Server, space: str, sharing: Clone) -> str:
    sharing.git("remote", "add", "origin", server.remote(workspace=space))
    sharing.push_all("origin")
    return space


def ask(server: Server, space: str, path: str, *, method: str = "GET", body: Any = None) -> Any:
    return server.request(
        path,
        method=method,
        key=server.key(workspace=space),
        headers={"X-Workspace-Id": space, "Content-Type": "application/json"},
        content=None if body is None else json.dumps(body).encode(),
    )


def get(server: Server, space: str, path: str) -> Any:
    response = ask(server, space, path)
    assert response.status_code == 200, response.text
    return response.json()


def system(server: Server, space: str, query: str = "render=false") -> str:
    answer = get(server, space, f"/v1/prompts/support?{query}")
    content: str = answer["content"]["messages"][0]["content"]
    return content


WHOLE = "You answer customers.\nBe kind to {{customer}}.\nObey the law.\nSay so.\n"


def test_what_is_served_is_the_text_after_inclusion(server: Server, remote: str) -> None:
    assert system(server, remote) == WHOLE
    query = "variables[customer]=Ada&variables[question]=Why"
    assert system(server, remote, query) == WHOLE.replace("{{customer}}", "Ada")


def test_a_version_keeps_its_fragments_and_the_next_has_the_new_ones(
    server: Server, remote: str, sharing: Clone
) -> None:
    sharing.write(TONE, "Be brief, {{customer}}.\n")
    states = {
        i["name"]: i["state"] for i in json.loads(sharing.gitprompt("status", "--json"))["prompts"]
    }
    assert states == {"support": "changed", "other": "unpublished"}
    with pytest.raises(Refused, match=r"tone\.md has changes that are not committed"):
        sharing.gitprompt("publish", "--changed")
    sharing.commit("Change the tone")
    said = sharing.gitprompt("publish", "--changed", "--push", "--json")
    assert [(i["name"], i["version"]) for i in json.loads(said)] == [
        ("other", "1.0.0"),
        ("support", "1.0.1"),
    ]
    assert system(server, remote, "render=false&version=1.0.0") == WHOLE
    assert "Be brief" in system(server, remote)
    diff = get(server, remote, "/v1/prompts/support/diff?from=1.0.0&to=1.0.1")
    assert "Be brief" in json.dumps(diff)
    assert "Be brief" in sharing.gitprompt("diff", "support@1.0.0", "support@1.0.1")
    assert json.loads(sharing.gitprompt("status", "--json"))["prompts"][1]["state"] == "clean"


def test_a_tag_made_by_hand_reads_the_fragments_of_its_commit(
    server: Server, remote: str, sharing: Clone
) -> None:
    sharing.write(TONE, "By hand.\n")
    at = sharing.commit("Change")
    sharing.write(TONE, "Later.\n")
    sharing.commit("Change again")
    sharing.tag("support", "2.0.0", at)
    sharing.git("push", "-q", "origin", "refs/tags/*:refs/tags/*")
    assert "By hand." in system(server, remote)


def test_the_index_is_rebuilt_from_pins_when_the_tag_and_its_commit_are_gone(
    server: Server, remote: str, sharing: Clone
) -> None:
    bare = server.data / "repos" / f"{remote}.git"
    lone = Clone(bare)
    lone.git("update-ref", "-d", "refs/tags/prompts/support/1.0.0")
    lone.git("update-ref", "-d", "refs/heads/main")
    lone.git("reflog", "expire", "--expire=now", "--all")
    lone.git("gc", "-q", "--prune=now")
    server.stop()
    (server.data / "index.db").unlink()
    server.start()
    assert system(server, remote) == WHOLE


def test_the_tree_of_a_label_has_the_fragments(server: Server, remote: str, sharing: Clone) -> None:
    sharing.gitprompt("label", "set", "support", "staging", "1.0.0", "--push")
    names = sharing.git("ls-tree", "-r", "--name-only", "refs/labels/support@staging").splitlines()
    assert names == ["prompts/_fragments/legal/eu.md", TONE, "prompts/support.yaml"]
    assert system(server, remote, "render=false&label=staging") == WHOLE
    path = "/v1/prompts/support/labels/production"
    response = ask(server, remote, path, method="PUT", body={"version_tag": "1.0.0"})
    assert response.status_code in (200, 201), response.text
    bare = Clone(server.data / "repos" / f"{remote}.git")
    assert (
        bare.git("ls-tree", "-r", "--name-only", "refs/labels/support@production").splitlines()
        == names
    )


def test_a_push_of_a_fragment_is_judged_by_every_document_that_includes_it(
    server: Server, remote: str, sharing: Clone
) -> None:
    strict = SHARING + "variables: {customer: {type: string}, question: {type: string}}\n"
    sharing.commit("Declare", support=strict)
    sharing.git("push", "-q", "origin", "main")
    sharing.write(TONE, "Be kind to {{someone}}.\n")
    sharing.commit("Break it")
    said = sharing.refusal("push", "-q", "origin", "main")
    assert "'someone' is used but not declared in 'variables' (in the fragment tone)" in said
    assert "prompts/support.yaml:5:7" in said
    sharing.git("reset", "-q", "--hard", "HEAD^")
    sharing.git("rm", "-q", TONE)
    sharing.commit("Remove it")
    assert f"there is no fragment {TONE}" in sharing.refusal("push", "-q", "origin", "main")


def test_a_fragment_is_judged_as_a_template_and_for_secrets(
    server: Server, remote: str, sharing: Clone
) -> None:
    sharing.write(
        "prompts/_fragments/new.md", "fine\nkey: sk-ant-api03-" + "a1B2" * 12 + "\n{{#x}}\n"
    )
    sharing.commit("Add")
    said = sharing.refusal("push", "-q", "origin", "main")
    assert "new.md:3:1: section 'x' is never closed" in said
    assert "new.md:2:6: this looks like a secret" in said


def test_a_document_that_is_tagged_by_itself_must_be_complete(
    server: Server, remote: str, sharing: Clone
) -> None:
    blob = sharing.git("rev-parse", "HEAD:prompts/support.yaml")
    sharing.git("tag", "-a", "-m", "x", "prompts/support/9.0.0", blob)
    assert "tagged by itself" in sharing.refusal("push", "-q", "origin", "refs/tags/*:refs/tags/*")


def test_prompts_do_not_live_among_the_fragments(
    server: Server, remote: str, sharing: Clone
) -> None:
    sharing.write("prompts/_fragments/odd.yaml", SHARING)
    sharing.commit("Add")
    assert "is for the text that prompts share" in sharing.refusal("push", "-q", "origin", "main")
    document = {
        "name": "_fragments/odd",
        "version": "1.0.0",
        "messages": [{"role": "user", "content": "x"}],
    }
    response = ask(server, remote, "/v1/prompts", method="POST", body=document)
    assert response.status_code == 422


# over HTTP


def post(server: Server, space: str, version: str, text: str) -> Any:
    document = {
        "name": "support",
        "version": version,
        "messages": [{"role": "system", "content": text}],
    }
    return ask(server, space, "/v1/prompts", method="POST", body=document)


def test_rest_includes_the_fragments_of_the_default_branch(
    server: Server, remote: str, sharing: Clone
) -> None:
    assert post(server, remote, "1.1.0", "New. {{> tone}}").status_code == 201
    assert system(server, remote) == "New. Be kind to {{customer}}."
    sharing.git("pull", "-q", "--tags", "origin", "main")
    assert "New. {{> tone}}" in (sharing.path / "prompts/support.yaml").read_text()
    assert (sharing.path / TONE).exists()
    assert json.loads(sharing.gitprompt("show", "support", "--json"))["messages"][0][
        "content"
    ] == system(server, remote)


def test_a_fragment_that_is_missing_is_422_and_publishes_nothing(
    server: Server, remote: str
) -> None:
    response = post(server, remote, "1.1.0", "{{> absent}}")
    assert response.status_code == 422
    assert "there is no fragment prompts/_fragments/absent.md" in response.text
    assert [
        i["version_tag"] for i in get(server, remote, "/v1/prompts/support/versions")["items"]
    ] == ["1.0.0"]


def test_a_backport_over_rest_keeps_its_fragments_beside_the_branch(
    server: Server, remote: str, sharing: Clone
) -> None:
    assert post(server, remote, "0.9.0", "{{> tone}}").status_code == 201
    sharing.git("fetch", "-q", "--tags", "origin")
    files = sharing.git("ls-tree", "-r", "--name-only", "prompts/support/0.9.0")
    assert files.splitlines() == [TONE, "prompts/support.json"]
    assert system(server, remote, "render=false&version=0.9.0") == "Be kind to {{customer}}."


def test_an_edited_fragment_does_not_keep_rest_off_the_branch(
    server: Server, remote: str, sharing: Clone
) -> None:
    sharing.write(TONE, "Changed.\n")
    sharing.commit("Change")
    sharing.git("push", "-q", "origin", "main")
    assert post(server, remote, "1.1.0", "Next. {{> tone}}").status_code == 201
    assert system(server, remote) == "Next. Changed."
    sharing.git("pull", "-q", "origin", "main")
    assert "Next. {{> tone}}" in (sharing.path / "prompts/support.yaml").read_text()


# by hand


def test_validate_takes_a_fragment_with_the_documents_that_include_it(sharing: Clone) -> None:
    assert "4 files: 0 errors" in sharing.gitprompt("validate")
    sharing.write(TONE, "{{> tone}}")
    for command in (("validate", TONE), ("validate",)):
        with pytest.raises(Refused) as refused:
            sharing.gitprompt(*command)
        said = refused.value.said
        assert said.count("a fragment includes itself: tone → tone [fragment]") == 3
        assert f"{TONE}:1:1: error" in said
        assert "prompts/support.yaml:5:7: error" in said
    sharing.git("add", "-A")
    with pytest.raises(Refused, match="includes itself"):
        sharing.gitprompt("validate", "--staged")
    assert "0 errors" in sharing.gitprompt("validate", "--rev", "HEAD")


def test_a_folder_with_fragments_is_imported_with_their_text(
    server: Server, sharing: Clone, tmp_path: Path, space: str
) -> None:
    folder = tmp_path / "backup"
    (folder / "_fragments").mkdir(parents=True)
    (folder / "_fragments/tone.md").write_text("Kind.\n")
    document = {"messages": [{"role": "user", "content": "{{> tone}}"}], "version": "1.0.0"}
    (folder / "hello.json").write_text(json.dumps(document))
    env = {"GITPROMPT_SERVER": server.url, "GITPROMPT_API_KEY": server.key(workspace=space)}
    for expected in ("1 published", "1 there already"):
        assert expected in sharing.gitprompt(
            "import", "--dir", str(folder), "--workspace", space, env=env
        )
    answer = get(server, space, "/v1/prompts/hello?render=false")
    assert answer["content"]["messages"][0]["content"] == "Kind."
