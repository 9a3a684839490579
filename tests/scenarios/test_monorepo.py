# SPDX-License-Identifier: Apache-2.0
"""Prompts in a folder of a larger repository: `root` in gitprompt.yaml, or --root."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import Cli
from tests.world import SEED, WELCOME, Clone, Refused, Server, run

ROOT = "services/chat/my prompts"
SETTINGS = f"root: {ROOT}\n"


@pytest.fixture
def monorepo(tmp_path: Path) -> Clone:
    clone = Clone.init(tmp_path / "mono")
    clone.write("gitprompt.yaml", SETTINGS)
    clone.write("prompts/welcome.yaml", "not: ours\n")  # somebody else's folder of that name
    clone.write(f"{ROOT}/prompts/welcome.yaml", WELCOME)
    clone.write(f"{ROOT}/prompts/_fragments/tone.md", "Be brief.\n")
    clone.write(
        f"{ROOT}/prompts/brief.yaml", 'messages:\n  - {role: user, content: "{{> tone}}"}\n'
    )
    clone.write(f"{ROOT}/evals/quality.yaml", "description: short\nprompt_name: welcome\n")
    clone.commit("All")
    clone.gitprompt("hooks", "install")
    return clone


def at(clone: Clone, folder: str, *args: str) -> str:
    return Clone(clone.path / folder).gitprompt(*args)


def test_every_folder_is_a_place_to_work_in(monorepo: Clone) -> None:
    assert at(monorepo, ROOT, "validate") == "5 files: 0 errors, 0 warnings\n"
    assert at(monorepo, "services", "validate", "welcome") == "1 file: 0 errors, 0 warnings\n"
    monorepo.write(f"{ROOT}/prompts/bad.yaml", "messages: 1\n")
    for folder, path in ((ROOT, "prompts/bad.yaml"), (f"{ROOT}/prompts", "bad.yaml")):
        with pytest.raises(Refused, match=f"(?m)^{path}:1:11: error: messages"):
            at(monorepo, folder, "validate")
    with pytest.raises(Refused, match=f"file={ROOT}/prompts/bad.yaml,line=1"):
        at(monorepo, ROOT, "validate", "--format", "github")
    monorepo.git("add", "-A")
    assert f"{ROOT}/prompts/bad.yaml:1:11: error" in monorepo.refusal("commit", "-m", "bad")
    with pytest.raises(Refused, match="1 file: 1 error"):
        at(monorepo, ROOT, "validate", "--staged", "prompts/bad.yaml")


def test_a_name_and_a_path_mean_the_same(monorepo: Clone) -> None:
    inside = f"{ROOT}/prompts"
    assert "✓ welcome · 1.0.0" in at(monorepo, inside, "publish", "welcome.yaml")
    assert "✓ brief · 1.0.0" in at(monorepo, ROOT, "publish", "brief")
    at(monorepo, ROOT, "label", "set", "prompts/welcome.yaml", "production", "1.0.0")
    for command in (("render", "--var", "name=Ada"), ("show",), ("versions",), ("label", "list")):
        named = at(monorepo, inside, *command, "welcome")
        assert named == at(monorepo, inside, *command, "welcome.yaml")
    assert "Hello Ada!" in at(
        monorepo, inside, "render", "welcome.yaml@production", "--var", "name=Ada"
    )
    assert at(monorepo, ROOT, "render", "brief") == "[user]\nBe brief.\n"
    assert at(monorepo, inside, "diff", "welcome.yaml@1.0.0", "welcome@.") == "No differences.\n"
    at(monorepo, ROOT, "new", "prompts/next.yaml")
    assert (monorepo.path / ROOT / "prompts/next.yaml").exists()
    with pytest.raises(Refused, match=r"git add next\.yaml && git commit"):
        at(monorepo, inside, "publish", "next.yaml")


def test_a_path_that_is_no_prompts_is_told_as_what_it_is(monorepo: Clone) -> None:
    with pytest.raises(Refused, match=r"there is no file prompts/nope\.yaml\n"):
        at(monorepo, ROOT, "publish", "prompts/nope.yaml")
    with pytest.raises(Refused, match=r"evals/quality\.yaml is no prompt .* below prompts/"):
        at(monorepo, ROOT, "publish", "evals/quality.yaml")


def test_a_root_that_is_wrong_or_missing_is_told_by_each_command(monorepo: Clone, cli: Cli) -> None:
    everywhere = partial(cli, cwd=monorepo.path)
    for root in ("services/chat/", "/x", "../x", "42", ".", '""', "a//b"):
        monorepo.write("gitprompt.yaml", f"root: {root}\n")
        for command in (["list"], ["status"], ["publish", "welcome"], ["new", "x"], ["show", "x"]):
            said = everywhere(*command)
            assert (said.code, "gitprompt.yaml:1:7: root: " in said.err) == (1, True)
    monorepo.write("gitprompt.yaml", "root: nowhere\n")
    for command, code in ((["validate"], 2), (["publish", "welcome"], 2), (["status"], 0)):
        said = everywhere(*command)
        assert (said.code, "nowhere is to have the prompts" in said.err) == (code, True)
    monorepo.write("gitprompt.yaml", f"{SETTINGS}labels: 7\n")
    assert "labels: expected object" in everywhere("list").err
    monorepo.write("gitprompt.yaml", "labels: 7\n")
    assert everywhere("list").code == 0  # what is wrong says nothing of where the prompts are


def test_the_server_reads_and_writes_below_the_root(monorepo: Clone, tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        at(monorepo, ROOT, "publish", "welcome")
        at(monorepo, ROOT, "publish", "brief")
        monorepo.git("remote", "add", "origin", server.remote())
        monorepo.push_all("origin")
        assert server.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
        assert server.text("/v1/prompts/brief") == "Be brief."
        assert [item["name"] for item in server.get("/v1/evaluations")["items"]] == ["quality"]
        document = {**SEED, "version": "1.1.0"}
        created = _post(server, "/v1/prompts", document)
        assert created.status_code == 201, created.text
        suite = {"name": "second", "prompt_name": "welcome"}
        created = _post(server, "/v1/evaluations", suite)
        assert created.status_code == 201, created.text
        monorepo.git("pull", "-q", "--rebase", "origin", "main")
        changed = monorepo.git("diff", "--name-only", "HEAD~2").splitlines()
        assert changed == [f"{ROOT}/evals/second.yaml", f"{ROOT}/prompts/welcome.yaml"]
        backport = _post(server, "/v1/prompts", {**SEED, "version": "1.0.1"})
        assert backport.status_code == 201, backport.text
        assert server.text("/v1/prompts/welcome?version=1.0.1&variables[name]=Ada") == "Hello Ada!"
    finally:
        server.stop()


def test_a_push_is_judged_below_its_root_and_moving_it_needs_admin(
    monorepo: Clone, tmp_path: Path
) -> None:
    server = Server(tmp_path / "data").start()
    try:
        monorepo.git("remote", "add", "origin", server.remote())
        monorepo.git("push", "-q", "origin", "main")
        at(monorepo, ROOT, "publish", "welcome", "--push")
        monorepo.write("prompts/welcome.yaml", "messages: 1\n")  # not ours
        monorepo.commit("Theirs")
        monorepo.git("push", "-q", server.remote("read,write"), "main")
        monorepo.write(f"{ROOT}/prompts/bad.yaml", "messages: 1\n")
        monorepo.git("add", "-A")
        monorepo.git("commit", "-q", "--no-verify", "-m", "bad")
        said = monorepo.refusal("push", "--no-verify", "origin", "main")
        assert f"{ROOT}/prompts/bad.yaml:1:11" in said
        monorepo.git("reset", "-q", "--hard", "HEAD~1")
        monorepo.git("mv", ROOT, "chat")
        monorepo.git("rm", "-q", "-r", "prompts")
        monorepo.write("gitprompt.yaml", "root: chat\n")
        monorepo.commit("Move")
        said = monorepo.refusal("push", "--no-verify", server.remote("read,write"), "main")
        assert "this changes the policy in gitprompt.yaml, which needs the scope admin" in said
        monorepo.git("push", "-q", "origin", "main")
        assert server.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
        at(monorepo, "chat", "publish", "brief", "--push")
        assert server.text("/v1/prompts/brief") == "Be brief."
        # what was published before the move is read as it was, by a clone without any memory too
        run("git", "clone", "-q", server.remote(), "fresh", cwd=tmp_path)
        said = Clone(tmp_path / "fresh").gitprompt("render", "welcome", "--var", "name=Ada")
        assert said == "[user]\nHello Ada!\n"
    finally:
        server.stop()


def test_a_root_that_no_settings_name_is_an_option(tmp_path: Path) -> None:
    clone = Clone.init(tmp_path / "mono")
    clone.write("chat/prompts/welcome.yaml", WELCOME)
    clone.commit()
    assert clone.gitprompt("validate", "--root", "chat/") == "1 file: 0 errors, 0 warnings\n"
    env = {"GITPROMPT_ROOT": "chat"}
    assert clone.gitprompt("validate", env=env) == "1 file: 0 errors, 0 warnings\n"
    assert "✓ welcome · 1.0.0" in clone.gitprompt("publish", "--root", "chat", "welcome")
    assert "welcome\t1.0.0" in clone.gitprompt("list", env=env)
    with pytest.raises(Refused, match="is no folder below the top of the repository"):
        clone.gitprompt("list", "--root", "../elsewhere")
    server = Server(tmp_path / "data", "--repo", str(clone.path), "--root", "chat").start()
    try:
        assert server.text("/v1/prompts/welcome?variables[name]=Ada") == "Hello Ada!"
    finally:
        server.stop()


def _post(server: Server, path: str, value: object) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return server.request(path, method="POST", headers=headers, content=json.dumps(value).encode())
