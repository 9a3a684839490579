# SPDX-License-Identifier: Apache-2.0
"""A log gets what a repository has."""

from __future__ import annotations

from gitprompt.drivers.ref_log import RefLog
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from tests.world import Clone, empty_repository, run


def fill(log: RefLog, source: Clone, workspace: str = "default") -> Repository:
    """By one entry; the repository from which it was made has the objects, and none of the refs."""
    seed = empty_repository(source.path.parent / f"seed-{workspace}.git")
    run(
        "git", "fetch", "-q", "--no-tags", str(source.path), "+refs/*:refs/seed/*", cwd=seed.git_dir
    )
    run("git", "symbolic-ref", "HEAD", "refs/heads/main", cwd=seed.git_dir)
    refs = Repository.open(str(source.path)).refs()
    log.push(workspace, seed, [RefUpdate(ref, ZERO, oid) for ref, oid in refs.items()])
    return seed
