# SPDX-License-Identifier: Apache-2.0
"""The commands that read and write a server's prompts and labels without a clone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.commands import Cli
from tests.server.client import Client, fresh, publish
from tests.world import Clone, Server


@pytest.fixture(autouse=True)
def configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands talk to the module's server."""
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())


def document(text: str = "Hello", **identity: str) -> str:
    return json.dumps({**identity, "messages": [{"role": "user", "content": text}]})


def text_of(prompt: Any) -> Any:
    return prompt["content"]["messages"][0]["content"]


def test_options_give_the_identity_that_a_file_leaves_out(cli: Cli, clone: Clone) -> None:
    name = fresh("team/unnamed")
    clone.write("p.json", document())
    answer = cli(
        "create-prompt", "--file", "p.json", "--name", name, "--version", "2.0.0", "--json"
    )
    published = json.loads(answer.out)
    assert (published["name"], published["version_tag"]) == (name, "2.0.0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n  "messages": [}', "p.json:2:16: "),
        ("[]", "p.json is not a prompt: a mapping of keys is wanted"),
        (" " * (1 << 20) + "{}", "at most 1048576 are read"),
    ],
)
def test_a_file_that_is_not_a_prompt_is_usage_and_is_not_sent(
    cli: Cli, clone: Clone, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("GITPROMPT_SERVER", "http://127.0.0.1:9")  # nobody listens there
    clone.write("p.json", text)
    refused = cli("create-prompt", "--file", "p.json")
    assert (refused.code, message in refused.err) == (2, True), refused


@pytest.mark.parametrize(
    ("selector", "text"),
    [((), "Second"), (("--version", "1.0.0"), "First"), (("--label", "production"), "First")],
)
def test_a_prompt_is_printed_by_version_by_label_or_newest(
    cli: Cli, client: Client, selector: tuple[str, ...], text: str
) -> None:
    name = fresh("selected")
    publish(client, name, "1.0.0", "First")
    publish(client, name, "1.1.0", "Second")
    client.post(f"/v1/prompts/{name}/labels", {"name": "production", "version_tag": "1.0.0"})
    assert text_of(json.loads(cli("get-prompt", name, *selector).out)) == text


def test_the_value_of_a_variable_may_have_equals_signs(cli: Cli, client: Client) -> None:
    name = fresh("equals")
    publish(client, name, text="{{expression}}")
    shown = cli("get-prompt", name, "--var", "expression=a=b&c=d")
    assert text_of(json.loads(shown.out)) == "a=b&c=d"
    refused = cli("get-prompt", name, "--var", "expression")
    assert (refused.code, "write NAME=VALUE" in refused.err) == (2, True)


def test_a_label_without_a_version_points_at_the_newest(cli: Cli, client: Client) -> None:
    name = fresh("newest")
    for version in ("1.10.0", "1.9.0", "2.0.0-rc.1"):
        publish(client, name, version, f"Text of {version}")
    assert cli("add-label", name, "production").out == f"✓ {name} production: 1.10.0\n"
    assert cli("get-label", name, "production").out == "1.10.0\n"


def test_a_list_has_a_row_a_prompt_with_its_labels(cli: Cli, client: Client) -> None:
    name = fresh("listed")
    publish(client, name)
    for label in ("production", "staging"):
        client.post(f"/v1/prompts/{name}/labels", {"name": label, "version_tag": "1.0.0"})
    (row,) = cli("list-prompts", "--q", name).out.splitlines()
    assert row.split("\t")[:3] == [name, "1.0.0", "production → 1.0.0, staging → 1.0.0"]


# Many at once


def test_the_path_of_a_file_names_what_an_import_publishes(
    cli: Cli, clone: Clone, client: Client
) -> None:
    name = fresh("team/imported")
    clone.write(f"in/{name}/1.0.0.json", document("First"))
    clone.write(f"in/{name}.yaml", "version: '1.1.0'\nmessages: [{role: user, content: Second}]\n")
    clone.write("in/notes.txt", "not a prompt")
    counts = json.loads(cli("import", "--dir", "in", "--json").out)
    assert counts == {"published": 2, "there already": 0, "failed": 0}
    texts = {v: text_of(client.get(f"/v1/prompts/{name}", version=v)) for v in ("1.0.0", "1.1.0")}
    assert texts == {"1.0.0": "First", "1.1.0": "Second"}


def test_an_import_tells_the_same_content_from_another(
    cli: Cli, clone: Clone, client: Client
) -> None:
    same, other = fresh("a-same"), fresh("b-other")
    for name in (same, other):
        publish(client, name)
    clone.write(f"in/{same}/1.0.0.json", json.dumps(json.loads(document()), indent=8))
    clone.write(f"in/{other}/1.0.0.json", document("Hello, changed"))
    outcome = cli("import", "--dir", "in")
    assert (outcome.code, outcome.out) == (1, "0 published, 1 there already, 1 failed\n")
    assert outcome.err.startswith(f"in/{other}/1.0.0.json: ")


def test_a_broken_file_does_not_stop_an_import(cli: Cli, clone: Clone) -> None:
    name = fresh("z-last")
    clone.write("in/broken.json", "{")
    clone.write("in/unversioned.json", document())
    clone.write(f"in/{name}/1.0.0.json", document())
    outcome = cli("import", "--dir", "in")
    assert (outcome.code, outcome.out) == (1, "1 published, 0 there already, 2 failed\n")
    files = [line.partition(":")[0] for line in outcome.err.splitlines()]
    assert files == ["in/broken.json", "in/unversioned.json"]


def test_a_twin_or_a_file_that_cannot_be_read_does_not_stop_an_import(
    cli: Cli, clone: Clone, client: Client
) -> None:
    twin, last = fresh("a-twin"), fresh("z-after")
    publish(client, twin)
    clone.write(f"in/{twin}/1.json", document())
    clone.write(f"in/{twin.upper()}/1.0.0.json", document())
    (clone.path / "in" / "b.json").symlink_to("nowhere")
    clone.write(f"in/{last}/1.0.0.json", document())
    outcome = cli("import", "--dir", "in")
    assert (outcome.code, outcome.out) == (1, "1 published, 0 there already, 3 failed\n")
    assert "in/b.json: No such file or directory" in outcome.err


@pytest.mark.parametrize(
    "command",
    [
        ("get-prompt", "../traces"), ("get-prompt", "a?label=x"), ("get-prompt", ".."),
        ("get-label", "a", ".."), ("get-label", "a", "b/../.."), ("get-prompt", "a", "--var", "x=\ud800"),
        ("trace", "show", "../prompts"), ("trace", "show", "a#b"), ("run", "show", ".."),
    ],
)  # fmt: skip
def test_a_name_never_leads_to_another_resource(cli: Cli, command: tuple[str, ...]) -> None:
    outcome = cli(*command)
    assert (outcome.code in (1, 2), outcome.out) == (True, ""), outcome


def test_a_file_that_is_too_large_is_named_without_a_place(cli: Cli, clone: Clone) -> None:
    clone.write("large.json", " " * (1 << 20) + "{}")
    outcome = cli("create-prompt", "--file", "large.json")
    assert outcome.code == 2
    assert "large.json: the file has too many bytes" in outcome.err


def test_a_folder_without_prompts_cannot_be_imported(cli: Cli, clone: Clone) -> None:
    clone.write("in/readme.md", "nothing")
    refused = cli("import", "--dir", "in")
    assert (refused.code, "there are no prompts in in" in refused.err) == (1, True)
    assert ".json and .yaml" in refused.err


def test_an_export_goes_on_where_it_stopped(cli: Cli, clone: Clone, client: Client) -> None:
    name = fresh("exported")
    publish(client, name, "1.0.0", "First")
    publish(client, name, "1.1.0", "Second")
    kept = clone.write(f"out/{name}/1.0.0.json", "whatever is there")
    counts = json.loads(cli("export", "--out", "out", "--json").out)
    assert (counts["written"] >= 1, counts["there already"], counts["refused"]) == (True, 1, 0)
    assert sorted(path.name for path in kept.parent.iterdir()) == ["1.0.0.json", "1.1.0.json"]
    assert kept.read_text() == "whatever is there"
    assert json.loads((kept.parent / "1.1.0.json").read_text())["messages"] == [
        {"role": "user", "content": "Second"}
    ]
