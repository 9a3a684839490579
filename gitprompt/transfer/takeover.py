# SPDX-License-Identifier: Apache-2.0
"""Takes over a bucket that has documents and no Git: each file `prompts/{name}/{version}.json` becomes a version,
each `labels/{name}/{label}.json` a label. Who does it twice makes the same commits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gitprompt import log
from gitprompt.core.labels import MoveRecord, check_label, label_ref
from gitprompt.core.names import check_name
from gitprompt.core.publication import Rejection, Version
from gitprompt.core.versions import check_version, tag_ref
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.git.objects import Signature
from gitprompt.git.ref_updates import update_refs
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.git.writer import ObjectWriter
from gitprompt.registry.refwrites import label_commit
from gitprompt.registry.versions import load_versions

Progress = Callable[[str, int, int], None]
"""The stage, how much of it is done, and how much there is."""
_BRANCH = "refs/heads/main"


class _File(NamedTuple):
    """A document as it is in the bucket; `at` is when it was written, in Unix seconds."""

    name: str
    version: str
    data: bytes
    at: int

    @property
    def path(self) -> str:
        return f"prompts/{self.name}/{self.version}.json"

    @property
    def ref(self) -> str:
        return tag_ref(self.name, self.version)


def take_over(log_: RefLog, workspace: str, repository: Repository, show: Progress) -> int:
    """Make what a bucket has an empty repository's; returns how many versions that are. What is no valid version
    is left out, and reported."""
    if log_.shelf is None:
        return 0
    files = [
        file
        for name, version, data, at in log_.shelf.documents(workspace, show)
        if _is_named(file := _File(name, version, data, at))
    ]
    if not files:
        return 0
    writer = ObjectWriter(repository)
    updates = _updates(writer, files)
    versions = _versions(repository, updates)
    if len(versions) < len(files):
        files = [file for file in files if (file.name, file.version) in versions]
        updates = _updates(writer, files)
        versions = _versions(repository, updates)
    labels = [
        update
        for name, label, data, at in log_.shelf.labels(workspace)
        if (update := _label(writer, versions, name, label, data, at)) is not None
    ]
    update_refs(repository, [*updates, *labels], message="gitprompt mirror")
    return len(files)


def _versions(
    repository: Repository, updates: Sequence[RefUpdate]
) -> dict[tuple[str, str], Version]:
    """Those that can be served, by name and version; of the others it is reported why not."""
    versions = {}
    with repository.reader() as reader:
        for found in load_versions(reader, [(one.ref, one.new) for one in updates[1:]], {}):
            if isinstance(found, Rejection):
                log.warning("left out", ref=found.ref, why=found.findings[0].message)
            else:
                versions[found.version.name, found.version.version] = found.version
    return versions


def _updates(writer: ObjectWriter, files: Sequence[_File]) -> list[RefUpdate]:
    """A commit with all files, and the tag of each; they are where `prompts/{name}/{version}.json` is looked for."""
    if not files:
        raise Invalid("none of the files in the bucket is a valid version", hint="See the log.")
    ordered = sorted(files, key=lambda file: (file.at, file.ref))
    tree = writer.tree([(file.path, writer.blob(file.data)) for file in ordered])
    commit = writer.commit(tree, [], "Take over what the bucket has\n", _signature(ordered[-1].at))
    updates = [RefUpdate(_BRANCH, ZERO, commit)]
    for file in ordered:
        name = file.ref.removeprefix("refs/tags/")
        message, tagger = f"{file.name} {file.version}", _signature(file.at)
        tag = writer.tag(commit, name, message, tagger, kind="commit")
        updates.append(RefUpdate(file.ref, ZERO, tag))
    return updates


def _label(
    writer: ObjectWriter,
    versions: dict[tuple[str, str], Version],
    name: str,
    label: str,
    data: bytes,
    at: int,
) -> RefUpdate | None:
    try:
        fields: Any = json.loads(data)
        version = versions[name, fields["version_tag"]]
        move = MoveRecord(name, check_label(label), version.version, None, "taken over")
        commit = label_commit(writer, move, version, parent=None, author=_signature(at))
        return RefUpdate(label_ref(name, label), ZERO, commit)
    except (ValueError, TypeError, KeyError, RecursionError, GitpromptError) as error:
        log.warning("left out", label=f"{name}@{label}", why=str(error))
        return None


def _is_named(file: _File) -> bool:
    try:
        check_name(file.name)
        check_version(file.version)
    except GitpromptError as error:
        log.warning("left out", file=file.path, why=error.message)
        return False
    return True


def _signature(at: int) -> Signature:
    return Signature("gitprompt mirror", "mirror@gitprompt.invalid", at)
