# SPDX-License-Identifier: Apache-2.0
"""What a clone has to do with a remote: what it fetches, and a push that somebody was faster than."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from gitprompt.core.versions import TAG_PREFIX, tag_ref
from gitprompt.errors import Conflict, GitError, NotFound, SetupError
from gitprompt.git import origin
from gitprompt.git.process import SIGN_IN
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.refwrites import take_back

_TAGS = f"{TAG_PREFIX}*:{TAG_PREFIX}*"


def configure_fetch(repository: Repository, remote: str) -> list[str]:
    """Make `git fetch` bring labels and all version tags, which Git's default refspecs leave out,
    and remember which tags the remote has.

    Idempotent; returns the refspecs that were added.
    """
    # With the tags under a name of their own git follows them under refs/tags too. A refspec for
    # those would make git take a tag for a branch's upstream: `git switch -c fix prompts/a/1.0.0`.
    specs = [_tracking_refspec(remote), f"+refs/labels/*:refs/remotes/{remote}/labels/*"]
    follows = repository.line("config", "--get", f"remote.{remote}.tagOpt") != "--no-tags"
    if not follows:
        specs.append(_TAGS)
    key = f"remote.{remote}.fetch"
    configured = os.fsdecode(repository.git("config", "--get-all", key, accept=(0, 1))).splitlines()
    if follows and _TAGS in configured:  # as it was once written
        repository.git("config", "--unset-all", key, f"^{re.escape(_TAGS)}$")
    added = [refspec for refspec in specs if refspec not in configured]
    for refspec in added:
        repository.git("config", "--add", key, refspec)
    if specs[0] in added and repository.git("for-each-ref", "--count=1", f"refs/remotes/{remote}"):
        # Fetched before, with its tags: what is here now came from there, until it is asked.
        tags = repository.refs().items()
        _remember(repository, remote, {r: oid for r, oid in tags if r.startswith(TAG_PREFIX)})
    return added


def meet(repository: Repository, remote: str) -> str:
    """Fetch from a remote whose labels and tags this clone was not set up for yet. Returns why that
    failed, or nothing: a clone that never fetched them would begin a second history of a label, and
    could not say what is pushed."""
    if configure_fetch(repository, remote):
        try:
            repository.git("fetch", "--quiet", remote)
            tags_there(repository, remote)
        except GitError as error:
            return error.message
    return ""


# What the remote has


def _remote_tags(remote: str) -> str:
    return f"refs/gitprompt/remotes/{remote}/{TAG_PREFIX.removeprefix('refs/')}"


def _tracking_refspec(remote: str) -> str:
    return f"+{TAG_PREFIX}*:{_remote_tags(remote)}*"


def tags_there(repository: Repository, remote: str, names: Sequence[str] = ()) -> dict[str, str]:
    """The version tags that a remote has now, ref → tag object; of some prompts, or all. Asks the
    remote, and remembers the answer for `unpushed`."""
    prefixes = [f"{TAG_PREFIX}{name}/" for name in names] or [TAG_PREFIX]
    listed = repository.git("ls-remote", "--refs", remote, *(f"{prefix}*" for prefix in prefixes))
    pairs = (line.partition("\t") for line in os.fsdecode(listed).splitlines())
    there = {ref: oid for oid, _, ref in pairs}
    before = known_tags(repository, remote)
    vanished = [ref for ref in before if ref not in there and ref.startswith(tuple(prefixes))]
    _remember(repository, remote, there, forget=vanished)
    return there


def _remember(
    repository: Repository, remote: str, tags: Mapping[str, str], *, forget: Sequence[str] = ()
) -> None:
    """Note what a remote has, as far as the objects are here, and what it has no more."""
    before = known_tags(repository, remote)
    new = {ref: oid for ref, oid in tags.items() if before.get(ref) != oid}
    with repository.reader() as reader:
        here = [item is not None for item in reader.names(new.values())]
    commands = [
        b"update %b\0%b\0\0" % (os.fsencode(_tracking_tag(remote, ref)), oid.encode())
        for (ref, oid), is_here in zip(new.items(), here, strict=True)
        if is_here
    ]
    commands += [b"delete %b\0\0" % os.fsencode(_tracking_tag(remote, ref)) for ref in forget]
    if commands:
        repository.git("update-ref", "--stdin", "-z", stdin=b"".join(commands))


def _tracking_tag(remote: str, ref: str) -> str:
    return _remote_tags(remote) + ref.removeprefix(TAG_PREFIX)


def known_tags(repository: Repository, remote: str) -> dict[str, str]:
    """The tags that the remote had when this clone last spoke to it, ref → tag object."""
    prefix = _remote_tags(remote)
    lines = repository.git("for-each-ref", "--format=%(objectname) %(refname)", prefix)
    pairs = (line.partition(" ") for line in os.fsdecode(lines).splitlines())
    return {TAG_PREFIX + ref.removeprefix(prefix): oid for oid, _, ref in pairs}


def unpushed(repository: Repository, tags: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The versions of each prompt that are tagged here and were not at the remote when this clone
    last spoke to it; `tags` is name → version → tag object. Nothing if there is no one remote, or
    nobody has asked it yet. Asks nobody."""
    remote = default_remote(repository)
    if remote is None:
        return {}
    refspecs = repository.git("config", "--get-all", f"remote.{remote}.fetch", accept=(0, 1))
    if _tracking_refspec(remote) not in os.fsdecode(refspecs).splitlines():
        return {}
    there = known_tags(repository, remote)
    missing: dict[str, list[str]] = {}
    for name, versions in tags.items():
        for version, oid in versions.items():
            if there.get(tag_ref(name, version)) != oid:
                missing.setdefault(name, []).append(version)
    return missing


def unpushed_labels(repository: Repository, namespace: str) -> set[tuple[str, str]]:
    """Prompt and label of each label that was moved here and is not so at the remote, as far as this
    clone knows."""
    remote = default_remote(repository)
    if remote is None:
        return set()
    where = (namespace, f"refs/remotes/{remote}/labels")
    lines = repository.git("for-each-ref", "--format=%(objectname) %(refname)", *where)
    oids = {ref: oid for oid, ref in map(str.split, os.fsdecode(lines).splitlines())}
    pairs = (
        ref.removeprefix(f"{namespace}/").partition("@")
        for ref, oid in oids.items()
        if ref.startswith(f"{namespace}/")
        if not _has(repository, oids.get(tracking_ref(remote, ref)), oid)
    )
    return {(name, label) for name, _, label in pairs}


def _has(repository: Repository, there: str | None, here: str) -> bool:
    """Whether what the remote has is what is here, or has gone on from it."""
    return there == here or (there is not None and repository.descends(there, here))


def push_labels(
    repository: Repository, remote: str, updates: Sequence[RefUpdate], *, undo: Sequence[RefUpdate]
) -> None:
    """Push labels, and remember that the remote has them; see `push`."""
    push(repository, remote, updates, undo=undo)
    for update in updates:
        repository.git("update-ref", tracking_ref(remote, update.ref), update.new)


def default_remote(repository: Repository) -> str | None:
    """The remote that is meant where none is named: origin, or the only one."""
    remotes = repository.remotes()
    if "origin" in remotes:
        return "origin"
    return remotes[0] if len(remotes) == 1 else None


def choose_remote(repository: Repository, wanted: str | None = None) -> str:
    """The remote to push to: the one that is named, else origin, else the only one."""
    remotes = repository.remotes()
    if wanted is not None:
        if wanted in remotes:
            return wanted
        raise NotFound(f"there is no remote '{wanted}'", hint=f"Remotes: {', '.join(remotes)}")
    remote = default_remote(repository)
    if remote is not None:
        return remote
    raise SetupError(
        "there is no remote to push to" if not remotes else "there are several remotes",
        hint="git remote add origin URL" if not remotes else f"--remote {remotes[0]}",
    )


def tracking_ref(remote: str, ref: str) -> str:
    return f"refs/remotes/{remote}/labels/{ref.partition('/labels/')[2]}"


def fetch_label(repository: Repository, remote: str, ref: str) -> str | None:
    """The remote's value of a label's ref, fetched; None if the remote has none."""
    answer = repository.git("ls-remote", remote, ref).decode().split()
    if not answer:
        return None
    tracking = tracking_ref(remote, ref)
    repository.git("fetch", "--no-tags", "--no-write-fetch-head", remote, f"+{ref}:{tracking}")
    return repository.line("rev-parse", tracking)


def fetch_labels(repository: Repository, remote: str, namespace: str) -> dict[str, str]:
    """The remote's value of every label's ref, fetched."""
    spec = f"+{namespace}/*:refs/remotes/{remote}/labels/*"
    repository.git(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--prune", remote, spec
    )
    prefix = f"refs/remotes/{remote}/labels/"
    lines = repository.git("for-each-ref", "--format=%(objectname) %(refname)", prefix)
    pairs = (line.partition(" ") for line in os.fsdecode(lines).splitlines())
    return {f"{namespace}/{ref.removeprefix(prefix)}": oid for oid, _, ref in pairs}


def push(
    repository: Repository,
    remote: str,
    updates: Sequence[RefUpdate],
    *refs: str,
    undo: Sequence[RefUpdate],
) -> None:
    """Push `updates`, whose `old` values are the remote's, and `refs`; all of it or nothing.

    If the remote refuses, `undo` (what was moved here) is taken back: a version or a move that
    nobody else can see must not look published. Raises Conflict when somebody was faster.
    """
    leases, specs = origin.push_arguments(updates)
    # A branch without an upstream gets one, so that `git pull` knows what is meant next time.
    follow = ("--set-upstream",) if refs and not _has_upstream(repository) else ()
    try:
        repository.git("push", "--atomic", *follow, *leases, remote, *specs, *refs)
        tags = {update.ref: update.new for update in updates if update.ref.startswith(TAG_PREFIX)}
        _remember(repository, remote, tags)
    except GitError as error:
        if not _REJECTED.search(error.stderr):
            _look_again(repository, remote, updates, error)
            return
        take_back(repository, undo)
        raise refused(error, remote) from error


_REJECTED = re.compile(
    r"^ ! \[(?:remote )?rejected\]|returned error: 4\d\d|Authentication failed", re.MULTILINE
)
_RACED = re.compile(r"cannot lock ref '([^']+)': (?:is at \S+ but|reference already exists)")


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
    is_nameless = any(phrase in error.stderr for phrase in SIGN_IN)
    mend = error.hint if is_nameless else "Once the remote answers, say the same once more."
    error.hint = f"What was made here stays. {mend}"
    raise error


def _has_upstream(repository: Repository) -> bool:
    """Whether `git pull` knows what the branch follows; nothing is to be set for a detached HEAD."""
    branch = repository.line("symbolic-ref", "--quiet", "--short", "HEAD")
    return not branch or bool(repository.line("config", "--get", f"branch.{branch}.merge"))


def _catch_up(remote: str, behind: Sequence[str]) -> str:
    """What brings what somebody else has pushed: a branch, or tags and labels alone."""
    branches = [ref for ref in behind if not ref.startswith(("refs/", "prompts/"))]
    return f"git pull --rebase {remote} {branches[0]}" if branches else f"git fetch {remote}"


def refused(error: GitError, remote: str) -> GitError | Conflict:
    """The error for a refused push, with the remote's own words."""
    lines = "\n".join(origin.words(error))
    behind = re.findall(
        r"-> (\S+) \((?:stale info|already exists|non-fast-forward|fetch first)\)", error.stderr
    )
    behind += _RACED.findall(error.stderr)
    if behind:
        return Conflict(
            f"somebody was faster: the remote has another {', '.join(behind[:3])}"
            + (f"\n{lines}" if lines else ""),
            hint=f"Look at what they did, and do it again on top: {_catch_up(remote, behind)}",
        )
    return GitError(
        "the remote refused the push" + (f":\n{lines}" if lines else f": {error.message}"),
        stderr=error.stderr,
        hint=error.hint or "Repair what it names; nothing was changed, here or there.",
    )
