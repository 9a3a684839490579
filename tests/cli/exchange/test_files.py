# SPDX-License-Identifier: Apache-2.0
"""gitprompt import PATH… and export --format, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import Cli
from tests.server.client import Client, fresh
from tests.transfer.file_formats.test_prompty import TEXT
from tests.world import Clone, Server, in_this_process


def put(clone: Clone) -> None:
    folder = clone.path / "theirs"
    folder.mkdir()
    (folder / "basic.prompty").write_text(TEXT)
    (folder / "deep").mkdir()
    (folder / "deep" / "note.txt").write_text("Say {{what}}\n")
    (folder / "promptfooconfig.yaml").write_text(
        "prompts: ['Translate {{ text }}']\nproviders: [x]\ntests: [{vars: {text: Hi}, assert: [{type: is-json}]}]\n"
    )


def test_files_become_prompts_and_suites_that_are_valid_and_nothing_is_published(
    cli: Cli, clone: Clone
) -> None:
    put(clone)
    dry = cli("import", "theirs", "--dry-run")
    assert "would write prompts/deep/note.yaml" in dry.out
    assert not (clone.path / "prompts").exists()
    said = cli("import", "theirs")
    assert (said.code, said.err.count("cannot be a name")) == (0, 1)
    assert "gitprompt publish" in said.out
    assert sorted(str(path.relative_to(clone.path)) for folder in ("prompts", "evals") for path in (clone.path / folder).rglob("*.yaml")) == [
        "evals/promptfooconfig-1.yaml", "prompts/Basic-Prompt.yaml", "prompts/deep/note.yaml", "prompts/promptfooconfig-1.yaml",
    ]  # fmt: skip
    assert cli("validate").code == 0, cli("validate").err
    assert cli("render", "deep/note@.", "--var", "what=hello").out.count("Say hello") == 1
    assert (
        yaml.safe_load((clone.path / "evals/promptfooconfig-1.yaml").read_text())["prompt_name"]
        == "promptfooconfig-1"
    )
    assert clone.git("tag") == ""
    again = cli("import", "theirs")
    assert (again.code, "there already" in again.out) == (0, True)


def test_what_is_there_with_something_else_stays_unless_it_is_said(cli: Cli, clone: Clone) -> None:
    put(clone)
    clone.write("prompts/mine.json", '{"messages": [{"role": "user", "content": "Mine"}]}')
    said = cli("import", "theirs/deep/note.txt", "--name", "mine")
    assert (said.code, "is there with something else: see --force" in said.err) == (1, True)
    assert cli("import", "theirs/deep/note.txt", "--name", "mine", "--force").code == 0
    assert not (clone.path / "prompts/mine.json").exists()
    assert "differs only in case" in cli("import", "theirs/deep/note.txt", "--name", "MINE").err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.txt", "", "x.txt:1: it is empty: not imported"),
        ("x.json", "{broken", "of no format that is known"),
        ("x.prompty", "no", "it has no settings"),
        ("x.prompty", "---\na: 1\n---\nuser:\n{% set x = 1 %}", "x.prompty:5: assign has no words"),
        ("x.bin.txt", b"\xff\xfe", "it is not UTF-8"),
        ("x.json", json.dumps([{"role": "wizard", "content": "x"}]), "x: "),
        (
            "x.json",
            json.dumps(
                {"messages": [{"role": "user", "content": "hi"}], "body": None, "x": "\ud800"}
            ),
            "of no format",
        ),
        ("x.md", "---\nmodel: [\n---\n", "its settings are no YAML"),
        ("x.md", "intro\n\n## System\r\nBe\r\n", "text before the first role"),
        ("x.txt", "a {{#b}}", "no Mustache"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_line(
    cli: Cli, clone: Clone, name: str, text: str | bytes, said: str
) -> None:
    (clone.path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    answer = cli("import", name)
    assert (answer.code, said in answer.err) == (1, True), answer.err
    report = json.loads(cli("import", name, "--json").out)
    assert report["notes"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "say PATH… or --dir DIR"), (("x", "--dir", "y"), 2, "say PATH… or --dir DIR"), (("none",), 1, "there is no none"),
        (("a.txt", "b.txt", "--name", "x"), 2, "--name is for one file"), (("a.txt", "--format", "word"), 2, "is not known"),
    ],
)  # fmt: skip
def test_what_is_not_meant_like_this_is_refused(
    cli: Cli, clone: Clone, options: tuple[str, ...], code: int, said: str
) -> None:
    for name in ("a.txt", "b.txt"):
        (clone.path / name).write_text("Hi")
    answer = cli("import", *options)
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_no_prompt_takes_the_place_of_another(cli: Cli, clone: Clone) -> None:
    config = "prompts: [{label: x, raw: one}, {label: X, raw: two}]\nproviders: [a]\n"
    (clone.path / "promptfooconfig.yaml").write_text(config)
    dry = json.loads(cli("import", "promptfooconfig.yaml", "--dry-run", "--json").out)
    said = cli("import", "promptfooconfig.yaml", "--force")
    assert (said.code, said.out.count("✓")) == (0, 2)
    assert dry["written"] == ["prompts/x.yaml", "prompts/X-2.yaml"]
    assert cli("import", "promptfooconfig.yaml", "--name", "y").code == 1
    assert cli("import", "promptfooconfig.yaml", "--name", "../../y").code == 1


def test_nothing_is_written_through_a_link_and_large_files_are_refused_whole(
    cli: Cli, clone: Clone, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (clone.path / "prompts").mkdir()
    (clone.path / "prompts/sub").symlink_to(tmp_path / "outside")
    (clone.path / "a.txt").write_text("Hi")
    assert "leads out of the repository" in cli("import", "a.txt", "--name", "sub/x").err
    assert list((tmp_path / "outside").iterdir()) == []
    (clone.path / "large.jsonl").write_text(
        "\n".join(
            [
                json.dumps(
                    {"messages": [{"role": "user", "content": "é" * 7_000}]}, ensure_ascii=False
                )
            ]
            * 800
        )
    )
    assert "it is larger than" in cli("import", "large.jsonl").err


DOCUMENT = {
    "messages": [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{question}}"}],
    "model_config": {"model": "gpt-4o", "temperature": 0}, "tags": ["a"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("format", "place", "lost"),
    [
        ("openai", "1.2.3.json", "tags"),
        ("promptfoo", "1.2.3/promptfooconfig.yaml", "tags"),
        ("langfuse", "1.2.3.json", ""),
    ],
)
def test_what_goes_out_comes_in_again(
    server: Server, cli: Cli, clone: Clone, tmp_path: Path, format: str, place: str, lost: str
) -> None:
    workspace = fresh("out")
    client = Client(server, **{"X-Workspace-Id": workspace})
    client.post("/v1/prompts", {"name": "p/q", "version": "1.2.3", **DOCUMENT})
    env = {
        "GITPROMPT_API_KEY": server.key(workspace=workspace),
        "GITPROMPT_SERVER": server.url,
        **server.env,
    }
    said = in_this_process("export", "--format", format, "--out", str(tmp_path / "out"), env=env)
    assert "1 written" in said
    assert (lost in said) == bool(lost) or not lost
    path = tmp_path / "out" / "p" / "q" / place
    if format == "langfuse":
        other = fresh("back")
        back = Client(server, **{"X-Workspace-Id": other})
        in_this_process(
            "migrate",
            "--from",
            "langfuse",
            "--input",
            str(path),
            "--endpoint",
            server.url,
            env={**env, "GITPROMPT_API_KEY": server.key(workspace=other)},
        )
        content = back.get("/v1/prompts/p%2Fq?render=false")["content"]
        assert content["version"] == "1002003"
        assert {key: content[key] for key in DOCUMENT} == DOCUMENT
        return
    assert cli("import", str(path), "--name", "back").code == 0
    found = yaml.safe_load((clone.path / "prompts/back.yaml").read_text())
    assert found["messages"] == DOCUMENT["messages"]
    if format == "openai":
        assert found["model_config"] == DOCUMENT["model_config"]
