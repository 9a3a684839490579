# SPDX-License-Identifier: Apache-2.0
"""`gitprompt diff`: each kind of change is written so that a person sees what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.cli.commands import Cli
from tests.conftest import Outcome
from tests.world import Clone

USER = {"role": "user", "content": "Hello {{name}}!"}
NAME = {"name": {"type": "string", "required": True}}
Diff = Callable[..., Outcome]


@pytest.fixture
def diff(cli: Cli, clone: Clone) -> Diff:
    """The command for two documents of the work tree; what is not given is as in the other."""

    def command(before: Mapping[str, Any], after: Mapping[str, Any], *options: str) -> Outcome:
        for name, change in (("a", before), ("b", after)):
            document = {"messages": [USER], "variables": NAME, **change}
            clone.write(f"prompts/{name}.json", json.dumps(document))
        return cli("diff", "a@.", "b@.", *options)

    return command


def test_a_new_required_variable_is_major_and_says_why(diff: Diff) -> None:
    name = {"type": "string"}
    outcome = diff(
        {"variables": {"name": name}},
        {"variables": {"name": name, "city": {"type": "string", "required": True}}},
    )
    assert outcome.out.splitlines() == [
        "+ variables.city  (newly required; major)",
        '    + {"type": "string", "required": true}',
        "",
        "This deserves a major version.",
    ]


def test_a_setting_is_shown_by_its_path_before_and_after(diff: Diff) -> None:
    outcome = diff(
        {"model_config": {"temperature": 0.7, "stop": ["世界"]}},
        {"model_config": {"temperature": 0, "stop": ["世界", None]}},
    )
    assert outcome.out.splitlines() == [
        "~ model_config.temperature  (minor)",
        "    - 0.7",
        "    + 0",
        "~ model_config.stop  (minor)",
        '    - ["世界"]',
        '    + ["世界", null]',
        "",
        "This deserves a minor version.",
    ]


def test_messages_that_come_or_go_are_shown_whole(diff: Diff) -> None:
    example = {"role": "assistant", "content": "First line\n\nthird line\n"}
    added = diff({}, {"messages": [USER, example]}).out.splitlines()
    assert added[:4] == [
        "+ messages[1]  (minor)",
        "    + [assistant] First line",
        "    + ",
        "    + third line",
    ]
    removed = diff({"messages": [USER, example]}, {}).out.splitlines()
    assert removed[:2] == ["- messages[1]  (minor)", "    - [assistant] First line"]


def test_a_message_that_changed_has_two_sides_and_what_is_around_them(diff: Diff) -> None:
    before = {**USER, "content": "One {{name}}\n\ntwo"}
    after = {**USER, "content": "One {{name}}\n\nthree"}
    outcome = diff({"messages": [before]}, {"messages": [after]})
    assert outcome.out.splitlines()[:5] == [
        "~ messages[0]  (patch)",
        "      One {{name}}",
        "",
        "    - two",
        "    + three",
    ]


def test_another_role_and_another_key_of_a_message_are_told(diff: Diff) -> None:
    outcome = diff({}, {"messages": [{**USER, "role": "system", "name": "ada"}]})
    lines = outcome.out.splitlines()
    assert lines[0] == "~ messages[0]  (role user → system; minor)"
    assert "    name: None → 'ada'" in lines


def test_the_same_document_in_another_spelling_has_no_differences(diff: Diff) -> None:
    same = ({"name": "a", "version": "1.0.0"}, {"type": "chat"})
    assert diff(*same).out == "No differences.\n"
    assert json.loads(diff(*same, "--json").out) == {"bump": None, "changes": []}


def test_json_says_every_change_and_the_highest_bump(diff: Diff) -> None:
    outcome = diff(
        {"description": "Greets"},
        {"description": "Welcomes", "variables": {"name": {"type": "string"}}},
        "--json",
    )
    value = json.loads(outcome.out)
    assert value["bump"] == "minor"
    assert [(change["path"], change["kind"], change["bump"]) for change in value["changes"]] == [
        ("variables.name", "changed", "minor"),
        ("description", "changed", "patch"),
    ]


def test_a_document_does_not_steer_the_terminal_of_who_compares(diff: Diff) -> None:
    hostile = {**USER, "content": "x\x1b[2J {{name}}\u202e"}
    outcome = diff({"description": "a\nb"}, {"description": "\x07", "messages": [hostile]})
    assert "+ x\\x1b[2J {{name}}\\u202e" in outcome.out
    assert '    - "a\\nb"' in outcome.out
    assert set(outcome.out) & set("\x1b\x07\u202e") == set()


def test_each_side_needs_a_document(cli: Cli, published: Clone) -> None:
    assert cli("diff", "welcome").code == 2
    refused = cli("diff", "welcome@1.0.0", "welcome@1.1.0")
    assert (refused.code, "Published: 1.0.0" in refused.err) == (1, True)


def test_a_long_message_is_shown_where_it_differs_with_a_few_lines_around(diff: Diff) -> None:
    lines = [f"Rule {number}." for number in range(1, 101)]
    changed = [*lines]
    changed[49], changed[89] = "Rule fifty.", "Rule 90, and more."
    del changed[95]
    outcome = diff(
        {"messages": [{"role": "system", "content": "\n".join(lines)}]},
        {"messages": [{"role": "system", "content": "\n".join(changed)}]},
    )
    assert outcome.out.splitlines()[1:] == [
        "    @@ line 47",
        "      Rule 47.", "      Rule 48.", "      Rule 49.",
        "    - Rule 50.", "    + Rule fifty.",
        "      Rule 51.", "      Rule 52.", "      Rule 53.",
        "    @@ line 87",
        "      Rule 87.", "      Rule 88.", "      Rule 89.",
        "    - Rule 90.", "    + Rule 90, and more.",
        "      Rule 91.", "      Rule 92.", "      Rule 93.", "      Rule 94.", "      Rule 95.",
        "    - Rule 96.",
        "      Rule 97.", "      Rule 98.", "      Rule 99.",
        "",
        "This deserves a patch version.",
    ]  # fmt: skip


class TestChanged:
    """What differs from its newest published version."""

    @pytest.fixture
    def repository(self, published: Clone) -> Clone:
        published.write(
            "prompts/welcome.yaml", "messages:\n- {role: user, content: 'Hi {{name}}, ``` ok?'}\n"
        )
        published.write("prompts/fresh.yaml", "messages:\n- {role: user, content: Hello}\n")
        published.write("prompts/wrong.yaml", "messages: 5\n")
        return published

    def test_each_says_what_it_deserves(self, repository: Clone, cli: Cli) -> None:
        lines = cli("diff", "--changed").out.splitlines()
        assert lines[0] == "fresh: new → 1.0.0"
        assert lines[1].startswith("welcome: 1.0.0 → ")
        assert lines[-1].startswith("wrong: ")

    def test_programs_get_json(self, repository: Clone, cli: Cli) -> None:
        fresh, welcome, wrong = json.loads(cli("diff", "--changed", "--json").out)
        assert (fresh["base"], fresh["becomes"]) == (None, "1.0.0")
        assert (welcome["base"], welcome["changes"][0]["area"]) == ("1.0.0", "messages")
        assert wrong["error"]
        assert wrong["becomes"] is None

    def test_markdown_has_fences_that_hold(self, repository: Clone, cli: Cli) -> None:
        said = cli("diff", "--changed", "--markdown").out
        assert "| `fresh` |  | first version | 1.0.0 |" in said
        assert "| `wrong` |  | **not valid** |  |" in said
        assert "````diff\n" in said
        assert said.count("````") == 2

    def test_nothing_is_told(self, published: Clone, cli: Cli) -> None:
        assert "No prompt differs" in cli("diff", "--changed", "--markdown").out

    @pytest.mark.parametrize(
        "arguments", [("welcome@.",), (), ("a@.", "--changed"), ("a@.", "b@.", "--markdown")]
    )
    def test_what_cannot_be_is_told(
        self, published: Clone, cli: Cli, arguments: tuple[str, ...]
    ) -> None:
        assert cli("diff", *arguments).code == 2
