# SPDX-License-Identifier: Apache-2.0
"""Hooks: ours in a clone, ours in a bare repository, and through the pre-commit program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.world import WELCOME, Clone, Refused, run

ROOT = Path(__file__).parents[2]
BROKEN = "messages:\n  - role: user\n    content: Hello {{nmae\n"


@pytest.fixture
def hooked(published: Clone) -> Clone:
    published.gitprompt("hooks", "install")
    return published


@pytest.fixture
def bare(hooked: Clone, tmp_path: Path) -> Path:
    """A plain bare repository with our server hooks, and everything pushed."""
    path = tmp_path / "bare.git"
    run("git", "init", "-q", "--bare", "-b", "main", str(path), cwd=tmp_path)
    run(sys.executable, "-m", "gitprompt", "hooks", "install", "--server", cwd=path)
    hooked.git("remote", "add", "origin", str(path))
    hooked.push_all("origin")
    return path


def test_shims_are_short_posix_sh() -> None:
    for path in (ROOT / "hooks").iterdir():
        lines = path.read_text().splitlines()
        assert lines[0] == "#!/bin/sh"
        assert len(lines) <= 10, path
        run("sh", "-n", str(path), cwd=ROOT)
        assert os.access(path, os.X_OK)


def test_a_commit_is_stopped_by_what_is_staged_and_by_nothing_else(hooked: Clone) -> None:
    hooked.write("prompts/bad.yaml", BROKEN)
    hooked.write("notes.txt", "x")
    hooked.git("add", "notes.txt")
    hooked.git("commit", "-q", "-m", "The broken file is not staged")
    hooked.git("add", "prompts/bad.yaml")
    said = hooked.refusal("commit", "-m", "Broken")
    assert "prompts/bad.yaml:3:20: error: '{{' is never closed" in said
    assert "--no-verify" in said
    hooked.write("prompts/bad.yaml", WELCOME)  # mended, but not staged
    assert "never closed" in hooked.refusal("commit", "-m", "Broken")
    hooked.git("commit", "-q", "-m", "All of the work tree", "-a")


def test_a_partial_commit_is_judged_by_its_own_index(hooked: Clone) -> None:
    hooked.write("prompts/bad.yaml", BROKEN)
    hooked.write("prompts/good.yaml", WELCOME)
    hooked.git("add", "-A")
    hooked.git("commit", "-q", "-m", "Only the good one", "--", "prompts/good.yaml")
    assert "never closed" in hooked.refusal("commit", "-m", "The rest")


def test_every_ref_of_a_push_is_judged_before_it_leaves(bare: Path, hooked: Clone) -> None:
    hooked.git("commit", "-q", "--allow-empty", "-m", "x")
    hooked.git("tag", "-a", "-m", "x", "prompts/welcome/1.1.0")
    hooked.git("tag", "-a", "-m", "x", "prompts/missing/1.0.0")
    said = hooked.refusal("push", "origin", "main", "--tags")
    assert "refs/tags/prompts/missing/1.0.0 is refused" in said
    assert "remote:" not in said
    hooked.git("tag", "-d", "prompts/missing/1.0.0")
    hooked.git("tag", "-f", "-a", "-m", "moved", "prompts/welcome/1.0.0")
    assert "a version is never moved" in hooked.refusal(
        "push", "--force", "origin", "prompts/welcome/1.0.0"
    )
    assert "a version is never deleted" in hooked.refusal(
        "push", "origin", ":refs/tags/prompts/welcome/1.0.0"
    )


def test_a_bare_repository_refuses_without_any_sidecar(bare: Path, hooked: Clone) -> None:
    hooked.write("prompts/bad.yaml", BROKEN)
    hooked.git("add", "-A")
    hooked.git("commit", "-q", "--no-verify", "-m", "Broken")
    said = hooked.refusal("push", "--no-verify", "origin", "main")
    assert "remote:   prompts/bad.yaml:3:20: '{{' is never closed" in said
    hooked.git("tag", "-f", "-a", "-m", "x", "prompts/welcome/1.0.0")
    assert "never moved" in hooked.refusal(
        "push", "--no-verify", "--force", "origin", "prompts/welcome/1.0.0"
    )
    hooked.git("tag", "-f", "-a", "-m", "x", "prompts/welcome/1.2.0", "HEAD~1")
    hooked.git("push", "origin", "prompts/welcome/1.2.0")
    hooked.gitprompt("label", "set", "welcome", "production", "1.2.0", "--push")
    old = "refs/tags/prompts/welcome/1.2.0^{}:refs/labels/welcome@production"
    assert "does not continue it" in hooked.refusal("push", "--no-verify", "--force", "origin", old)


def test_hooks_that_are_there_go_on_running_and_come_back(clone: Clone) -> None:
    own = clone.path / ".git" / "hooks" / "pre-commit"
    own.parent.mkdir(exist_ok=True)
    own.write_text("#!/bin/sh\necho mine ran >&2\n[ ! -e veto ]\n")
    own.chmod(0o755)
    for _ in range(2):
        clone.gitprompt("hooks", "install")
    clone.write("prompts/a.yaml", WELCOME)
    clone.git("add", "-A")
    assert "mine ran" in clone.git("commit", "-m", "x")
    clone.write("veto", "")
    clone.write("prompts/b.yaml", WELCOME)
    clone.git("add", "-A")
    clone.refusal("commit", "-m", "x")
    clone.gitprompt("hooks", "uninstall")
    assert own.read_text().startswith("#!/bin/sh\necho mine ran")
    assert not own.with_suffix(".local").exists()
    assert "No hooks of gitprompt were installed" in clone.gitprompt("hooks", "uninstall")


def test_install_adds_the_refspecs_once(hooked: Clone) -> None:
    hooked.git("remote", "add", "origin", "/nowhere")
    hooked.gitprompt("hooks", "install")
    hooked.gitprompt("hooks", "install")
    assert hooked.git("config", "--get-all", "remote.origin.fetch").splitlines() == [
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/prompts/*:refs/gitprompt/remotes/origin/tags/prompts/*",
        "+refs/labels/*:refs/remotes/origin/labels/*",
    ]


def test_hooks_of_the_wrong_side_are_refused(clone: Clone, bare: Path) -> None:
    with pytest.raises(Refused, match="for a bare repository"):
        clone.gitprompt("hooks", "install", "--server")
    with pytest.raises(Refused, match="Add --server"):
        run(sys.executable, "-m", "gitprompt", "hooks", "install", cwd=bare)
    with pytest.raises(Refused, match="there is no hook"):
        clone.gitprompt("hook", "nothing")


def test_files_of_the_work_tree_are_never_imported_by_a_hook(hooked: Clone) -> None:
    hooked.write("gitprompt/__init__.py", "raise SystemExit('imported from the work tree')")
    hooked.write("json.py", "raise SystemExit('imported from the work tree')")
    hooked.git("add", "-A")
    hooked.git("commit", "-q", "-m", "Python files")


def test_another_repository_adopts_us_through_pre_commit(clone: Clone, tmp_path: Path) -> None:
    """The real pre-commit program, with our hook definitions and this environment's gitprompt."""
    hooks = (
        (ROOT / ".pre-commit-hooks.yaml")
        .read_text()
        .replace("language: python", "language: system")
    )
    ours = Clone.init(tmp_path / "ours")
    ours.write(".pre-commit-hooks.yaml", hooks)
    ours.commit("Hooks")
    rev = ours.git("rev-parse", "HEAD")
    clone.write(
        ".pre-commit-config.yaml",
        f"repos:\n  - repo: {ours.path}\n    rev: {rev}\n    hooks:\n      - id: gitprompt-validate\n",
    )
    clone.write("prompts/good.yaml", WELCOME)
    clone.write("other/bad.yaml", BROKEN)
    clone.git("add", "-A")
    env = {
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"]
    assert "1 file: 0 errors" in run(*command, cwd=clone.path, env=env)
    clone.write("prompts/bad.yaml", BROKEN)
    clone.git("add", "-A")
    with pytest.raises(Refused, match=r"prompts/bad\.yaml:3:20"):
        run(*command, cwd=clone.path, env=env)
