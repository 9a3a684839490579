# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests of the index."""

from __future__ import annotations

from gitprompt.core.publication import LabelHistory, LabelMove, Version
from gitprompt.store.index.writer import IndexWriter, PromptRow


def version(name: str, number: str, *, at: int = 1_000) -> Version:
    return Version(
        name, number, f"tag-{name}-{number}", None, "blob", at, "Ada", f"prompts/{name}.json"
    )


def put(index: IndexWriter, *versions: Version, document: bytes = b"{}") -> None:
    """Versions with the rows of their prompts, the last one of a name being its newest."""
    with index.transaction():
        index.put_versions("default", [(one, document) for one in versions])
        index.put_prompts(
            "default",
            {one.name: PromptRow(one.version, one.created_at, '["team"]') for one in versions},
        )


def label(name: str, label: str, *versions: str | None) -> LabelHistory:
    """A label that moved from version to version, oldest first; None removes it."""
    moves = [
        LabelMove(f"commit-{at}", version, None, "Ada", "why", 100 + at)
        for at, version in enumerate(versions)
    ]
    return LabelHistory(name, label, f"tip-{label}", tuple(reversed(moves)))
