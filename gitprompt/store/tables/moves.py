# SPDX-License-Identifier: Apache-2.0
"""How often something was changed that nodes keep in memory, by whichever node: keys, and the refs of each
workspace. Only where several nodes have one database."""

from __future__ import annotations

from typing import NamedTuple

from gitprompt.store.engines import Connection

KEYS = "keys"
_REFS = "refs:"


class Moves(NamedTuple):
    """How often refs were moved, by workspace."""

    def answer(self, db: Connection) -> dict[str, int]:
        rows = db.query(
            "SELECT kind, value FROM generation WHERE kind >= 'refs:' AND kind < 'refs;'"
        )
        return {kind.removeprefix(_REFS): value for kind, value in rows}


def note_refs(db: Connection, workspace: str) -> None:
    """Refs of a workspace were moved."""
    note(db, f"{_REFS}{workspace}")


def note(db: Connection, kind: str) -> None:
    """Something of a kind was changed, in the same transaction."""
    if db.is_shared:
        db.execute(
            "INSERT INTO generation (kind, value) VALUES ($1, 1)"
            " ON CONFLICT (kind) DO UPDATE SET value = generation.value + 1",
            (kind,),
        )
