# SPDX-License-Identifier: Apache-2.0
"""`gitprompt list`, `show`, `render` and `diff`."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import Cli
from tests.world import WELCOME, Clone


def test_list_versions_and_status(cli: Cli, story: Clone) -> None:
    assert cli("list").out == "welcome\t1.1.0\tproduction=1.1.0\n"
    (item,) = json.loads(cli("list", "--json").out)
    assert item["labels"] == {"production": "1.1.0"}
    versions = cli("versions", "welcome").out.splitlines()
    assert [line.split("\t")[0] for line in versions] == ["1.1.0", "1.0.0"]
    assert "production" in versions[0]
    state = json.loads(cli("status", "--json").out)
    assert [(p["name"], p["state"], p["latest"]) for p in state["prompts"]] == [
        ("welcome", "changed", "1.1.0")
    ]
    story.write("prompts/fresh.yaml", WELCOME)
    assert "fresh\tunpublished" in cli("status").out


def test_show_and_render_by_each_selector(cli: Cli, story: Clone) -> None:
    texts = {
        "welcome": "Hi",
        "welcome@1.0.0": "Hello",
        "welcome@production": "Hi",
        "welcome@.": "Good day",
    }
    for selector, text in texts.items():
        assert f"{text} {{{{name}}}}!" in cli("show", selector).out
        assert cli("render", selector, "--var", "name=Ada").out == f"[user]\n{text} Ada!\n"
    shown = json.loads(cli("show", "welcome@production", "--json").out)
    assert (shown["name"], shown["version"]) == ("welcome", "1.1.0")
    missing = cli("render", "welcome")
    assert (missing.code, "Missing required variables: name" in missing.err) == (1, True)
    assert cli("render", "welcome", "--var", "name").code == 2


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("welcom", "Did you mean welcome?"),
        ("welcome@9.9.9", "Published: 1.1.0, 1.0.0"),
        ("welcome@nothing", "Its labels here: production"),
        ("welcome@", "names nothing after the @"),
        ("a b", "not of the form"),
        ("../x", "not of the form"),
    ],
)
def test_a_wrong_selector_says_what_there_is(
    cli: Cli, story: Clone, selector: str, message: str
) -> None:
    said = cli("show", selector)
    assert (said.code, message in said.err) == (1, True), said


def test_diff_says_the_bump(cli: Cli, story: Clone) -> None:
    said = cli("diff", "welcome@1.0.0", "welcome@production").out
    assert "~ messages[0]" in said
    assert "- Hello {{name}}!" in said
    assert "+ Hi {{name}}!" in said
    assert "This deserves a patch version." in said
    assert json.loads(cli("diff", "welcome@1.0.0", "welcome@.", "--json").out)["bump"] == "patch"
    assert cli("diff", "welcome", "welcome@production").out == "No differences.\n"


def test_a_broken_working_copy_spoils_only_itself(cli: Cli, story: Clone) -> None:
    story.write("prompts/welcome.yaml", "just text\n")
    story.write("prompts/other.yaml", WELCOME)
    said = cli("status")
    assert said.code == 0
    assert "welcome\tnot valid" in said.out
    assert "other\tunpublished" in said.out
    shown = cli("show", "welcome@.")
    assert (shown.code, "prompts/welcome.yaml:1:1" in shown.err) == (1, True)


def test_unknown_variables_are_told(cli: Cli, story: Clone) -> None:
    said = cli("render", "welcome", "--var", "name=x", "--var", "nmae=y")
    assert (said.code, "no variable nmae" in said.err) == (0, True)
