# SPDX-License-Identifier: Apache-2.0
"""The one path by which gitprompt writes to Git: build objects, then move refs by
compare-and-swap; and what a push to a remote does when somebody was faster.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from gitprompt.core.document import SUFFIXES
from gitprompt.core.labels import Move, label_ref, move_message
from gitprompt.core.publication import Label, Version
from gitprompt.core.versions import tag_ref
from gitprompt.errors import Conflict, GitError, NotFound, SetupError
from gitprompt.git.objects import EMPTY_TREE, Signature
from gitprompt.git.refs import ZERO, RefUpdate, update_refs
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter


class Release(NamedTuple):
    """A version to publish: `commit` has the document."""

    name: str
    version: str
    commit: str
    message: str


def identity(repository: Repository) -> Signature:
    """Who git says is working, with the present time. Raises SetupError where it does not know."""
    try:
        text = os.fsdecode(repository.git("var", "GIT_COMMITTER_IDENT")).strip()
    except GitError as error:
        raise SetupError(
            "git does not know who you are",
            hint='Run: git config --global user.name "…" and user.email "…"',
        ) from error
    found = re.match(r"(.*) <(.*)> (\d+) [-+]\d{4}\Z", text)
    if found is None:
        raise SetupError(f"git gave an identity that cannot be read: {text}")
    return Signature(found[1], found[2], int(found[3]))


def publish(
    repository: Repository,
    releases: Sequence[Release],
    tagger: Signature,
    *,
    sign: bool = False,
) -> list[RefUpdate]:
    """Tag each release's commit, all of them or none. Raises Conflict where a version exists."""
    if sign:
        return _signed_tags(repository, releases)
    writer = ObjectWriter(repository)
    updates = [
        RefUpdate(
            tag_ref(release.name, release.version),
            ZERO,
            writer.tag(
                release.commit,
                f"prompts/{release.name}/{release.version}",
                release.message,
                tagger,
                kind="commit",
            ),
        )
        for release in releases
    ]
    update_refs(repository, updates, message="gitprompt: publish")
    return updates


def _signed_tags(repository: Repository, releases: Sequence[Release]) -> list[RefUpdate]:
    """git makes a signed tag and its ref in one; where one fails, those before it go again."""
    made: list[RefUpdate] = []
    try:
        for release in releases:
            made.append(_signed_tag(repository, release))
    except BaseException:
        update_refs(repository, [_back(update) for update in made], message="gitprompt: undo")
        raise
    return made


def _back(update: RefUpdate) -> RefUpdate:
    return RefUpdate(update.ref, update.new, update.old)


def _signed_tag(repository: Repository, release: Release) -> RefUpdate:
    ref = tag_ref(release.name, release.version)
    short = ref.removeprefix("refs/tags/")
    try:
        repository.git("tag", "-s", "-m", release.message, short, release.commit)
    except GitError as error:
        if "already exists" in error.stderr:
            raise _exists(release) from error
        error.hint = (
            error.hint or "Set user.signingkey (and gpg.format), or publish without --sign."
        )
        raise
    return RefUpdate(ref, ZERO, repository.line("rev-parse", ref))


def _exists(release: Release) -> Conflict:
    return Conflict(
        f"{release.name} {release.version} is published already",
        hint="Versions are immutable: choose the next one, or use --bump auto.",
    )


def move_label(
    repository: Repository,
    name: str,
    label: str,
    version: Version | None,
    *,
    current: Label | None,
    local: str | None,
    author: Signature,
    reason: str = "",
    namespace: str = "refs/labels",
    sign: bool = False,
) -> RefUpdate:
    """Point a label at a version, or remove it with `version` None: one commit on its ref.

    `current` is the label as the caller saw it (None: it never existed), `local` the value of its
    ref in this repository; somebody else's move in between raises Conflict.
    """
    previous = current.version if current else None
    if version is None and previous is None:
        raise NotFound(f"Label {label} of {name} does not exist")
    writer = ObjectWriter(repository)
    tree = EMPTY_TREE
    if version is None:
        writer.tree([])
    else:
        tree = writer.tree([(working_path(version), version.blob)])
    move = Move(name, label, version.version if version else None, previous, reason)
    parents = [current.moves[0].commit] if current else []
    commit = writer.commit(tree, parents, move_message(move), author, sign=sign)
    ref = label_ref(name, label, namespace=namespace)
    update = RefUpdate(ref, local or ZERO, commit)
    target = version.version if version else "none"
    update_refs(repository, [update], message=f"gitprompt: {label} → {target}")
    return update


def working_path(version: Version) -> str:
    """Where the document of a version stands in a label's tree, in the version's own format."""
    suffix = next((s for s in SUFFIXES if version.path.endswith(s)), ".json")
    return f"prompts/{version.name}{suffix}"


# Remotes


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
        back = [_back(update) for update in undo]
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
