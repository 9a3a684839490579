# SPDX-License-Identifier: Apache-2.0
"""What the server asks of the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.core.model import Finding
from gitprompt.core.names import fold
from gitprompt.core.publication import LabelMove, Rejection, Tampering, Version
from gitprompt.core.settings import Settings
from gitprompt.core.versions import precedence
from gitprompt.store import sqlite_file
from gitprompt.store.index.writer import VERSION_COLUMNS, name_like, settings_of, version_like


class StoredVersion(NamedTuple):
    """A version with its document in JSON; `document` None: Git has lost the bytes."""

    version: Version
    document: bytes | None

    @property
    def value(self) -> dict[str, Any]:
        """The parsed document; empty if Git has lost it."""
        document: dict[str, Any] = json.loads(self.document) if self.document else {}
        return document


class PromptSummary(NamedTuple):
    name: str
    latest: str
    updated_at: int
    tags: list[str]
    labels: dict[str, str]


class Counts(NamedTuple):
    """Of all workspaces together."""

    versions: int
    rejected: int
    tampered: int


class IndexReader:
    """Reads for the server. One thread uses it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = sqlite_file.connect(path, "index", durability="NORMAL")

    def close(self) -> None:
        self._db.close()

    def renew(self) -> None:
        """Read the file that is there now: another has taken the place of the one that was opened."""
        self._db.close()
        self._db = sqlite_file.connect(self.path, "index", durability="NORMAL")

    def size(self) -> int:
        """Bytes that the index takes."""
        return sqlite_file.size_of(self.path)

    def ping(self) -> None:
        self._db.execute("SELECT 1 FROM schema_version").get  # noqa: B018 - runs the query

    def version(self, workspace: str, name: str, version: str) -> StoredVersion | None:
        return self._one_version(
            "workspace = ? AND name = ? AND precedence = ? AND version = ?",
            (workspace, name, precedence(version), version),
        )

    def version_like(self, workspace: str, name: str, version: str) -> str | None:
        """The published version of equal precedence, whatever its spelling."""
        return version_like(self._db, workspace, name, version)

    def name_like(self, workspace: str, name: str) -> str | None:
        """The published name that is the same but for case."""
        return name_like(self._db, workspace, name)

    def label_tip(self, workspace: str, name: str, label: str) -> tuple[str, str | None] | None:
        """What a label's ref points at, and its version; None for the version if it is removed."""
        row = sqlite_file.row(
            self._db,
            "SELECT tip, version FROM label WHERE workspace = ? AND name = ? AND label = ?",
            (workspace, name, label),
        )
        return (row[0], row[1]) if row else None

    def label_like(self, workspace: str, name: str, label: str) -> str | None:
        """The label that is the same but for case, removed ones too."""
        rows = sqlite_file.query(
            self._db, "SELECT label FROM label WHERE workspace = ? AND name = ?", (workspace, name)
        )
        same = [row[0] for row in rows if fold(row[0]) == fold(label)]
        return label if label in same else next(iter(same), None)

    def suites(self, workspace: str) -> dict[str, dict[str, Any]]:
        """The suites by name."""
        rows = sqlite_file.query(
            self._db, "SELECT name, document FROM suite WHERE workspace = ?", (workspace,)
        )
        return {name: json.loads(document) for name, document in rows}

    def suite(self, workspace: str, name: str) -> dict[str, Any] | None:
        row = sqlite_file.row(
            self._db,
            "SELECT document FROM suite WHERE workspace = ? AND name = ?",
            (workspace, name),
        )
        value: dict[str, Any] | None = json.loads(row[0]) if row else None
        return value

    def labelled(self, workspace: str, name: str, label: str) -> str | None:
        """The version that a label points at."""
        row = sqlite_file.row(
            self._db,
            "SELECT version FROM label WHERE workspace = ? AND name = ? AND label = ?",
            (workspace, name, label),
        )
        return row[0] if row else None

    def latest(self, workspace: str, name: str) -> str | None:
        row = sqlite_file.row(
            self._db,
            "SELECT latest FROM prompt WHERE workspace = ? AND name = ?",
            (workspace, name),
        )
        return row[0] if row else None

    def _one_version(self, where: str, values: tuple[Any, ...]) -> StoredVersion | None:
        row = sqlite_file.row(
            self._db, f"SELECT {VERSION_COLUMNS}, document FROM version WHERE {where}", values
        )
        if row is None:
            return None
        return StoredVersion(Version(*row[:-1]), row[-1])

    def versions(
        self, workspace: str, name: str, *, limit: int, offset: int, after: Sequence[Any] = ()
    ) -> list[StoredVersion]:
        """Newest `created_at` first, equal seconds by ascending precedence. `after` is the
        (created_at, precedence) of the last row of the page before."""
        keyset = ""
        values: tuple[Any, ...] = ()
        if after:
            keyset = " AND (created_at < ? OR (created_at = ? AND precedence > ?))"
            values = (after[0], after[0], after[1])
        rows = sqlite_file.query(
            self._db,
            f"SELECT {VERSION_COLUMNS}, NULL FROM version WHERE workspace = ? AND name = ?{keyset}"
            " ORDER BY created_at DESC, precedence LIMIT ? OFFSET ?",
            (workspace, name, *values, limit, offset),
        )
        return [StoredVersion(Version(*row[:-1]), row[-1]) for row in rows]

    def all_versions(self, workspace: str) -> list[tuple[str, str]]:
        """(name, version) of every version."""
        return sqlite_file.query(
            self._db,
            "SELECT name, version FROM version WHERE workspace = ? ORDER BY name, precedence",
            (workspace,),
        )

    def all_labels(self, workspace: str) -> dict[tuple[str, str], str | None]:
        """The version of each label by (name, label); None: it was removed."""
        sql = "SELECT name, label, version FROM label WHERE workspace = ? ORDER BY name, label"
        rows = sqlite_file.query(self._db, sql, (workspace,))
        return {(name, label): version for name, label, version in rows}

    def count_versions(self, workspace: str, name: str | None = None) -> int:
        if name is None:
            return self._count("SELECT count(*) FROM version WHERE workspace = ?", workspace)
        return self._count(
            "SELECT count(*) FROM version WHERE workspace = ? AND name = ?", workspace, name
        )

    def _count(self, sql: str, *values: Any) -> int:
        return int(sqlite_file.query(self._db, sql, values)[0][0])

    def prompts(
        self,
        workspace: str,
        *,
        limit: int,
        offset: int,
        after: str = "",
        query: str = "",
        tag: str = "",
        label: str = "",
    ) -> list[PromptSummary]:
        """Prompts by name. `query` is a part of the name in any case; all filters must hold."""
        where, values = _prompt_filter(query, tag, label)
        rows = sqlite_file.query(
            self._db,
            f"SELECT name, latest, updated_at, tags FROM prompt AS p WHERE workspace = ?"
            f" AND name > ?{where} ORDER BY name LIMIT ? OFFSET ?",
            (workspace, after, *values, limit, offset),
        )
        return [
            PromptSummary(name, latest, updated, json.loads(tags), self._labels_of(workspace, name))
            for name, latest, updated, tags in rows
        ]

    def count_prompts(
        self, workspace: str, *, query: str = "", tag: str = "", label: str = ""
    ) -> int:
        where, values = _prompt_filter(query, tag, label)
        sql = f"SELECT count(*) FROM prompt AS p WHERE workspace = ?{where}"
        return self._count(sql, workspace, *values)

    def _labels_of(self, workspace: str, name: str) -> dict[str, str]:
        rows = sqlite_file.query(
            self._db,
            "SELECT label, version FROM label WHERE workspace = ? AND name = ?"
            " AND version IS NOT NULL ORDER BY label",
            (workspace, name),
        )
        return dict(rows)

    def labels(
        self, workspace: str, name: str, *, limit: int, offset: int, after: str = ""
    ) -> list[tuple[str, str, int]]:
        """(label, version, created_at) by label; removed labels are not among them."""
        return sqlite_file.query(
            self._db,
            "SELECT label, version, created_at FROM label WHERE workspace = ? AND name = ?"
            " AND version IS NOT NULL AND label > ? ORDER BY label LIMIT ? OFFSET ?",
            (workspace, name, after, limit, offset),
        )

    def count_labels(self, workspace: str, name: str | None = None) -> int:
        sql = "SELECT count(*) FROM label WHERE version IS NOT NULL AND workspace = ?"
        if name is None:
            return self._count(sql, workspace)
        return self._count(f"{sql} AND name = ?", workspace, name)

    def one_label(self, workspace: str, name: str, label: str) -> tuple[str, int] | None:
        """Version and `created_at` of a label that is not removed."""
        row = sqlite_file.row(
            self._db,
            "SELECT version, created_at FROM label WHERE workspace = ? AND name = ? AND label = ?"
            " AND version IS NOT NULL",
            (workspace, name, label),
        )
        return (row[0], row[1]) if row else None

    def moves(
        self, workspace: str, name: str, label: str, *, limit: int, offset: int, before: int | None
    ) -> list[tuple[int, LabelMove]]:
        """(position, move), newest first; `before` is the last position of the page before."""
        rows = sqlite_file.query(
            self._db,
            "SELECT position, commit_oid, version, previous, actor, reason, created_at"
            " FROM label_move WHERE workspace = ? AND name = ? AND label = ? AND position < ?"
            " ORDER BY position DESC LIMIT ? OFFSET ?",
            (workspace, name, label, 1 << 60 if before is None else before, limit, offset),
        )
        return [(row[0], LabelMove(*row[1:])) for row in rows]

    def count_moves(self, workspace: str, name: str, label: str) -> int:
        return self._count(
            "SELECT count(*) FROM label_move WHERE workspace = ? AND name = ? AND label = ?",
            workspace,
            name,
            label,
        )

    def count_suites(self, workspace: str) -> int:
        return self._count("SELECT count(*) FROM suite WHERE workspace = ?", workspace)

    def rejected(self, workspace: str, *, limit: int = 1_000) -> list[Rejection]:
        rows = sqlite_file.query(
            self._db,
            "SELECT ref, oid, findings FROM rejected WHERE workspace = ? ORDER BY ref LIMIT ?",
            (workspace, limit),
        )
        return [
            Rejection(ref, oid, tuple(Finding(*f) for f in json.loads(findings)))
            for ref, oid, findings in rows
        ]

    def tampered(self, workspace: str, *, limit: int = 1_000) -> list[Tampering]:
        rows = sqlite_file.query(
            self._db,
            "SELECT ref, pinned, seen FROM tampered WHERE workspace = ? ORDER BY ref LIMIT ?",
            (workspace, limit),
        )
        return [Tampering(*row) for row in rows]

    def counts(self) -> Counts:
        tables = ("version", "rejected", "tampered")
        return Counts(*(self._count(f"SELECT count(*) FROM {table}") for table in tables))

    def labelled_versions(self, limit: int) -> list[tuple[str, str, str, str]]:
        """(workspace, name, label, version) of the labels of all workspaces, by workspace and name."""
        return sqlite_file.query(
            self._db,
            "SELECT workspace, name, label, version FROM label WHERE version IS NOT NULL"
            " ORDER BY workspace, name, label LIMIT ?",
            (limit,),
        )

    def workspaces(self) -> list[str]:
        rows = sqlite_file.query(self._db, "SELECT workspace FROM workspace ORDER BY workspace")
        return [row[0] for row in rows]

    def settings(self, workspace: str) -> Settings:
        row = sqlite_file.row(
            self._db, "SELECT settings FROM workspace WHERE workspace = ?", (workspace,)
        )
        return settings_of(row[0]) if row else Settings()


def _prompt_filter(query: str, tag: str, label: str) -> tuple[str, tuple[str, ...]]:
    where, values = "", []
    if query:
        where += " AND instr(folded, ?) > 0"
        values.append(fold(query))
    if tag:
        where += " AND EXISTS (SELECT 1 FROM json_each(p.tags) WHERE value = ?)"
        values.append(tag)
    if label:
        where += (
            " AND EXISTS (SELECT 1 FROM label AS l WHERE l.workspace = p.workspace"
            " AND l.name = p.name AND l.label = ? AND l.version IS NOT NULL)"
        )
        values.append(label)
    return where, tuple(values)
