# SPDX-License-Identifier: Apache-2.0
"""What a folder is found to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.errors import SetupError
from gitprompt.git import peek
from gitprompt.git.repository import Repository
from tests.world import Clone, run


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["git", "init", "-q", "--object-format=sha256", "r"], "sha256 object format"),
        (["mkdir", "r"], "not inside a Git repository"),
        (["touch", "r"], "is not a directory"),
    ],
)
def test_a_repository_that_cannot_be_used_says_so(
    tmp_path: Path, command: list[str], message: str
) -> None:
    run(*command, cwd=tmp_path)
    with pytest.raises(SetupError, match=message):
        Repository.open(str(tmp_path / "r"))


def _facts(path: Path) -> tuple[str, str, str | None] | str:
    """What a repository was found to be, or why it cannot be used."""
    try:
        found = Repository.open(str(path))
    except SetupError as error:
        return error.message
    return found.git_dir, found.common_dir, found.work_tree


@pytest.mark.parametrize(
    ("change", "is_plain"),
    [
        ((), True),
        (("core.sharedRepository", "group"), True),
        (("remote.origin.url", "https://example.org/x.git"), True),
        (("include.path", "gitprompt.config"), True),
        (("include.path", "other.config"), False),
        (("includeIf.gitdir:/.path", "gitprompt.config"), False),
        (("core.bare", "false"), False),
        (("core.worktree", ".."), False),
        (("core.repositoryformatversion", "1"), False),
        (("core.repositoryformatversion", "9"), False),
        (("extensions.partialClone", "origin"), False),
        (("alias.barely", "log"), False),
    ],
)
def test_what_a_bare_repository_is_found_to_be_without_git_git_says_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, ...], is_plain: bool
) -> None:
    run("git", "init", "-q", "--bare", "r.git", cwd=tmp_path)
    path = tmp_path / "r.git"
    if change:
        run("git", "config", "--file", "config", *change, cwd=path)
    assert peek.is_plain_bare(str(path)) == is_plain
    found = _facts(path)
    monkeypatch.setattr(peek, "is_plain_bare", lambda _: False)
    assert found == _facts(path)


@pytest.mark.parametrize(
    ("command", "inside"),
    [
        (["git", "init", "-q", "--bare", "--object-format=sha256", "r"], "."),
        (["git", "init", "-q", "r"], "."),
        (["git", "init", "-q", "r"], ".git"),
        (["git", "init", "-q", "--bare", "r"], "objects"),
        (["mkdir", "r"], "."),
        (["touch", "r"], "."),
    ],
)
def test_what_is_no_plain_bare_repository_is_left_to_git(
    tmp_path: Path, command: list[str], inside: str
) -> None:
    run(*command, cwd=tmp_path)
    assert not peek.is_plain_bare(str(tmp_path / "r" / inside))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[core]\n\tbare = false\n", "config"),
        ("[CORE]\nBARE=false\n", "config"),
        ("[core]\nrepositoryFormatVersion = 1\n[extensions]\nobjectFormat = sha256\n", "config"),
        ("../r.git\n", "commondir"),
    ],
)
def test_a_line_more_and_git_is_asked(tmp_path: Path, text: str, at: str) -> None:
    run("git", "init", "-q", "--bare", "r.git", cwd=tmp_path)
    with open(tmp_path / "r.git" / at, "a") as file:
        file.write(text)
    assert not peek.is_plain_bare(str(tmp_path / "r.git"))


def test_reftable_is_named(published: Clone) -> None:
    published.git("config", "core.repositoryformatversion", "1")
    published.git("config", "extensions.refstorage", "reftable")
    with pytest.raises(SetupError, match="reftable"):
        Repository.open(str(published.path))
