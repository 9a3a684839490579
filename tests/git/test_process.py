# SPDX-License-Identifier: Apache-2.0
"""The git binary."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.errors import GitError, SetupError
from gitprompt.git import process
from gitprompt.git.repository import Repository
from tests.world import Clone


def _fake_git(folder: Path, version: str) -> None:
    path = folder / "git"
    path.write_text(f"#!/bin/sh\necho git version {version}\n")
    path.chmod(0o755)


def test_an_old_or_missing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    process.git_path.cache_clear()
    process.require_git.cache_clear()
    try:
        with pytest.raises(SetupError, match="not found on PATH"):
            process.require_git()
        _fake_git(tmp_path, "2.30.1")
        with pytest.raises(SetupError, match="too old"):
            process.require_git()
        _fake_git(tmp_path, "2.39.0")
        assert process.require_git() == "git version 2.39.0"
        assert process.git_path() == str(tmp_path / "git")
    finally:
        process.git_path.cache_clear()
        process.require_git.cache_clear()


_NO_ACCESS = """\
git@forge: Permission denied (publickey).
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""
_LOCKED = """\
fatal: Unable to create '/r/packed-refs.lock': File exists.

Another git process seems to be running in this repository, e.g.
remove the file manually to continue.
"""
_ADVISED = " ! [rejected] a -> a\nerror: failed to push\nhint: See the note\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (_NO_ACCESS, "; ".join(_NO_ACCESS.splitlines()[:2])),
        (_LOCKED, _LOCKED.splitlines()[0]),
        (_ADVISED, "error: failed to push"),
        ("something else\nat last\n", "at last"),
        ("", "no message"),
    ],
)
def test_the_reason_is_what_git_marks_as_one(said: str, reason: str) -> None:
    assert process.failure(["fetch"], said.encode()).message == f"git fetch: {reason}"


def test_credentials_are_not_in_errors(clone: Clone) -> None:
    with pytest.raises(GitError) as caught:
        Repository.open(str(clone.path)).git("fetch", "http://x:pm_secret@127.0.0.1:9/none.git")
    assert "pm_secret" not in caught.value.message + caught.value.stderr
