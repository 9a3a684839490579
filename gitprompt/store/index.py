# SPDX-License-Identifier: Apache-2.0
"""The index, written by sync in one transaction and read by the server.

`IndexWriter` is used by one thread at a time; readers see the state before a transaction until it
commits. The file may be deleted while nothing runs: it is built again from (Git, pins).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitprompt.core.model import Finding, Label, LabelMove, Rejection, Suite, Tampering, Version
from gitprompt.core.names import fold
from gitprompt.core.settings import Settings
from gitprompt.core.versions import newest, precedence, tag_ref, version_id
from gitprompt.store import sqlite

_VERSION = "name, version, tag, commit_oid, blob, created_at, author, path"


def open_index(path: str) -> IndexWriter:
    """Open the index; a damaged or newer file is thrown away, since it can be built again."""
    try:
        return IndexWriter(path)
    except sqlite.SetupError as error:
        if not os.path.exists(path) or not os.access(os.path.dirname(path) or ".", os.W_OK):
            raise
        for suffix in ("", "-wal", "-shm"):
            try:
                os.unlink(path + suffix)
            except FileNotFoundError:
                pass
        try:
            return IndexWriter(path)
        except sqlite.SetupError:
            raise error from None


class WorkspaceRow(NamedTuple):
    branch: str | None
    head: str | None
    settings: Settings
    suites_tree: str | None


class IndexWriter:
    def __init__(self, path: str) -> None:
        self.path = path
        self._db = sqlite.connect(path, "index", durability="NORMAL")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with sqlite.connection_transaction(self._db):
            yield

    # what the index knows

    def known_refs(self, workspace: str) -> dict[str, str]:
        """Every ref as it was last seen, to be compared with what Git says now."""
        known = {
            tag_ref(name, version): tag
            for name, version, tag in self._db.execute(
                "SELECT name, version, tag FROM version WHERE workspace = ?", (workspace,)
            )
        }
        for ref, seen in self._db.execute(
            "SELECT ref, seen FROM tampered WHERE workspace = ?", (workspace,)
        ):
            known.pop(ref, None)
            if seen is not None:
                known[ref] = seen
        row = self.workspace(workspace)
        namespace = row.settings.namespace if row else ""
        for name, label, tip in self._db.execute(
            "SELECT name, label, tip FROM label WHERE workspace = ?", (workspace,)
        ):
            known[f"{namespace}/{name}@{label}"] = tip
        for ref, oid in self._db.execute(
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref LIKE 'refs/%'", (workspace,)
        ):
            known[ref] = oid
        return known

    def workspace(self, workspace: str) -> WorkspaceRow | None:
        found = sqlite.row(
            self._db,
            "SELECT branch, head, settings, suites_tree FROM workspace WHERE workspace = ?",
            (workspace,),
        )
        if found is None:
            return None
        return WorkspaceRow(found[0], found[1], Settings(*json.loads(found[2])), found[3])

    def versions(self, workspace: str, name: str) -> list[Version]:
        rows = self._db.execute(
            f"SELECT {_VERSION} FROM version WHERE workspace = ? AND name = ?", (workspace, name)
        )
        return [Version(*row) for row in rows]

    def version_like(self, workspace: str, name: str, version: str) -> str | None:
        """The indexed version of equal precedence, whatever its spelling."""
        found = sqlite.row(
            self._db,
            "SELECT version FROM version WHERE workspace = ? AND name = ? AND precedence = ?",
            (workspace, name, precedence(version)),
        )
        return found[0] if found else None

    def name_like(self, workspace: str, name: str) -> str | None:
        """The indexed name that is the same but for case."""
        found = sqlite.row(
            self._db,
            "SELECT name FROM prompt WHERE workspace = ? AND folded = ?",
            (workspace, fold(name)),
        )
        return found[0] if found else None

    def label(self, workspace: str, name: str, label: str) -> Label | None:
        found = sqlite.row(
            self._db,
            "SELECT tip FROM label WHERE workspace = ? AND name = ? AND label = ?",
            (workspace, name, label),
        )
        if found is None:
            return None
        moves = self._db.execute(
            "SELECT commit_oid, version, previous, actor, reason, created_at FROM label_move"
            " WHERE workspace = ? AND name = ? AND label = ? ORDER BY position DESC",
            (workspace, name, label),
        )
        return Label(name, label, found[0], tuple(LabelMove(*move) for move in moves))

    def label_refs(self, workspace: str, name: str, namespace: str) -> dict[str, str]:
        """Ref → tip of each label of a prompt, rejected ones too."""
        prefix = f"{namespace}/{name}@"
        refs = {
            prefix + label: tip
            for label, tip in self._db.execute(
                "SELECT label, tip FROM label WHERE workspace = ? AND name = ?", (workspace, name)
            )
        }
        for ref, oid in self._db.execute(
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ?",
            (workspace, prefix, prefix + "\x7f"),
        ):
            refs[ref] = oid
        return refs

    def has_unsettled_labels(self, workspace: str, name: str, namespace: str) -> bool:
        """Whether a label of the prompt may mean something else when a version is added."""
        bare = sqlite.row(
            self._db,
            "SELECT 1 FROM label WHERE workspace = ? AND name = ? AND bare = 1 LIMIT 1",
            (workspace, name),
        )
        prefix = f"{namespace}/{name}@"
        return bare is not None or (
            sqlite.row(
                self._db,
                "SELECT 1 FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ? LIMIT 1",
                (workspace, prefix, prefix + "\x7f"),
            )
            is not None
        )

    def rejected_refs(self, workspace: str, prefix: str) -> dict[str, str]:
        rows = self._db.execute(
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ?",
            (workspace, prefix, prefix + "\x7f"),
        )
        return dict(rows.fetchall())

    # what sync writes

    def put_versions(
        self, workspace: str, versions: Iterable[tuple[Version, bytes | None]]
    ) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO version (workspace, precedence, id, document,"
            f" {_VERSION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    workspace,
                    precedence(version.version),
                    version_id(version.name, version.version),
                    document,
                    *version,
                )
                for version, document in versions
            ),
        )

    def refresh_prompt(self, workspace: str, name: str) -> None:
        """Derive the row of a prompt from its versions."""
        rows = self._db.execute(
            "SELECT version, created_at FROM version WHERE workspace = ? AND name = ?",
            (workspace, name),
        ).fetchall()
        latest = newest(version for version, _ in rows)
        if latest is None:
            return
        document = sqlite.row(
            self._db,
            "SELECT document FROM version WHERE workspace = ? AND name = ? AND precedence = ?",
            (workspace, name, precedence(latest)),
        )
        tags = json.loads(document[0]).get("tags", []) if document and document[0] else []
        self._db.execute(
            "INSERT OR REPLACE INTO prompt (workspace, name, folded, latest, updated_at, tags)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                workspace,
                name,
                fold(name),
                latest,
                max(created for _, created in rows),
                json.dumps(tags, ensure_ascii=False),
            ),
        )

    def put_label(self, workspace: str, label: Label, *, bare: bool) -> None:
        key = (workspace, label.name, label.label)
        self._db.execute(
            "INSERT OR REPLACE INTO label"
            " (workspace, name, label, tip, version, created_at, bare) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, label.tip, label.version, label.created_at, int(bare)),
        )
        self._db.execute(
            "DELETE FROM label_move WHERE workspace = ? AND name = ? AND label = ?", key
        )
        self._db.executemany(
            "INSERT INTO label_move (workspace, name, label, position, commit_oid, version,"
            " previous, actor, reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((*key, position, *move) for position, move in enumerate(reversed(label.moves))),
        )

    def remove_labels(self, workspace: str, name: str) -> None:
        for table in ("label", "label_move"):
            self._db.execute(
                f"DELETE FROM {table} WHERE workspace = ? AND name = ?", (workspace, name)
            )

    def put_suites(self, workspace: str, suites: Sequence[Suite]) -> None:
        """Replace the suites of a workspace."""
        self._db.execute("DELETE FROM suite WHERE workspace = ?", (workspace,))
        self._db.executemany(
            "INSERT INTO suite (workspace, name, blob, document) VALUES (?, ?, ?, ?)",
            (
                (workspace, suite.name, suite.blob, json.dumps(suite.document, ensure_ascii=False))
                for suite in suites
            ),
        )

    def put_workspace(self, workspace: str, row: WorkspaceRow) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO workspace (workspace, branch, head, settings, suites_tree)"
            " VALUES (?, ?, ?, ?, ?)",
            (workspace, row.branch, row.head, json.dumps(row.settings), row.suites_tree),
        )

    def reject(self, workspace: str, rejection: Rejection) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO rejected (workspace, ref, oid, findings) VALUES (?, ?, ?, ?)",
            (workspace, rejection.ref, rejection.oid, json.dumps(rejection.findings)),
        )

    def unreject(self, workspace: str, ref: str) -> None:
        self._db.execute("DELETE FROM rejected WHERE workspace = ? AND ref = ?", (workspace, ref))

    def unreject_files(self, workspace: str, prefix: str) -> None:
        """Forget what was rejected at the tip of the default branch, below a path."""
        self._db.execute(
            "DELETE FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ?",
            (workspace, prefix, prefix + "\x7f"),
        )

    def report_tampering(self, workspace: str, tampering: Tampering) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO tampered (workspace, ref, pinned, seen) VALUES (?, ?, ?, ?)",
            (workspace, *tampering),
        )

    def clear_tampering(self, workspace: str, ref: str) -> None:
        self._db.execute("DELETE FROM tampered WHERE workspace = ? AND ref = ?", (workspace, ref))

    def dump(self) -> Iterator[tuple[Any, ...]]:
        """Every row of every table in a fixed order: two equal indexes dump the same."""
        tables = self._db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            columns = len(self._db.execute(f"PRAGMA table_info({table})").fetchall())
            order = ", ".join(str(n + 1) for n in range(columns))
            for found in self._db.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                yield (table, *found)


# Reading


class StoredVersion(NamedTuple):
    """A version with its document as served, in JSON; `document` None: Git has lost the bytes."""

    version: Version
    id: int
    document: bytes | None


class PromptRow(NamedTuple):
    name: str
    latest: str
    updated_at: int
    tags: list[str]
    labels: dict[str, str]


class IndexReader:
    """Reads for the server. One thread uses it."""

    def __init__(self, path: str) -> None:
        self._db = sqlite.connect(path, "index", durability="NORMAL")

    def close(self) -> None:
        self._db.close()

    def ping(self) -> None:
        self._db.execute("SELECT 1 FROM schema_version").get  # noqa: B018 - runs the query

    def version(self, workspace: str, name: str, version: str) -> StoredVersion | None:
        return self._one_version(
            "workspace = ? AND name = ? AND precedence = ? AND version = ?",
            (workspace, name, precedence(version), version),
        )

    def labelled(self, workspace: str, name: str, label: str) -> str | None:
        """The version that a label points at."""
        found = sqlite.row(
            self._db,
            "SELECT version FROM label WHERE workspace = ? AND name = ? AND label = ?",
            (workspace, name, label),
        )
        return found[0] if found else None

    def latest(self, workspace: str, name: str) -> str | None:
        found = sqlite.row(
            self._db,
            "SELECT latest FROM prompt WHERE workspace = ? AND name = ?",
            (workspace, name),
        )
        return found[0] if found else None

    def _one_version(self, where: str, values: tuple[Any, ...]) -> StoredVersion | None:
        found = sqlite.row(
            self._db, f"SELECT {_VERSION}, id, document FROM version WHERE {where}", values
        )
        if found is None:
            return None
        return StoredVersion(Version(*found[:8]), found[8], found[9])

    def versions(
        self, workspace: str, name: str, *, limit: int, offset: int, after: Sequence[Any] = ()
    ) -> list[StoredVersion]:
        """Newest `created_at` first, equal seconds by ascending precedence. `after` is the
        (created_at, precedence) of the last row of the page before."""
        keyset, values = "", ()
        if after:
            keyset = " AND (created_at < ? OR (created_at = ? AND precedence > ?))"
            values = (after[0], after[0], after[1])
        rows = self._db.execute(
            f"SELECT {_VERSION}, id, NULL FROM version WHERE workspace = ? AND name = ?{keyset}"
            " ORDER BY created_at DESC, precedence LIMIT ? OFFSET ?",
            (workspace, name, *values, limit, offset),
        )
        return [StoredVersion(Version(*row[:8]), row[8], row[9]) for row in rows]

    def count_versions(self, workspace: str, name: str | None = None) -> int:
        if name is None:
            return self._count("SELECT count(*) FROM version WHERE workspace = ?", workspace)
        return self._count(
            "SELECT count(*) FROM version WHERE workspace = ? AND name = ?", workspace, name
        )

    def _count(self, sql: str, *values: Any) -> int:
        return int(self._db.execute(sql, values).get)

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
    ) -> list[PromptRow]:
        """Prompts by name. `query` is a part of the name in any case; all filters must hold."""
        where, values = _prompt_filter(query, tag, label)
        rows = self._db.execute(
            f"SELECT name, latest, updated_at, tags FROM prompt AS p WHERE workspace = ?"
            f" AND name > ?{where} ORDER BY name LIMIT ? OFFSET ?",
            (workspace, after, *values, limit, offset),
        ).fetchall()
        return [
            PromptRow(name, latest, updated, json.loads(tags), self._labels_of(workspace, name))
            for name, latest, updated, tags in rows
        ]

    def count_prompts(
        self, workspace: str, *, query: str = "", tag: str = "", label: str = ""
    ) -> int:
        where, values = _prompt_filter(query, tag, label)
        sql = f"SELECT count(*) FROM prompt AS p WHERE workspace = ?{where}"
        return self._count(sql, workspace, *values)

    def _labels_of(self, workspace: str, name: str) -> dict[str, str]:
        rows = self._db.execute(
            "SELECT label, version FROM label WHERE workspace = ? AND name = ?"
            " AND version IS NOT NULL ORDER BY label",
            (workspace, name),
        )
        return dict(rows.fetchall())

    def labels(
        self, workspace: str, name: str, *, limit: int, offset: int, after: str = ""
    ) -> list[tuple[str, str, int]]:
        """(label, version, created_at) by label; removed labels are not among them."""
        return self._db.execute(
            "SELECT label, version, created_at FROM label WHERE workspace = ? AND name = ?"
            " AND version IS NOT NULL AND label > ? ORDER BY label LIMIT ? OFFSET ?",
            (workspace, name, after, limit, offset),
        ).fetchall()

    def count_labels(self, workspace: str, name: str | None = None) -> int:
        sql = "SELECT count(*) FROM label WHERE version IS NOT NULL AND workspace = ?"
        if name is None:
            return self._count(sql, workspace)
        return self._count(f"{sql} AND name = ?", workspace, name)

    def one_label(self, workspace: str, name: str, label: str) -> tuple[str, int] | None:
        """Version and `created_at` of a label that is not removed."""
        found = sqlite.row(
            self._db,
            "SELECT version, created_at FROM label WHERE workspace = ? AND name = ? AND label = ?"
            " AND version IS NOT NULL",
            (workspace, name, label),
        )
        return (found[0], found[1]) if found else None

    def moves(
        self, workspace: str, name: str, label: str, *, limit: int, offset: int, before: int | None
    ) -> list[tuple[int, LabelMove]]:
        """(position, move), newest first; `before` is the last position of the page before."""
        rows = self._db.execute(
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
        rows = self._db.execute(
            "SELECT ref, oid, findings FROM rejected WHERE workspace = ? ORDER BY ref LIMIT ?",
            (workspace, limit),
        )
        return [
            Rejection(ref, oid, tuple(Finding(*f) for f in json.loads(findings)))
            for ref, oid, findings in rows
        ]

    def tampered(self, workspace: str, *, limit: int = 1_000) -> list[Tampering]:
        rows = self._db.execute(
            "SELECT ref, pinned, seen FROM tampered WHERE workspace = ? ORDER BY ref LIMIT ?",
            (workspace, limit),
        )
        return [Tampering(*row) for row in rows]

    def settings(self, workspace: str) -> Settings:
        found = sqlite.row(
            self._db, "SELECT settings FROM workspace WHERE workspace = ?", (workspace,)
        )
        return Settings(*json.loads(found[0])) if found else Settings()


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
