# SPDX-License-Identifier: Apache-2.0
"""What is published, as types: versions, labels and their moves, suites, pins. All are immutable."""

from __future__ import annotations

from typing import NamedTuple

from gitprompt.core.model import Document, Finding


class Version(NamedTuple):
    """A published, immutable version. `commit` is None if the tag points straight at a blob.

    `created_at` is in Unix seconds: the tagger's date, or the committer's for a lightweight tag.
    `fragments` has what the document includes, a line `<name> <blob>` each, in order of name.
    """

    name: str
    version: str
    tag: str
    commit: str | None
    blob: str
    created_at: int
    author: str
    path: str
    fragments: str = ""

    @property
    def fragment_blobs(self) -> dict[str, str]:
        """The blob of each fragment that the document includes, by name."""
        return dict(line.split(" ", 1) for line in self.fragments.splitlines())

    @property
    def blobs(self) -> tuple[str, ...]:
        """Everything that has to be kept for the document to be served."""
        return self.blob, *self.fragment_blobs.values()


class LabelMove(NamedTuple):
    """One commit in the history of a label. `version` None: the label was removed here."""

    commit: str
    version: str | None
    previous: str | None
    actor: str
    reason: str
    created_at: int


class LabelHistory(NamedTuple):
    """A label and its whole history, newest move first."""

    name: str
    label: str
    tip: str
    moves: tuple[LabelMove, ...]

    @property
    def version(self) -> str | None:
        return self.moves[0].version

    @property
    def created_at(self) -> int:
        """When the label came into being: the oldest move since it was last absent."""
        alive = self.moves[0]
        for move in self.moves:
            if move.version is None:
                break
            alive = move
        return alive.created_at


class Suite(NamedTuple):
    """An eval suite: the file `evals/<name>.yaml` at the tip of the default branch."""

    name: str
    blob: str
    document: Document


class Pin(NamedTuple):
    """A version as it was first seen. What is pinned is served for ever (DESIGN §2)."""

    version: Version
    first_seen: int


class Rejection(NamedTuple):
    """A ref that is not served, and why."""

    ref: str
    oid: str
    findings: tuple[Finding, ...]


class Tampering(NamedTuple):
    """A version tag that moved (`seen` is its new object) or vanished (`seen` is None)."""

    ref: str
    pinned: str
    seen: str | None
