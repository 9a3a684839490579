# SPDX-License-Identifier: Apache-2.0
"""Every command as a person types it, and what it says when they type the wrong thing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitprompt.cli.main import COMMANDS
from tests.conftest import Outcome
from tests.world import SEED, WELCOME, Clone, Refused, Server, run

Cli = Callable[..., Outcome]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_example(cli: Cli, command: str) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"gitprompt {command}" in said.out


def test_a_wrong_command_and_a_wrong_option(cli: Cli) -> None:
    assert cli("pubish").code == 2
    assert "Did you mean 'publish'?" in cli("pubish").err
    assert cli("list", "--nothing").code == 2
    assert cli("--version").code == 0


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


# validate


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


# publish


def test_publish_takes_the_version_that_the_change_deserves(cli: Cli, clone: Clone) -> None:
    clone.commit("1", welcome=WELCOME)
    assert "welcome · 1.0.0" in cli("publish", "welcome").out
    assert "has not changed" in cli("publish", "welcome").err
    clone.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    assert "welcome · 1.0.1" in cli("publish", "welcome").out
    clone.commit("3", welcome=WELCOME.replace("}}!", "}}{{more}}!") + "  more: {type: string}\n")
    assert "welcome · 1.1.0" in cli("publish", "--changed", "--bump", "auto").out
    clone.commit("4", welcome=WELCOME)
    said = json.loads(cli("publish", "welcome", "--json").out)
    assert [(item["name"], item["version"]) for item in said] == [("welcome", "2.0.0")]
    assert "Nothing has changed" in cli("publish", "--changed").err
    assert clone.git("cat-file", "-t", "prompts/welcome/2.0.0") == "tag"


def test_publish_rewrites_the_version_field_and_commits_it(cli: Cli, clone: Clone) -> None:
    clone.commit("1", welcome='# mine\nversion: "1.0.0" # keep\n' + WELCOME)
    assert cli("publish", "welcome").code == 0
    clone.commit("2", welcome='# mine\nversion: "1.0.0" # keep\n' + WELCOME.replace("Hello", "Hi"))
    refused = cli("publish", "welcome")
    assert (refused.code, "--bump auto" in refused.err) == (1, True)
    assert "welcome · 1.0.1" in cli("publish", "welcome", "--bump", "auto").out
    text = (clone.path / "prompts/welcome.yaml").read_text()
    assert text.startswith('# mine\nversion: "1.0.1" # keep\n')
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("show", "prompts/welcome/1.0.1:prompts/welcome.yaml") == text.strip()


def test_publish_refuses_what_is_wrong_before_it_writes_anything(
    cli: Cli, published: Clone
) -> None:
    published.write("prompts/welcome.yaml", WELCOME.replace("Hello", "Hi"))
    assert "not committed" in cli("publish", "welcome").err
    published.commit("x", bad="messages: {")
    assert "bad is not valid" in cli("publish", "bad").err
    assert "not in the work tree" in cli("publish", "nothing").err
    assert "published already" in cli("publish", "welcome", "--version", "1.0.0").err
    assert "same precedence" in cli("publish", "welcome", "--version", "1").err
    assert cli("publish").code == 2
    assert cli("publish", "a", "--changed").code == 2
    assert cli("publish", "welcome", "--version", "x").code == 1
    assert cli("publish", "welcome", "--push").code == 1
    assert published.git("tag", "-l") == "prompts/welcome/1.0.0"


def test_publish_signs(cli: Cli, published: Clone, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"), cwd=tmp_path)
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    for key, value in (("gpg.format", "ssh"), ("user.signingkey", str(tmp_path / "key.pub"))):
        published.git("config", key, value)
    assert cli("publish", "welcome", "--sign").code == 0
    assert "-----BEGIN SSH SIGNATURE-----" in published.git(
        "cat-file", "tag", "prompts/welcome/1.0.1"
    )
    assert cli("label", "set", "welcome", "production", "1.0.1", "--sign").code == 0
    assert "gpgsig" in published.git("cat-file", "commit", "refs/labels/welcome@production")


# reading


@pytest.fixture
def story(published: Clone, cli: Cli) -> Clone:
    """Two versions, a label that moved, and a change in the work tree."""
    published.commit("2", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    for version, reason in (("1.0.0", "Launch"), ("1.1.0", "Better")):
        assert cli("label", "set", "welcome", "production", version, "-m", reason).code == 0
    published.write("prompts/welcome.yaml", WELCOME.replace("Hello", "Good day"))
    return published


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


# labels


def test_a_second_rollback_is_refused_with_who_made_the_first(cli: Cli, story: Clone) -> None:
    assert "1.1.0 → 1.0.0" in cli("label", "rollback", "welcome", "production").out
    second = cli("label", "rollback", "welcome", "production")
    assert second.code == 1
    assert "went back to 1.0.0 already: Ada Test <ada@example.com>, 20" in second.err
    assert "--to V" in second.err
    assert "1.0.0 → 1.1.0" in cli("label", "rollback", "welcome", "production", "--to", "1.1.0").out
    log = json.loads(cli("label", "log", "welcome", "production", "--json").out)
    assert [move["version"] for move in log] == ["1.1.0", "1.0.0", "1.1.0", "1.0.0"]
    assert log[-1]["reason"] == "Launch"
    assert log[0]["actor"] == "Ada Test <ada@example.com>"


def test_a_move_back_counts_as_a_rollback_whoever_made_it_and_however(
    cli: Cli, story: Clone
) -> None:
    assert cli("label", "set", "welcome", "production", "1.0.0", "-m", "Refunds").code == 0
    refused = cli("label", "rollback", "welcome", "production")
    assert (refused.code, "'Refunds'" in refused.err) == (1, True)


def test_labels_are_removed_by_a_tombstone_and_come_back(cli: Cli, story: Clone) -> None:
    assert cli("label", "rm", "welcome", "production", "-m", "Gone").code == 0
    assert cli("label", "list").out == ""
    assert "no label" in cli("label", "rm", "welcome", "production").err
    assert cli("label", "set", "welcome", "production", "1.0.0", "--expect", "none").code == 0
    assert cli("label", "list", "welcome").out.startswith("welcome\tproduction\t1.0.0\t")
    assert len(json.loads(cli("label", "log", "welcome", "production", "--json").out)) == 4


def test_a_label_refuses_what_is_wrong(cli: Cli, story: Clone) -> None:
    expect = cli("label", "set", "welcome", "production", "1.0.0", "--expect", "1.0.0")
    assert (expect.code, "is at 1.1.0, not at 1.0.0" in expect.err) == (1, True)
    unknown = cli("label", "set", "welcome", "production", "3.0.0")
    assert (unknown.code, "is not published here" in unknown.err) == (1, True)
    assert "already" in cli("label", "set", "welcome", "production", "1.1.0").out
    assert cli("label", "set", "welcome", "latest", "1.0.0").code == 1
    assert cli("label", "rollback", "welcome", "nothing").code == 1
    assert cli("label", "log", "welcome", "nothing").code == 1


# outside a repository, without an identity, read-only


def test_outside_a_repository(cli: Cli, tmp_path: Path) -> None:
    for command in (["list"], ["status"], ["publish", "a"], ["hooks", "install"]):
        said = cli(*command, cwd=tmp_path)
        assert (said.code, "gitprompt init" in said.err) == (1, True)


def test_without_an_identity(published: Clone) -> None:
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    env = {
        "GIT_COMMITTER_NAME": "",
        "GIT_COMMITTER_EMAIL": "",
        "GIT_AUTHOR_NAME": "",
        "GIT_AUTHOR_EMAIL": "",
        "EMAIL": "",
        "HOME": "/nonexistent",
    }
    with pytest.raises(Refused, match="git does not know who you are"):
        published.gitprompt("publish", "welcome", env=env)


def test_an_empty_repository_and_a_detached_head(cli: Cli, clone: Clone) -> None:
    assert cli("list").code == 0
    assert json.loads(cli("status", "--json").out) == {"prompts": [], "server": None}
    clone.commit("x", welcome=WELCOME)
    clone.git("checkout", "-q", "--detach")
    assert cli("publish", "welcome").code == 0
    assert cli("list").out.startswith("welcome\t1.0.0")


def test_our_bug_is_told_with_a_log(clone: Clone) -> None:
    code = (
        "import gitprompt.cli.main as m, sys; m.run_cli = lambda a: 1/0; sys.argv=['gitprompt','list'];"
        "from gitprompt.__main__ import main; main()"
    )
    with pytest.raises(Refused) as caught:
        run(sys.executable, "-c", code, cwd=clone.path)
    assert caught.value.code == 3
    log = Path(caught.value.said.split()[-1])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_completion_is_printed(cli: Cli) -> None:
    assert "_GITPROMPT_COMPLETE" in cli("completion", "bash").out


def test_keys_are_alone_on_standard_output(cli: Cli, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    said = cli("keys", "create", "--data", data, "--name", "ci")
    assert said.out.startswith("pm_")
    assert len(said.out.split()) == 1
    (record,) = json.loads(cli("keys", "list", "--data", data, "--json").out)
    assert (record["name"], record["scopes"], "hash" in record) == ("ci", "read,write", False)
    assert cli("keys", "create", "--data", data, "--scopes", "root").code == 1
    assert cli("keys", "create", "--data", data, "--workspace", "a/b").code == 1
    assert cli("keys", "create", "--data", data, "--expires-in-days", "0").code == 1
    assert cli("keys", "revoke", "--data", data, "9").code == 1


def test_doctor_finds_what_is_broken(cli: Cli, clone: Clone, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert cli("keys", "create", "--data", str(data)).code == 0
    first = cli("doctor", "--data", str(data))
    assert (first.code, "not installed" in first.out) == (1, True)
    assert cli("hooks", "install").code == 0
    assert cli("doctor", "--data", str(data)).code == 0
    (data / "index.db").write_bytes(b"rubbish" * 1000)
    (data / "salt").chmod(0o644)
    said = cli("doctor", "--data", str(data))
    assert said.code == 1
    assert "delete" in said.out
    assert "chmod 600" in said.out


def test_status_and_sync_against_a_server(
    cli: Cli, server: Server, story: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.push_all(server.remote(), "refs/labels/*:refs/labels/*")
    monkeypatch.setenv("GITPROMPT_SERVER", server.url)
    assert cli("status").code == 2
    monkeypatch.setenv("GITPROMPT_API_KEY", server.key())
    said = json.loads(cli("status", "--json").out)
    assert said["prompts"][0]["served"]["labels"] == {"production": "1.1.0"}
    assert said["server"]["rejected"] == []
    assert "welcome\tchanged\t1.1.0\tproduction=1.1.0\t1.1.0 production=1.1.0" in cli("status").out
    assert "1 prompts, 2 versions, 1 labels" in cli("sync").out
    monkeypatch.delenv("GITPROMPT_SERVER")
    assert "2 versions" in cli("sync", "--data", str(server.data)).out
    nobody = cli("status", "--server", "http://127.0.0.1:9")
    assert (nobody.code, "does not answer" in nobody.err) == (1, True)


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
        "gitprompt.cli", "gitprompt.cli.examination", "gitprompt.cli.outcome", "gitprompt.cli.validation",
        "gitprompt.checks", "gitprompt.checks.identity", "gitprompt.checks.messages",
        "gitprompt.checks.published", "gitprompt.checks.schema", "gitprompt.checks.secrets",
        "gitprompt.checks.shape", "gitprompt.checks.size", "gitprompt.checks.subject", "gitprompt.checks.template",
        "gitprompt.checks.variables", "gitprompt.checks.whitespace",
        "gitprompt.core", "gitprompt.core.document", "gitprompt.core.model",
        "gitprompt.core.names", "gitprompt.core.printable", "gitprompt.core.settings", "gitprompt.core.template",
        "gitprompt.core.variables", "gitprompt.core.versions",
        "gitprompt.formats", "gitprompt.formats.json_text",         "gitprompt.formats.text", "gitprompt.formats.yaml_text",
        "gitprompt.git", "gitprompt.git.peek",
    }  # fmt: skip


# What newcomers ran into


def test_a_broken_working_copy_spoils_only_itself(cli: Cli, story: Clone) -> None:
    story.write("prompts/welcome.yaml", "just text\n")
    story.write("prompts/other.yaml", WELCOME)
    said = cli("status")
    assert said.code == 0
    assert "welcome\tnot valid" in said.out
    assert "other\tunpublished" in said.out
    shown = cli("show", "welcome@.")
    assert (shown.code, "prompts/welcome.yaml:1:1" in shown.err) == (1, True)


def test_init_inside_another_repository_is_refused(cli: Cli, published: Clone) -> None:
    said = cli("init", "team")
    assert (said.code, "is inside the repository" in said.err) == (2, True)


def test_a_fresh_clone_learns_the_labels_before_it_moves_one(
    cli: Cli, server: Server, story: Clone, tmp_path: Path
) -> None:
    remote = server.remote(workspace="fresh")
    story.git("remote", "add", "origin", remote)
    story.push_all("origin", "refs/labels/*:refs/labels/*")
    run("git", "clone", "-q", remote, "fresh", cwd=tmp_path)
    fresh = tmp_path / "fresh"
    assert "git fetch" in cli("label", "log", "welcome", "production", cwd=fresh).err
    said = cli("label", "set", "welcome", "production", "1.0.0", cwd=fresh)
    assert "1.1.0 → 1.0.0" in said.out, said


def test_a_key_without_the_scope_is_told_so(server: Server, published: Clone) -> None:
    published.git("remote", "add", "origin", server.remote("read", "scoped"))
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    server.request("/v1/prompts")
    with pytest.raises(Refused, match="This key lacks a scope"):
        published.gitprompt("publish", "welcome", "--push")


def test_a_branch_that_is_behind_is_named(server: Server, published: Clone, tmp_path: Path) -> None:
    remote = server.remote(workspace="behind")
    published.git("remote", "add", "origin", remote)
    published.push_all("origin")
    run("git", "clone", "-q", remote, "second", cwd=tmp_path)
    second = Clone(tmp_path / "second")
    second.commit("First", other=WELCOME)
    second.git("push", "-q", "origin", "main")
    published.commit("Late", welcome=WELCOME.replace("Hello", "Hi"))
    with pytest.raises(
        Refused, match=r"somebody was faster: the remote has another main(.|\n)*git pull --rebase"
    ):
        published.gitprompt("publish", "welcome", "--push")
    assert published.git("tag", "-l") == "prompts/welcome/1.0.0"


def test_what_is_not_a_regular_file_does_not_hang(cli: Cli, clone: Clone) -> None:
    (clone.path / "prompts").mkdir()
    os.mkfifo(clone.path / "prompts" / "pipe.yaml")
    assert "not a regular file" in cli("validate").out


def test_a_folder_is_validated_by_its_own_layout(cli: Cli, story: Clone, tmp_path: Path) -> None:
    story.write("prompts/welcome.yaml", WELCOME)
    story.write("gitprompt.yaml", "labels: {}\n")
    story.write("evals/s.yaml", "prompt_name: welcome\n")
    assert "3 files: 0 errors" in cli("validate", str(story.path), cwd=tmp_path).out


def test_odd_arguments_are_usage_and_not_bugs(cli: Cli, tmp_path: Path, clone: Clone) -> None:
    assert cli("keys", "revoke", "9" * 30).code == 2
    assert cli("keys", "list", "--data", str(tmp_path / "none")).code == 1
    assert not (tmp_path / "none").exists()
    key = ["--api-key", "pm_x"]
    assert cli("status", "--server", "foo", *key).code == 1
    assert cli("doctor", "--data", str(tmp_path / "none")).code == 1


def test_unknown_variables_are_told(cli: Cli, story: Clone) -> None:
    said = cli("render", "welcome", "--var", "name=x", "--var", "nmae=y")
    assert (said.code, "no variable nmae" in said.err) == (0, True)


def test_a_moved_tag_is_told_by_doctor_and_sync(cli: Cli, published: Clone, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    os.mkdir(data)
    place = ["--data", data]
    assert cli("sync", *place, "--repo", str(published.path)).code == 0
    published.commit("x")
    published.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    assert (
        "moved refs/tags/prompts/welcome/1.0.0"
        in cli("sync", *place, "--repo", str(published.path)).out
    )
    said = cli("doctor", *place)
    assert "it was moved" in said.out
    assert "git update-ref refs/tags/prompts/welcome/1.0.0" in said.out
