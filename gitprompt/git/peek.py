# SPDX-License-Identifier: Apache-2.0
"""Questions about a clone that need no git process: the fast path of `gitprompt validate`."""

from __future__ import annotations

import os


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
    """False where the clone surely has no tag prompts/<name>/<version>; True otherwise."""
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
