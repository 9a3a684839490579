# SPDX-License-Identifier: Apache-2.0
"""What all nodes must have in common, as a fingerprint that says nothing of it. Only where several nodes have
one database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection


class Fingerprint(NamedTuple):
    """A value that is kept if there is none yet, or if no key depends on it; the result is the one that is
    kept."""

    name: str
    value: str

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[str]:
        return [_kept(db, item) for item in items]


def _kept(db: Connection, item: Fingerprint) -> str:
    if db.row("SELECT 1 FROM api_key LIMIT 1") is None:
        db.execute("DELETE FROM fingerprint WHERE name = $1", (item.name,))
    db.insert("fingerprint", "name, value", [item], keep="name")
    row = db.row("SELECT value FROM fingerprint WHERE name = $1", (item.name,))
    assert row is not None
    return str(row[0])
