# SPDX-License-Identifier: Apache-2.0
"""What a clone has to do with a remote: what it fetches, and a push that somebody was faster than."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from gitprompt.errors import Conflict, GitError, NotFound, SetupError
from gitprompt.git.refs import ZERO, RefUpdate, update_refs
from gitprompt.git.repository import Repository


def configure_fetch(repository: Repository, remote: str) -> list[str]:
    """Make `git fetch` bring labels and all version tags, which Git's default refspecs leave out.

    Idempotent; returns the refspecs that were added.
    """
    wanted = (
        "refs/tags/prompts/*:refs/tags/prompts/*",
        f"+refs/labels/*:refs/remotes/{remote}/labels/*",
    )
    key = f"remote.{remote}.fetch"
    known = os.fsdecode(repository.git("config", "--get-all", key, accept=(0, 1))).splitlines()
    added = [refspec for refspec in wanted if refspec not in known]
    for refspec in added:
        repository.git("config", "--add", key, refspec)
    return added


def choose_remote(repository: Repository, wanted: str | None = None) -> str:
    """The remote to push to: the one that is named, else origin, else the only one."""
    remotes = repository.remotes()
    if wanted is not None:
        if wanted in remotes:
            return wanted
        raise NotFound(f"there is no remote '{wanted}'", hint=f"Remotes: {', '.join(remotes)}")
    if "origin" in remotes:
        return "origin"
    if len(remotes) == 1:
        return remotes[0]
    raise SetupError(
        "there is no remote to push to" if not remotes else "there are several remotes",
        hint="git remote add origin URL" if not remotes else f"--remote {remotes[0]}",
    )


def tracking_ref(remote: str, ref: str) -> str:
    return f"refs/remotes/{remote}/labels/{ref.partition('/labels/')[2]}"


def fetch_label(repository: Repository, remote: str, ref: str) -> str | None:
    """The remote's value of a label's ref, fetched; None where the remote has none."""
    found = repository.git("ls-remote", remote, ref).decode().split()
    if not found:
        return None
    tracking = tracking_ref(remote, ref)
    repository.git("fetch", "--no-tags", "--no-write-fetch-head", remote, f"+{ref}:{tracking}")
    return repository.line("rev-parse", tracking)


def push(
    repository: Repository,
    remote: str,
    updates: Sequence[RefUpdate],
    *refs: str,
    undo: Sequence[RefUpdate],
) -> None:
    """Push `updates`, whose `old` values are the remote's, and `refs`; all of it or nothing.

    Where the remote refuses, `undo` (what was moved here) is taken back: a version or a move that
    nobody else can see must not look published. Raises Conflict when somebody was faster.
    """
    leases = [f"--force-with-lease={update.ref}:{_lease(update)}" for update in updates]
    specs = [f"{update.new}:{update.ref}" for update in updates]
    try:
        repository.git("push", "--atomic", *leases, remote, *specs, *refs)
    except GitError as error:
        if not _REJECTED.search(error.stderr):
            _look_again(repository, remote, updates, error)
            return
        back = [RefUpdate(update.ref, update.new, update.old) for update in undo]
        update_refs(repository, back, message="gitprompt: push refused")
        raise refused(error) from error


_REJECTED = re.compile(
    r"^ ! \[(?:remote )?rejected\]|returned error: 4\d\d|Authentication failed", re.MULTILINE
)


def _look_again(
    repository: Repository, remote: str, updates: Sequence[RefUpdate], error: GitError
) -> None:
    """The remote did not refuse, the push failed otherwise: did it arrive all the same?"""
    try:
        listed = repository.git("ls-remote", remote, *(u.ref for u in updates)).decode()
    except GitError:
        listed = ""
    if all(f"{update.new}\t{update.ref}" in listed for update in updates):
        return
    refs = " ".join(update.ref for update in updates[:3])
    error.hint = f"What was made here stays. Once the remote answers: git push {remote} {refs}"
    raise error


def _lease(update: RefUpdate) -> str:
    return "" if update.old == ZERO else update.old


def refused(error: GitError) -> GitError | Conflict:
    """The error for a refused push, with the remote's own words."""
    said = "\n".join(
        line.removeprefix("remote: ").rstrip()
        for line in error.stderr.splitlines()
        if line.startswith("remote: ")
    )
    behind = re.findall(
        r"-> (\S+) \((?:stale info|already exists|non-fast-forward|fetch first)\)", error.stderr
    )
    if behind:
        return Conflict(
            f"somebody was faster: the remote has another {', '.join(behind[:3])}"
            + (f"\n{said}" if said else ""),
            hint="Run `git pull --rebase` (or `git fetch`), look at what they did, and do it again on top.",
        )
    return GitError(
        "the remote refused the push" + (f":\n{said}" if said else f": {error.message}"),
        stderr=error.stderr,
        hint=error.hint or "Mend what it says; nothing was changed, here or there.",
    )
