# SPDX-License-Identifier: Apache-2.0
"""API keys, by the hashes of their secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, moves
from gitprompt.store.tables.audit import AuditRow


class KeyRecord(NamedTuple):
    """An API key without its secret. `workspace_id` '*' is a master key; times are Unix seconds."""

    id: int
    name: str
    workspace_id: str
    scopes: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None = None

    @property
    def scope_set(self) -> frozenset[str]:
        return frozenset(self.scopes.split(","))


_COLUMNS = ", ".join(KeyRecord._fields)


class KeyInsertion(NamedTuple):
    """A key by its hash, and the audit row for it, which gets the key's id; that is the result."""

    name: str
    workspace_id: str
    scopes: str
    hashed: str
    created_at: int
    expires_at: int | None
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[int]:
        return [_insert(db, item) for item in items]


class KeyRemoval(NamedTuple):
    """A key that goes, of one workspace or (None) of any; the result says whether it was there."""

    key_id: int
    workspace: str | None
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[bool]:
        return [_remove(db, item) for item in items]


class KeyUse(NamedTuple):
    """When keys were last used: key id → Unix seconds."""

    used: Mapping[int, int]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        db.execute_each(
            "UPDATE api_key SET last_used_at = $1"
            " WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)",
            [(at, key_id) for item in items for key_id, at in item.used.items()],
        )
        return [None] * len(items)


class KeysByHash(NamedTuple):
    """All keys, by the hashes of their secrets."""

    def answer(self, db: Connection) -> dict[str, KeyRecord]:
        rows = db.query(f"SELECT hash, {_COLUMNS} FROM api_key")
        return {row[0]: KeyRecord(*row[1:]) for row in rows}


class Keys(NamedTuple):
    """The keys of a workspace, or (None) all, oldest first."""

    workspace: str | None

    def answer(self, db: Connection) -> list[KeyRecord]:
        rows = db.query(
            f"SELECT {_COLUMNS} FROM api_key"
            " WHERE CAST($1 AS TEXT) IS NULL OR workspace_id = $1 ORDER BY id",
            self,
        )
        return [KeyRecord(*row) for row in rows]


def _insert(db: Connection, item: KeyInsertion) -> int:
    row = db.row(
        "INSERT INTO api_key (name, workspace_id, scopes, hash, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        item[:-1],
    )
    assert row is not None
    key_id = int(row[0])
    moves.note(db, moves.KEYS)
    audit.insert(db, [item.audit._replace(target_id=str(key_id))])
    return key_id


def _remove(db: Connection, item: KeyRemoval) -> bool:
    removed = db.execute(
        "DELETE FROM api_key WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR workspace_id = $2)",
        (item.key_id, item.workspace),
    )
    if removed:
        moves.note(db, moves.KEYS)
        audit.insert(db, [item.audit])
    return removed > 0
