# SPDX-License-Identifier: Apache-2.0
"""How often the refs of each workspace were moved, by whichever node: others learn from it that there is
something to fetch. Only where several nodes have one database."""

from __future__ import annotations

from typing import NamedTuple

from gitprompt.store.engines import Connection

_KIND = "refs:"


class Moves(NamedTuple):
    """By workspace."""

    def answer(self, db: Connection) -> dict[str, int]:
        rows = db.query(
            "SELECT kind, value FROM generation WHERE kind >= 'refs:' AND kind < 'refs;'"
        )
        return {kind.removeprefix(_KIND): value for kind, value in rows}


def note(db: Connection, workspace: str) -> None:
    """Refs of a workspace were moved."""
    if db.is_shared:
        db.execute(
            "INSERT INTO generation (kind, value) VALUES ($1, 1)"
            " ON CONFLICT (kind) DO UPDATE SET value = generation.value + 1",
            (f"{_KIND}{workspace}",),
        )
