# SPDX-License-Identifier: Apache-2.0
"""Pins: versions as they were first seen, which are served for ever (ADR 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.core.publication import Pin, Version
from gitprompt.store.engines import Connection
from gitprompt.store.tables.rows import Bound

_ASKED = 500  # versions to one statement
_COLUMNS = "name, version, tag, commit_oid, blob, created_at, author, path, fragments, first_seen"


class NewPins(NamedTuple):
    """Versions that are remembered from `first_seen` on; what is remembered already stays. The result are
    the pins that say otherwise: another node has seen something else first."""

    workspace: str
    versions: Sequence[Version]
    first_seen: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Sequence[Pin]]:
        for workspace, versions, first_seen in items:
            pins = [(workspace, *version, first_seen) for version in versions]
            db.insert("pin", f"workspace, {_COLUMNS}", pins, keep="workspace, name, version")
        return [_others(db, item) if db.is_shared else () for item in items]


def _others(db: Connection, item: NewPins) -> list[Pin]:
    """Pins of these versions that are of another tag."""
    others = []
    for start in range(0, len(item.versions), _ASKED):
        part = item.versions[start : start + _ASKED]
        bound = Bound()
        workspace = bound.bind(item.workspace)
        keys = ", ".join(f"({bound.bind(one.name)}, {bound.bind(one.version)})" for one in part)
        tags = {(one.name, one.version): one.tag for one in part}
        for row in db.query(
            f"SELECT {_COLUMNS} FROM pin WHERE workspace = {workspace} AND (name, version) IN ({keys})",
            bound.values,
        ):
            pin = _pin(row)
            if pin.version.tag != tags[pin.version.name, pin.version.version]:
                others.append(pin)
    return others


class OnePin(NamedTuple):
    workspace: str
    name: str
    version: str

    def answer(self, db: Connection) -> Pin | None:
        row = db.row(
            f"SELECT {_COLUMNS} FROM pin WHERE workspace = $1 AND name = $2 AND version = $3",
            self,
        )
        return _pin(row) if row else None


class PinsAfter(NamedTuple):
    """The next pins of a workspace in order of name and version."""

    workspace: str
    name: str
    version: str
    limit: int

    def answer(self, db: Connection) -> list[Pin]:
        pins = db.query(
            f"SELECT {_COLUMNS} FROM pin WHERE workspace = $1 AND (name, version) > ($2, $3)"
            " ORDER BY name, version LIMIT $4",
            self,
        )
        return [_pin(row) for row in pins]


class AnyPin(NamedTuple):
    """Whether a workspace has one."""

    workspace: str

    def answer(self, db: Connection) -> bool:
        return db.row("SELECT 1 FROM pin WHERE workspace = $1 LIMIT 1", self) is not None


def _pin(row: Sequence[Any]) -> Pin:
    return Pin(Version(*row[:-1]), row[-1])
