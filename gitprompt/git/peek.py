# SPDX-License-Identifier: Apache-2.0
"""Questions about a repository that need no git process, which takes two milliseconds to start.

Each answers in one direction only: where a file does not say it plainly, git has to be asked.
"""

from __future__ import annotations

import os
import re


def top_level(start: str) -> str | None:
    """The nearest folder at or above `start` that has a `.git` or a `gitprompt.yaml`."""
    folder = os.path.abspath(start)
    while True:
        for mark in (".git", "gitprompt.yaml"):
            if os.path.lexists(os.path.join(folder, mark)):
                return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def may_have_tag(top: str, name: str, version: str) -> bool:
    """False if the clone surely has no tag prompts/<name>/<version>; True otherwise."""
    git_dir = os.path.join(top, ".git")
    if not os.path.isdir(git_dir):
        return os.path.isfile(git_dir)  # a linked work tree: somebody has to look
    if os.path.exists(os.path.join(git_dir, "refs", "tags", "prompts", name, version)):
        return True
    try:
        with open(os.path.join(git_dir, "packed-refs"), "rb") as file:
            return b" refs/tags/prompts/%b/%b\n" % (name.encode(), version.encode()) in file.read()
    except OSError:
        return False


def is_plain_bare(path: str) -> bool:
    """True if `path` itself surely is a bare repository of this user's, of sha1 objects and of
    refs in files, as `git init --bare` and `git clone --mirror` make it."""
    try:
        if os.stat(path).st_uid != os.geteuid() or os.path.lexists(f"{path}/commondir"):
            return False
        with open(f"{path}/config", "rb") as file:
            config = file.read(_MOST_CONFIG + 1)
        with open(f"{path}/HEAD", "rb") as file:
            head = file.read(100)
    except OSError:
        return False
    text = config.lower()
    return (
        len(config) <= _MOST_CONFIG
        and _BARE.match(config) is not None
        and text.count(b"bare") == text.count(b"repositoryformatversion") == 1
        and _UNUSUAL.search(text) is None
        and head.startswith(b"ref: refs/heads/")
        and all(os.path.isdir(f"{path}/{folder}") for folder in ("objects", "refs"))
    )


_MOST_CONFIG = 65_536
_LINE = rb"(?:\t\w+ = \w+\n)*"
_BARE = re.compile(
    rb"\[core\]\n%b\trepositoryformatversion = 0\n%b\tbare = true\n" % (_LINE, _LINE)
)
# What makes the format another, or brings settings from a file that is not ours.
_UNUSUAL = re.compile(rb"worktree|extensions|include(?!\]\n\tpath = gitprompt\.config\n)")
