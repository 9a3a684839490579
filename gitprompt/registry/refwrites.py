# SPDX-License-Identifier: Apache-2.0
"""The one path by which refs move: build objects, tell the origin, then move refs here by
compare-and-swap. The command line and the HTTP interface end here; of a `git push` git itself moves
the refs, and `at_origin` comes before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gitprompt.core.document import SUFFIXES, fragment_path
from gitprompt.core.labels import MoveRecord, label_ref, move_message
from gitprompt.core.printable import readable
from gitprompt.core.publication import LabelHistory, Version
from gitprompt.core.versions import tag_ref
from gitprompt.drivers import Driver
from gitprompt.errors import Conflict, GitError, GitpromptError, NotFound, SetupError, Unavailable
from gitprompt.git.objects import EMPTY_TREE, Signature
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter


class Release(NamedTuple):
    """A version to publish: `commit` has the document."""

    name: str
    version: str
    commit: str
    message: str


def identity(repository: Repository) -> Signature:
    """Who git says is working, with the present time. Raises SetupError if it does not know."""
    try:
        text = readable(repository.git("var", "GIT_COMMITTER_IDENT")).strip()
    except GitError as error:
        raise SetupError(
            "git does not know who you are",
            hint='Run: git config --global user.name "…" and user.email "…"',
        ) from error
    match = re.match(r"(.*) <(.*)> (\d+) [-+]\d{4}\Z", text)
    if match is None:
        raise SetupError(f"git gave an identity that cannot be read: {text}")
    if not (match[1].strip(" <>") and match[2].strip(" <>")):
        raise SetupError(
            f"git says that you are {match[1]!r} <{match[2]}>: a name and an address are needed",
            hint='Run: git config --global user.name "…" and user.email "…"',
        )
    return Signature(match[1], match[2], int(match[3]))


def take_back(repository: Repository, updates: Sequence[RefUpdate]) -> None:
    """Undo moves that nobody else has seen."""
    move_refs(repository, [_back(update) for update in updates], message="gitprompt: undo")


class OnlyAtOrigin(Unavailable):
    """What was written is published, and the copy here has to follow."""


def move_refs(
    repository: Repository,
    updates: Sequence[RefUpdate],
    *,
    message: str,
    driver: Driver | None = None,
    workspace: str = "",
) -> None:
    """Move refs, all of them or none, at the origin first. `message` is the reflog's.

    A clone has no `driver`: its origin hears of the move with the next push. Raises Conflict if a
    ref is not at its `old` value. With a driver, which has moved them at the origin, where the refs
    are counts for more than what git says: a process may fail after it has moved them.
    """
    if driver is not None:
        at_origin(driver, workspace, repository, updates)
    try:
        update_refs(repository, updates, message=message)
    except GitpromptError as error:
        if driver is not None and _are_moved(repository, updates):
            return
        if driver is None or not driver.is_mirror:
            raise
        raise OnlyAtOrigin(
            f"it is published at the origin, and could not be written here: {error.message}",
            retry_after=10,
            hint="Do not send it again: the next sync that succeeds serves it. GET /v1/sync says how it goes.",
        ) from error


def at_origin(
    driver: Driver, workspace: str, repository: Repository, updates: Sequence[RefUpdate]
) -> None:
    """Make the updates at the origin, unless this repository is the origin itself."""
    if driver.is_mirror:
        driver.push(workspace, repository, updates)


def _are_moved(repository: Repository, updates: Sequence[RefUpdate]) -> bool:
    refs = repository.refs()
    return all((refs.get(update.ref) or ZERO) == update.new for update in updates)


def publish(
    repository: Repository,
    releases: Sequence[Release],
    tagger: Signature,
    *,
    sign: bool = False,
) -> list[RefUpdate]:
    """Tag each release's commit, all of them or none. Raises Conflict if a version exists."""
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
    move_refs(repository, updates, message="gitprompt: publish")
    return updates


def _signed_tags(repository: Repository, releases: Sequence[Release]) -> list[RefUpdate]:
    """git makes a signed tag and its ref in one; if one fails, those before it are removed again."""
    tags: list[RefUpdate] = []
    try:
        for release in releases:
            tags.append(_signed_tag(repository, release))
    except BaseException:
        take_back(repository, tags)
        raise
    return tags


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


def label_update(
    repository: Repository,
    name: str,
    label: str,
    version: Version | None,
    *,
    current: LabelHistory | None,
    local: str | None,
    author: Signature,
    reason: str = "",
    namespace: str = "refs/labels",
    sign: bool = False,
) -> RefUpdate:
    """What points a label at a version, or removes it with `version` None: one commit on its ref,
    made and not yet moved there.

    `current` is the label as the caller saw it (None: it never existed), `local` the value of its
    ref in this repository.
    """
    move = MoveRecord(
        name,
        label,
        version.version if version else None,
        current.version if current else None,
        reason,
    )
    parent = current.moves[0].commit if current else None
    commit = label_commit(
        ObjectWriter(repository), move, version, parent=parent, author=author, sign=sign
    )
    return RefUpdate(label_ref(name, label, namespace=namespace), local or ZERO, commit)


def label_commit(
    writer: ObjectWriter,
    move: MoveRecord,
    version: Version | None,
    *,
    parent: str | None,
    author: Signature,
    sign: bool = False,
) -> str:
    """The commit of a move: its tree has the version's document and fragments, or nothing for a removal. Raises
    NotFound for the removal of what is not there."""
    if version is None and move.previous is None:
        raise NotFound("Label not found", hint=f"{move.name} has no label {move.label}.")
    if version is None:
        tree = writer.tree([])
        assert tree == EMPTY_TREE
    else:
        shared = version.fragment_blobs.items()
        files = [(fragment_path(name), blob) for name, blob in shared]
        tree = writer.tree([(working_path(version), version.blob), *files])
    return writer.commit(tree, [parent] if parent else [], move_message(move), author, sign=sign)


def working_path(version: Version) -> str:
    """Where the document of a version is in a label's tree, in the version's own format."""
    suffix = next((s for s in SUFFIXES if version.path.endswith(s)), ".json")
    return f"prompts/{version.name}{suffix}"
