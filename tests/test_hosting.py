# SPDX-License-Identifier: Apache-2.0
"""The bare repositories of a data directory, their hooks, and the lock that one server holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gitprompt import hosting
from gitprompt.errors import BadRequest, NotFound, SetupError
from gitprompt.git.repository import Repository
from gitprompt.hosting import Hosting
from tests.world import Clone

HOOKS = ("pre-commit", "pre-push")


@pytest.fixture
def hosted(tmp_path: Path) -> Hosting:
    return Hosting(str(tmp_path / "data"))


def own_hook(folder: Path, name: str, text: str = "#!/bin/sh\necho mine\n") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


# Repositories


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.git", "a b", "ä", "a\n", "x" * 129])
def test_a_workspace_whose_name_is_no_folder_name_is_refused(hosted: Hosting, name: str) -> None:
    for use in (hosted.path, hosted.open, hosted.create):
        with pytest.raises(BadRequest, match="Invalid workspace"):
            use(name)
    assert not os.path.exists(hosted.root)


def test_a_repository_is_made_once_bare_and_with_our_settings(hosted: Hosting) -> None:
    repository = hosted.create("team-1")
    assert repository.work_tree is None
    for setting, value in (("core.fsync", "all"), ("transfer.fsckObjects", "true")):
        assert repository.line("config", setting) == value
    before = Path(repository.git_dir, "config").read_text()
    hosted.create("team-1")
    assert Path(repository.git_dir, "config").read_text() == before
    assert repository.line("symbolic-ref", "HEAD") == "refs/heads/main"


def test_a_repository_that_was_half_made_is_finished(hosted: Hosting) -> None:
    folder = Path(hosted.create("team").git_dir)
    (folder / "gitprompt.config").unlink()
    (folder / "hooks/pre-receive").unlink()
    (folder / "refs/heads").rmdir()
    repository = hosted.create("team")
    assert repository.line("config", "transfer.hideRefs") == "refs/gitprompt"
    assert os.access(folder / "hooks/pre-receive", os.X_OK)


def test_workspaces_are_the_folders_whose_names_are_valid(hosted: Hosting) -> None:
    assert hosted.workspaces() == []
    for name in ("b", "a"):
        hosted.create(name)
    for folder in (".git", "a b.git", "notes"):
        Path(hosted.root, folder).mkdir()
    assert hosted.workspaces() == ["a", "b"]
    with pytest.raises(NotFound, match="Workspace c not found"):
        hosted.open("c")


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SetupError, match=r"data/repos cannot be written") as error:
        Hosting(str(tmp_path / "data")).create("default")
    assert "--data" in error.value.hint


def test_what_a_killed_process_left_behind_is_removed_and_nothing_else(hosted: Hosting) -> None:
    folder = Path(hosted.create("default").git_dir)
    leftovers = [
        folder / "packed-refs.lock", folder / "refs/heads/main.lock",
        folder / "objects/pack/tmp_pack_x", folder / "objects/tmp_objdir-incoming-x",
    ]  # fmt: skip
    for path in leftovers:
        path.mkdir() if path.name.startswith("tmp_objdir") else path.write_text("")
    kept = folder / "objects/pack/pack-1.keep"
    kept.write_text("")
    Path(hosted.hooks).mkdir()
    assert sorted(hosted.repair()) == sorted(map(str, leftovers))
    assert [path for path in (*leftovers, Path(hosted.hooks)) if path.exists()] == []
    assert kept.exists()
    assert hosted.repair() == []


def test_head_follows_the_first_branch_and_no_second_one(hosted: Hosting, published: Clone) -> None:
    repository = hosted.create("default")
    bare = Clone(Path(repository.git_dir))
    for branch in ("trunk", "side"):
        bare.git("fetch", "-q", str(published.path), f"main:{branch}")
        hosting.follow_first_branch(repository)
        assert repository.line("symbolic-ref", "HEAD") == "refs/heads/trunk"


# Hooks


def test_a_hook_that_is_there_steps_aside_and_comes_back(tmp_path: Path) -> None:
    own_hook(tmp_path, "pre-commit")
    before = content(tmp_path)
    for _ in range(2):
        installed = hosting.install_hooks(str(tmp_path), HOOKS)
    assert installed == [str(tmp_path / name) for name in HOOKS]
    assert content(tmp_path)["pre-commit.local"] == before["pre-commit"]
    assert hosting.uninstall_hooks(str(tmp_path), HOOKS) == installed
    assert content(tmp_path) == before
    assert hosting.uninstall_hooks(str(tmp_path), HOOKS) == []


def test_two_hooks_that_both_would_step_aside_are_left_to_a_person(tmp_path: Path) -> None:
    own_hook(tmp_path, "pre-push")
    own_hook(tmp_path, "pre-push.local", "#!/bin/sh\necho another\n")
    before = content(tmp_path)
    with pytest.raises(SetupError, match=r"pre-push is not ours, and pre-push\.local exists"):
        hosting.install_hooks(str(tmp_path), ("pre-push",))
    assert content(tmp_path) == before


def test_hooks_of_pushes_run_those_of_the_repository_first(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("pre-receive", "update", "proc-receive", "post-update.sample"):
        own_hook(own, name)
    folder = Path(hosting.composed_hooks(str(tmp_path / "hooks"), str(own)))
    assert {path.name: path.is_symlink() for path in folder.iterdir()} == {
        "pre-receive": False, "pre-receive.local": True, "proc-receive": False, "update": True,
    }  # fmt: skip
    assert (folder / "pre-receive.local").resolve() == own / "pre-receive"
    assert all(path.stat().st_mode & stat.S_IXUSR for path in folder.iterdir())


def test_hooks_of_pushes_are_another_folder_when_the_repositorys_hooks_change(
    tmp_path: Path,
) -> None:
    own, root = tmp_path / "own", str(tmp_path / "hooks")
    first = hosting.composed_hooks(root, str(own))
    assert hosting.composed_hooks(root, str(own)) == first
    own_hook(own, "update")
    second = hosting.composed_hooks(root, str(own))
    assert second != first
    assert sorted(os.listdir(root)) == sorted(map(os.path.basename, (first, second)))


def test_hooks_of_ours_that_are_installed_do_not_judge_a_push_twice(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own_hook(own, "pre-receive")
    hosting.install_hooks(str(own), ("pre-receive", "post-receive"))
    folder = Path(hosting.composed_hooks(str(tmp_path / "hooks"), str(own)))
    assert sorted(path.name for path in folder.iterdir()) == [
        "pre-receive", "pre-receive.local", "proc-receive",
    ]  # fmt: skip
    assert (folder / "pre-receive.local").resolve() == own / "pre-receive.local"


def test_client_hooks_go_where_git_looks_for_them(clone: Clone) -> None:
    clone.git("config", "core.hooksPath", "shared hooks")
    hosting.install_client_hooks(Repository.open(str(clone.path)))
    assert sorted(os.listdir(clone.path / "shared hooks")) == ["pre-commit", "pre-push"]


# The lock


def test_a_data_directory_is_free_again_however_its_holder_ended(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with pytest.raises(ZeroDivisionError), hosting.hold(data, "first"):
        assert 1 / 0
    assert hosting.is_held(data) is None
    with hosting.hold(data, "second"):
        assert Path(data, "lock").read_text() == "second\n"


def test_looking_for_a_holder_makes_no_directory(tmp_path: Path) -> None:
    assert hosting.is_held(str(tmp_path / "none")) is None
    assert not (tmp_path / "none").exists()


def test_hooks_that_would_run_in_other_repositories_are_not_written(
    clone: Clone, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    clone.git("config", "core.hooksPath", str(shared))
    with pytest.raises(SetupError, match=r"core\.hooksPath is .*shared, outside of this"):
        hosting.install_client_hooks(Repository.open(str(clone.path)))
    assert list(shared.iterdir()) == []


def test_hooks_that_are_committed_name_no_interpreter_of_one_person(clone: Clone) -> None:
    clone.git("config", "core.hooksPath", ".husky")
    installed = hosting.install_client_hooks(Repository.open(str(clone.path)))
    assert installed == [str(clone.path / ".husky" / name) for name in hosting.CLIENT_HOOKS]
    text = (clone.path / ".husky/pre-commit").read_text()
    assert "exec gitprompt hook pre-commit" in text
    assert "python" not in text


def test_a_hook_whose_interpreter_is_gone_says_how_to_get_it_back(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/gone/bin $(touch x)/python")
    hosting._shim.cache_clear()
    hosting.install_client_hooks(Repository.open(str(clone.path)))
    hosting._shim.cache_clear()
    clone.write("prompts/a.yaml", "x")
    clone.git("add", "-A")
    said = clone.refusal("commit", "-m", "x")
    assert "this hook needs /gone/bin $(touch x)/python, which is gone" in said
    assert "gitprompt hooks install" in said
    assert not (clone.path / "x").exists()


def test_a_repository_of_another_owner_is_called_that(
    hosted: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.create("team")
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    for use in (hosted.open, hosted.create):
        with pytest.raises(
            SetupError, match=r"belongs to the user .*runs as the user 54321"
        ) as told:
            use("team")
        assert "chown -R 54321" in told.value.hint


def test_no_database_is_made_beside_another_one(tmp_path: Path) -> None:
    """Its keys, pins and audit would be out of sight, and nothing would say so."""
    hosting.check_database(str(tmp_path), str(tmp_path / "pm.db"))
    (tmp_path / "index.db").touch()
    hosting.check_database(str(tmp_path), str(tmp_path / "pm.db"))
    (tmp_path / "telemetry.db").touch()
    with pytest.raises(SetupError, match=r"there is no .*pm\.db, but .*telemetry\.db") as caught:
        hosting.check_database(str(tmp_path), str(tmp_path / "pm.db"))
    assert f"DATABASE_URL=sqlite:{tmp_path}/telemetry.db" in (caught.value.hint or "")
    hosting.check_database(str(tmp_path), str(tmp_path / "telemetry.db"))
    hosting.check_database(str(tmp_path), None)
