# SPDX-License-Identifier: Apache-2.0
"""Pins: versions as they were first seen, which are served for ever (ADR 3).

A database which many nodes share keeps their documents, too: a node that comes later cannot fetch what a tag
no longer leads to. Where there is one node its repository keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.core.publication import Pin, Version
from gitprompt.store.engines import Connection
from gitprompt.store.tables.rows import Bound

_ASKED = 500  # versions to one statement
_COLUMNS = "name, version, tag, commit_oid, blob, created_at, author, path, fragments, first_seen"


class NewPins(NamedTuple):
    """Versions that are remembered from `first_seen` on, with their documents in JSON; what is remembered
    already stays. The result are the pins that say otherwise: another node has seen something else first."""

    workspace: str
    versions: Sequence[Version]
    documents: Sequence[bytes]
    first_seen: int

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Sequence[Pin]]:
        for workspace, versions, documents, first_seen in items:
            pins = [
                (workspace, *version, first_seen, document if db.is_shared else None)
                for version, document in zip(versions, documents, strict=True)
            ]
            columns = f"workspace, {_COLUMNS}, document"
            db.insert("pin", columns, pins, keep="workspace, name, version")
        return [_others(db, item) if db.is_shared else () for item in items]


def _others(db: Connection, item: NewPins) -> list[Pin]:
    """Pins of these versions that are of another tag."""
    others = []
    for start in range(0, len(item.versions), _ASKED):
        part = item.versions[start : start + _ASKED]
        bound = Bound()
        workspace = bound.bind(item.workspace)
        keys = _keys(bound, part)
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
    """The next pins of a workspace in order of name and version; those alone of which the database lacks the
    document, if they are asked for."""

    workspace: str
    name: str
    version: str
    limit: int
    lack_document: bool = False

    def answer(self, db: Connection) -> list[Pin]:
        wanted = "AND document IS NULL" if self.lack_document else ""
        pins = db.query(
            f"SELECT {_COLUMNS} FROM pin WHERE workspace = $1 AND (name, version) > ($2, $3)"
            f" {wanted} ORDER BY name, version LIMIT $4",
            self[:4],
        )
        return [_pin(row) for row in pins]


class PinnedDocuments(NamedTuple):
    """The documents that the database has, by name and version."""

    workspace: str
    versions: Sequence[Version]

    def answer(self, db: Connection) -> dict[tuple[str, str], bytes]:
        found: dict[tuple[str, str], bytes] = {}
        for start in range(0, len(self.versions), _ASKED):
            bound = Bound()
            workspace = bound.bind(self.workspace)
            keys = _keys(bound, self.versions[start : start + _ASKED])
            rows = db.query(
                f"SELECT name, version, document FROM pin WHERE workspace = {workspace}"
                f" AND (name, version) IN ({keys}) AND document IS NOT NULL",
                bound.values,
            )
            found.update({(name, version): bytes(document) for name, version, document in rows})
        return found


class DocumentsOfPins(NamedTuple):
    """Documents that the database did not have: (name, version, document) each."""

    workspace: str
    documents: Sequence[tuple[str, str, bytes]]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[None]:
        for workspace, documents in items:
            db.execute_each(
                "UPDATE pin SET document = $1 WHERE workspace = $2 AND name = $3 AND version = $4"
                " AND document IS NULL",
                [(document, workspace, name, version) for name, version, document in documents],
            )
        return [None] * len(items)


class AnyPin(NamedTuple):
    """Whether a workspace has one."""

    workspace: str

    def answer(self, db: Connection) -> bool:
        return db.row("SELECT 1 FROM pin WHERE workspace = $1 LIMIT 1", self) is not None


def _keys(bound: Bound, versions: Sequence[Version]) -> str:
    return ", ".join(f"({bound.bind(one.name)}, {bound.bind(one.version)})" for one in versions)


def _pin(row: Sequence[Any]) -> Pin:
    return Pin(Version(*row[:-1]), row[-1])
