# SPDX-License-Identifier: Apache-2.0
"""Whose a repository here is: its own, or the mirror of one origin."""

from __future__ import annotations

import os

from gitprompt import log
from gitprompt.errors import Conflict, SetupError
from gitprompt.git.origin import MARK
from gitprompt.git.repository import Repository


class NotClaimed(SetupError):
    """A repository here is not, or not any more, what a driver may follow its origin with."""


class Stale(Conflict):
    """Somebody else was faster with something: what was decided has to be decided again."""


def claim(repository: Repository, url: str) -> None:
    """Mark a repository as the mirror of an origin. Raises NotClaimed for one that has a history of its own, or of
    another origin: to follow this one would delete it."""
    mark = _mark(repository)
    if mark == url:
        return
    if mark or any(repository.refs().items()):
        what = f"mirrors {mark}" if mark else "is a repository of its own"
        raise NotClaimed(
            f"{repository.git_dir} {what}; as a mirror of {url} it would lose what is in it",
            hint="Choose another folder with --data. If it is a copy of the same repository:"
            f" git -C {repository.git_dir} config {MARK} {url}",
        )
    repository.git("config", "--local", MARK, url)


def disown(repository: Repository) -> None:
    """A mirror that is started without its origin is a repository of its own from then on."""
    if _mark(repository):
        repository.git("config", "--local", "--unset-all", MARK)
        log.warning("this mirror is served without its origin, and follows it no more")


def _mark(repository: Repository) -> str:
    """No process is started for a repository that has none."""
    path = os.path.join(repository.common_dir, "config")
    with open(path, encoding="utf-8", errors="replace") as file:
        if "[gitprompt" not in file.read():
            return ""
    return repository.line("config", "--get", MARK)
