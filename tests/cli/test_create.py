# SPDX-License-Identifier: Apache-2.0
"""`gitprompt init` and `gitprompt new`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cli.commands import Cli
from tests.world import Clone


def test_init_makes_a_repository_that_is_valid_and_never_overwrites(
    cli: Cli, tmp_path: Path
) -> None:
    said = cli("init", "mine", cwd=tmp_path)
    assert said.code == 0
    assert "gitprompt publish welcome" in said.out
    mine = tmp_path / "mine"
    assert cli("validate", "--strict", cwd=mine).code == 0
    (mine / "prompts" / "welcome.yaml").write_text("mine: true\n")
    again = cli("init", ".", cwd=mine)
    assert "there already" in again.out
    assert (mine / "prompts" / "welcome.yaml").read_text() == "mine: true\n"
    schema = (mine / "prompts" / "welcome.yaml").parent / "../.gitprompt/prompt.schema.json"
    assert json.loads(schema.read_text())["title"]
    assert os.access(mine / ".git" / "hooks" / "pre-commit", os.X_OK)


def test_new_writes_a_valid_skeleton_once(cli: Cli, clone: Clone) -> None:
    assert cli("new", "support/triage").code == 0
    text = (clone.path / "prompts/support/triage.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../../.gitprompt/prompt.schema.json\n")
    assert cli("validate", "--strict").code == 0
    again = cli("new", "support/triage")
    assert (again.code, "exists already" in again.err) == (1, True)
    bad = cli("new", "a/1.0.0")
    assert (bad.code, "reads as a version" in bad.err) == (1, True)


def test_a_path_says_where_a_prompt_is_to_be_or_is_refused(cli: Cli, clone: Clone) -> None:
    assert cli("new", "prompts/by/path.yaml").out == "✓ prompts/by/path.yaml\n"
    inner = clone.path / "prompts" / "by"
    assert cli("new", "beside.yaml", cwd=inner).out == "✓ beside.yaml\n"
    for path, folder in (
        ("q.yaml", clone.path),
        ("./q", clone.path),
        ("../../q.yaml", inner),
        (f"{clone.path}/q.yaml", inner),
    ):
        said = cli("new", path, cwd=folder)
        assert (said.code, f"{path} is not below" in said.err) == (2, True)
    assert "no prompts" in cli("new", "_fragments/x").err
    clone.write("gitprompt.yaml", "root: nowhere\n")
    assert "nowhere is to have the prompts" in cli("new", "next").err
    assert not (clone.path / "nowhere").exists()


def test_init_in_a_folder_of_a_prompt_repository_is_refused(cli: Cli, published: Clone) -> None:
    said = cli("init", "team")
    assert (said.code, "the prompts of this repository are in ., not in team" in said.err) == (
        1,
        True,
    )
    assert not (published.path / "gitprompt.yaml").exists()


def test_init_in_a_folder_of_a_larger_repository_makes_it_the_root(cli: Cli, clone: Clone) -> None:
    clone.commit()
    said = cli("init", "services/chat")
    assert (said.code, "cd services/chat && git add . :/gitprompt.yaml" in said.out) == (0, True)
    assert 'root: "services/chat"\n' in (clone.path / "gitprompt.yaml").read_text()
    assert cli("validate").out == "3 files: 0 errors, 0 warnings\n"
    assert cli("init", "services/chat").out.endswith("Everything was there already.\n")
    assert "say so in gitprompt.yaml: take its root away" in cli("init", ".").err


def test_init_adds_the_data_folder_to_a_gitignore_that_is_there(cli: Cli, clone: Clone) -> None:
    clone.write(".gitignore", "*.log")
    cli("init")
    assert (clone.path / ".gitignore").read_text() == "*.log\ndata/\n"
    cli("init")
    assert (clone.path / ".gitignore").read_text() == "*.log\ndata/\n"


def test_init_leaves_the_hooks_of_other_repositories_alone(
    cli: Cli, clone: Clone, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    clone.git("config", "core.hooksPath", str(tmp_path / "shared"))
    outcome = cli("init")
    assert (outcome.code, list((tmp_path / "shared").iterdir())) == (0, [])
    assert "warning: no hooks were installed: core.hooksPath is" in outcome.err
    assert "git config --local core.hooksPath" in outcome.err


def test_new_writes_no_twin_of_what_is_there(cli: Cli, clone: Clone) -> None:
    assert cli("new", "support/triage").code == 0
    for name, there in (("support/Triage", "support/triage.yaml"), ("Support/chat", "support")):
        said = cli("new", name)
        assert (said.code, f"only in case from what is at prompts/{there}" in said.err) == (1, True)
        assert not (clone.path / f"prompts/{name}.yaml").exists()
    assert cli("new", "support/chat").code == 0
