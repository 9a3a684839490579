# SPDX-License-Identifier: Apache-2.0
"""The tags of traces and runs, a row each, in the order of the lists that they narrow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from gitprompt.store.engines import Connection

_MAX_TAGS, _MAX_TAG = 50, 256  # of a row, and characters; what an exporter sends has no other bound


class TaggedRow(NamedTuple):
    """A row and its `tags` in JSON."""

    workspace: str
    id: int
    created_at: int
    tags: str | None


def insert(db: Connection, table: str, tagged: Iterable[TaggedRow]) -> None:
    """Let rows that have no tags yet be found by theirs."""
    found = [
        (row.workspace, tag, row.created_at, row.id)
        for row in tagged
        if row.tags is not None
        for tag in _of(row.tags)
    ]
    if found:
        db.insert(table, "workspace, tag, created_at, id", found)


def _of(tags: str) -> Iterable[str]:
    """The texts among them, each once."""
    value = json.loads(tags)
    several = value if isinstance(value, list) else [value]
    texts = (text[:_MAX_TAG] for text in several if isinstance(text, str))
    return list(dict.fromkeys(texts))[:_MAX_TAGS]
