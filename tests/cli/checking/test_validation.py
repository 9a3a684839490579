# SPDX-License-Identifier: Apache-2.0
"""`gitprompt validate`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.cli.commands import Cli
from tests.world import SEED, WELCOME, Clone, run


def test_validate_formats(cli: Cli, clone: Clone) -> None:
    clone.write("prompts/a.yaml", "messages:\n  - role: user\n    content: 'x {{b'\n")
    text = cli("validate")
    assert text.code == 1
    assert text.out.splitlines()[0].startswith(
        "prompts/a.yaml:3:17: error: '{{' is never closed [template]"
    )
    assert text.out.splitlines()[-1] == "1 file: 1 error, 0 warnings"
    found = json.loads(cli("validate", "--format", "json").out)
    assert (found["errors"], found["findings"][0]["code"]) == (1, "template")
    assert cli("validate", "--json").out == cli("validate", "--format", "json").out
    github = cli("validate", "--format", "github").out
    assert github.startswith(
        "::error file=prompts/a.yaml,line=3,col=17,title=gitprompt template::'{{' is never closed%0A"
    )
    sarif = json.loads(cli("validate", "--format", "sarif").out)
    result = sarif["runs"][0]["results"][0]
    assert result["ruleId"] == "template"
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 3,
        "startColumn": 17,
    }


def test_validate_what_is_not_a_plain_file(cli: Cli, clone: Clone) -> None:
    clone.write("prompts/a.yaml", WELCOME)
    (clone.path / "prompts/link.yaml").symlink_to("/etc/passwd")
    said = cli("validate")
    assert "prompts/link.yaml: error: it is a symbolic link" in said.out
    assert cli("validate", "nowhere.yaml").code == 2
    clone.write("prompts/big.json", b"[" + b" " * (50 << 20) + b"]")
    assert "at most 1048576 are read" in cli("validate", "prompts/big.json").out


def test_validate_finds_two_files_for_one_prompt_and_case_twins(cli: Cli, clone: Clone) -> None:
    for path in ("prompts/a.yaml", "prompts/a.json", "prompts/B.yaml", "prompts/b.yaml"):
        clone.write(path, json.dumps({"messages": [{"role": "user", "content": "x"}]}))
    said = cli("validate").out
    assert "this prompt is prompts/a.json again" in said
    assert "differs only in case from prompts/B.yaml" in said


def test_validate_finds_folders_that_are_one_where_case_makes_no_difference(
    cli: Cli, clone: Clone
) -> None:
    for path in ("prompts/Chat/a.yaml", "prompts/chat/b.yaml", "prompts/chat/c.yaml"):
        clone.write(path, json.dumps({"messages": [{"role": "user", "content": "x"}]}))
    said = cli("validate")
    assert (said.code, said.out.count("the folder chat differs only in case from that of")) == (
        1,
        2,
    )


def test_validate_of_nothing_explains_itself(cli: Cli, clone: Clone) -> None:
    said = cli("validate")
    assert (said.code, "gitprompt init" in said.err) == (2, True)


def test_warnings_count_only_when_strict(cli: Cli, clone: Clone) -> None:
    clone.write("prompts/a.yaml", WELCOME + "  spare: {type: string}\n")
    assert cli("validate").code == 0
    assert cli("validate", "--strict").code == 1
    clone.write("gitprompt.yaml", "checks: {unused-variable: error}\n")
    assert cli("validate").code == 1
    clone.write("gitprompt.yaml", "checks: {unused-variable: off}\n")
    assert cli("validate", "--strict").code == 0


def test_staged_and_committed_documents_are_not_those_of_the_work_tree(
    cli: Cli, published: Clone
) -> None:
    published.write("prompts/welcome.yaml", "messages: {")
    published.write("prompts/new.yaml", WELCOME)
    published.git("add", "prompts/welcome.yaml", "prompts/new.yaml")
    published.write("prompts/welcome.yaml", WELCOME)
    staged = json.loads(cli("validate", "--staged", "--json").out)
    assert (staged["files"], [f["path"] for f in staged["findings"]]) == (
        2,
        ["prompts/welcome.yaml"],
    )
    assert json.loads(cli("validate", "--rev", "HEAD", "--json").out)["errors"] == 0
    assert cli("validate", "--rev", "nothing").code == 1
    assert cli("validate", "--rev", "HEAD", "--staged").code == 2


def test_a_changed_document_of_a_published_version_is_found(cli: Cli, clone: Clone) -> None:
    clone.commit("x", welcome='version: "1.0.0"\n' + WELCOME)
    clone.tag("welcome", "1.0.0")
    assert cli("validate").code == 0
    clone.write("prompts/welcome.yaml", 'version: "1.0.0"\n' + WELCOME.replace("Hello", "Hi"))
    assert "changed-after-publish" in cli("validate").out
    clone.git("pack-refs", "--all")
    assert "changed-after-publish" in cli("validate").out


def test_thousands_of_files_are_validated_by_several_processes(cli: Cli, clone: Clone) -> None:
    for number in range(450):
        clone.write(f"prompts/p{number:03}.yaml", WELCOME if number % 100 else "messages: {")
    found = json.loads(cli("validate", "--json").out)
    assert (found["files"], found["errors"]) == (450, 5)
    assert [f["path"] for f in found["findings"]] == [f"prompts/p{n}00.yaml" for n in range(5)]


def test_the_fast_path_of_validate_imports_little(clone: Clone) -> None:
    clone.commit("x", welcome='version: "1.0.0"\n' + WELCOME)
    clone.write("prompts/seed.json", json.dumps({**SEED, "name": "seed"}))
    code = (
        "import os, sys; os._exit = sys.exit; sys.argv = ['gitprompt', 'validate']\n"
        "from gitprompt.__main__ import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    modules = set(
        json.loads(run(sys.executable, "-I", "-c", code, cwd=clone.path).splitlines()[-1])
    )
    ours = {m for m in modules if m.startswith("gitprompt")}
    forbidden = {"click", "rich", "jsonschema_rs", "subprocess", "dataclasses", "inspect", "pathlib", "jsonschema", "detect_secrets",
                 "pygit2", "apsw", "httpx", "msgspec", "starlette", "semver", "logging", "asyncio"}  # fmt: skip
    assert modules & forbidden == set()
    assert ours == {
        "gitprompt", "gitprompt.__main__", "gitprompt.errors", "gitprompt.resources",
        "gitprompt.cli", "gitprompt.cli.checking", "gitprompt.cli.checking.examination", "gitprompt.cli.outcome", "gitprompt.cli.checking.validation",
        "gitprompt.checks", "gitprompt.checks.identity", "gitprompt.checks.inclusion", "gitprompt.checks.json_schemas",
        "gitprompt.formats.fragments",
            "gitprompt.checks.languages", "gitprompt.checks.messages", "gitprompt.checks.samples",
            "gitprompt.checks.spelling", "gitprompt.core.messages",
        "gitprompt.checks.published", "gitprompt.checks.schema", "gitprompt.checks.secrets",
        "gitprompt.checks.shape", "gitprompt.checks.size", "gitprompt.checks.subject", "gitprompt.checks.template",
        "gitprompt.checks.variables", "gitprompt.checks.whitespace",
        "gitprompt.core", "gitprompt.core.document", "gitprompt.core.model",
        "gitprompt.core.names", "gitprompt.core.printable", "gitprompt.core.settings", "gitprompt.core.template",
        "gitprompt.core.variables", "gitprompt.core.versions",
        "gitprompt.formats", "gitprompt.formats.json_text",         "gitprompt.formats.text", "gitprompt.formats.yaml_text",
        "gitprompt.git", "gitprompt.git.peek",
    }  # fmt: skip


def test_what_is_not_a_regular_file_does_not_hang(cli: Cli, clone: Clone) -> None:
    (clone.path / "prompts").mkdir()
    os.mkfifo(clone.path / "prompts" / "pipe.yaml")
    assert "not a regular file" in cli("validate").out


def test_a_folder_is_validated_by_its_own_layout(cli: Cli, story: Clone, tmp_path: Path) -> None:
    story.write("prompts/welcome.yaml", WELCOME)
    story.write("gitprompt.yaml", "labels: {}\n")
    story.write("evals/s.yaml", "prompt_name: welcome\n")
    assert "3 files: 0 errors" in cli("validate", str(story.path), cwd=tmp_path).out


def test_files_among_the_prompts_that_nobody_reads_are_named(cli: Cli, clone: Clone) -> None:
    for path in ("greet.prompt", "deep/Upper.YAML", "README.md", ".hidden", "_fragments/tone.md"):
        clone.write(f"prompts/{path}", "x")
    clone.write("prompts/a.yaml", WELCOME)
    outcome = cli("validate")
    assert outcome.code == 0
    assert [line.split(":")[0] for line in outcome.out.splitlines() if "not read" in line] == [
        "prompts/deep/Upper.YAML", "prompts/greet.prompt",
    ]  # fmt: skip
    clone.git("add", "-A")
    assert cli("validate", "--staged").out.count("[unread-file]") == 2
    assert cli("validate", "--strict").code == 1
    clone.write("gitprompt.yaml", "checks: {unread-file: off}\n")
    assert "unread-file" not in cli("validate").out
