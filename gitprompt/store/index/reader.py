# SPDX-License-Identifier: Apache-2.0
"""What the server asks of the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from gitprompt.core.model import Finding
from gitprompt.core.names import fold
from gitprompt.core.publication import LabelMove, Rejection, Tampering, Version
from gitprompt.core.settings import Settings
from gitprompt.core.versions import precedence
from gitprompt.store import sqlite_file
from gitprompt.store.index.writer import VERSION_COLUMNS, name_like, settings_of, version_like

Answer = TypeVar("Answer")
_MAX_KEPT = 1_000  # answers


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


class PromptFilter(NamedTuple):
    """All that is given must hold. `query` is a part of the name in any case; `folder` is one that the name
    is in, at any depth."""

    query: str = ""
    tag: str = ""
    label: str = ""
    folder: str = ""


Order = Literal["name", "updated"]
ORDERS: tuple[Order, ...] = get_args(Order)


class DatedMove(NamedTuple):
    """A move of a label. `is_rollback`: it went back to a version that the label had before."""

    label: str
    move: LabelMove
    is_rollback: bool


_ALL = PromptFilter()
_BY: dict[Order, str] = {"name": "name", "updated": "updated_at DESC, name"}
_MOVE = "m.commit_oid, m.version, m.previous, m.actor, m.reason, m.created_at"


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
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._kept_of: int | None = None

    def close(self) -> None:
        self._db.close()

    def renew(self) -> None:
        """Read the file that is there now: another has taken the place of the one that was opened."""
        self._db.close()
        self._db = sqlite_file.connect(self.path, "index", durability="NORMAL")
        self._kept_of = None

    def _once(self, key: tuple[Any, ...], ask: Callable[[], Answer]) -> Answer:
        """What was answered already, as long as nobody has written the index."""
        version = self._db.pragma("data_version")
        if version != self._kept_of or len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
            self._kept_of = version
        if key not in self._kept:
            self._kept[key] = ask()
        answer: Answer = self._kept[key]
        return answer

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
            sql = "SELECT count(*) FROM version WHERE workspace = ?"
            return self._once(("versions", workspace), lambda: self._count(sql, workspace))
        return self._count(
            "SELECT count(*) FROM version WHERE workspace = ? AND name = ?", workspace, name
        )

    def _count(self, sql: str, *values: Any) -> int:
        return int(sqlite_file.query(self._db, sql, values)[0][0])

    def prompts(
        self,
        workspace: str,
        *,
        wanted: PromptFilter = _ALL,
        order: Order = "name",
        limit: int,
        offset: int,
        after: Sequence[Any] = (),
    ) -> list[PromptSummary]:
        """Prompts by name, or those first whose last version is the newest. `after` is the last row of the
        page before: its name, or `updated_at` and its name."""
        where, values = _prompt_filter(wanted)
        if after and order == "name":
            where, values = f"{where} AND name > ?", (*values, *after)
        elif after:
            where += " AND (updated_at < ? OR (updated_at = ? AND name > ?))"
            values = (*values, after[0], *after)
        rows = sqlite_file.query(
            self._db,
            f"SELECT name, latest, updated_at, tags FROM prompt AS p WHERE workspace = ?{where}"
            f" ORDER BY {_BY[order]} LIMIT ? OFFSET ?",
            (workspace, *values, limit, offset),
        )
        labels = self.labels_of(workspace, [row[0] for row in rows])
        return [
            PromptSummary(name, latest, updated, json.loads(tags), labels.get(name, {}))
            for name, latest, updated, tags in rows
        ]

    def count_prompts(self, workspace: str, wanted: PromptFilter = _ALL) -> int:
        where, values = _prompt_filter(wanted)
        sql = f"SELECT count(*) FROM prompt AS p WHERE workspace = ?{where}"
        key = "count", workspace, wanted
        return self._once(key, lambda: self._count(sql, workspace, *values))

    def folders(self, workspace: str, parent: str = "") -> list[tuple[str, int]]:
        """(name, prompts) of each folder that is directly in another, or at the top."""
        within, values = _in_folder(parent) if parent else ("", ())
        at = len(parent) + 2 if parent else 1
        sql = (
            f"SELECT substr(name, 1, {at - 2} + instr(substr(name, {at}), '/')), count(*) FROM prompt"
            f" WHERE workspace = ?{within} AND instr(substr(name, {at}), '/') > 0 GROUP BY 1 ORDER BY 1"
        )
        key = "folders", workspace, parent
        return self._once(key, lambda: sqlite_file.query(self._db, sql, (workspace, *values)))

    def label_names(self, workspace: str) -> list[str]:
        """The names that labels have anywhere in a workspace."""
        sql = "SELECT DISTINCT label FROM label WHERE workspace = ? AND version IS NOT NULL ORDER BY label"
        rows = self._once(
            ("labels", workspace), lambda: sqlite_file.query(self._db, sql, (workspace,))
        )
        return [row[0] for row in rows]

    def authors(self, workspace: str, versions: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Who published a version of each prompt, by its name: (name, version) is there."""
        authors = {}
        for name, version in versions:
            row = sqlite_file.row(
                self._db,
                "SELECT author FROM version WHERE workspace = ? AND name = ? AND precedence = ?",
                (workspace, name, precedence(version)),
            )
            authors[name] = row[0] if row else ""
        return authors

    def labels_of(self, workspace: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Label → version, of each of some prompts that has labels."""
        rows = sqlite_file.query(
            self._db,
            "SELECT name, label, version FROM label WHERE workspace = ? AND version IS NOT NULL"
            " AND name IN (SELECT value FROM json_each(?)) ORDER BY name, label",
            (workspace, json.dumps(names)),
        )
        labels: dict[str, dict[str, str]] = {}
        for name, label, version in rows:
            labels.setdefault(name, {})[label] = version
        return labels

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
            return self._once(("labelled", workspace), lambda: self._count(sql, workspace))
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

    def current_labels(self, workspace: str, name: str) -> list[DatedMove]:
        """How the labels of a prompt came to where they are now, by name; without those that are removed."""
        return self._dated(
            "AND m.version IS NOT NULL AND m.position = (SELECT max(position) FROM label_move AS n"
            " WHERE n.workspace = m.workspace AND n.name = m.name AND n.label = m.label)"
            " ORDER BY m.label",
            (workspace, name),
        )

    def timeline(
        self, workspace: str, name: str, *, limit: int, offset: int = 0
    ) -> list[DatedMove]:
        """The moves of all labels of a prompt, newest first."""
        return self._dated(
            "ORDER BY m.created_at DESC, m.label, m.position DESC LIMIT ? OFFSET ?",
            (workspace, name, limit, offset),
        )

    def label_moves(
        self, workspace: str, name: str, label: str, *, limit: int, offset: int = 0
    ) -> list[DatedMove]:
        """The moves of one label, newest first."""
        return self._dated(
            "AND m.label = ? ORDER BY m.position DESC LIMIT ? OFFSET ?",
            (workspace, name, label, limit, offset),
        )

    def was_at(self, workspace: str, name: str, label: str, version: str) -> bool:
        """Whether a label ever pointed at a version."""
        row = sqlite_file.row(
            self._db,
            "SELECT 1 FROM label_move WHERE workspace = ? AND name = ? AND label = ? AND version = ? LIMIT 1",
            (workspace, name, label, version),
        )
        return row is not None

    def _dated(self, rest: str, values: tuple[Any, ...]) -> list[DatedMove]:
        rows = sqlite_file.query(
            self._db,
            f"SELECT m.label, {_MOVE}, EXISTS (SELECT 1 FROM label_move AS o"
            " WHERE o.workspace = m.workspace AND o.name = m.name AND o.label = m.label"
            " AND o.position < m.position AND o.version = m.version)"
            f" FROM label_move AS m WHERE m.workspace = ? AND m.name = ? {rest}",
            values,
        )
        return [DatedMove(row[0], LabelMove(*row[1:-1]), bool(row[-1])) for row in rows]

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

    def count_rejected(self, workspace: str) -> int:
        return self._count("SELECT count(*) FROM rejected WHERE workspace = ?", workspace)

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


def _in_folder(folder: str) -> tuple[str, tuple[str, str]]:
    """Names below a folder are those between `folder/` and `folder0`, the next character after a slash."""
    return " AND name > ? AND name < ?", (f"{folder}/", f"{folder}0")


def _prompt_filter(wanted: PromptFilter) -> tuple[str, tuple[str, ...]]:
    query, tag, label, folder = wanted
    where = ""
    values: list[str] = []
    if folder:
        where, within = _in_folder(folder)
        values.extend(within)
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
