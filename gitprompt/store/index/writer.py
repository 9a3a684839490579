# SPDX-License-Identifier: Apache-2.0
"""The index, written by sync in one transaction and read by the server.

`IndexWriter` is used by one thread at a time, the one that has its `lock`; readers see the state before a transaction until it
commits. The file may be deleted while nothing runs: it is built again from (Git, pins).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NamedTuple

import apsw

from gitprompt.core.names import fold
from gitprompt.core.publication import LabelHistory, LabelMove, Rejection, Suite, Tampering, Version
from gitprompt.core.settings import Settings
from gitprompt.core.versions import newest, precedence, tag_ref
from gitprompt.errors import SetupError
from gitprompt.store import integrity, sqlite_file

VERSION_COLUMNS = "name, version, tag, commit_oid, blob, created_at, author, path, fragments"


def open_index(path: str) -> IndexWriter:
    """Open the index; a damaged or newer file is thrown away, since it can be built again."""
    if integrity.problem(path):
        _remove(path)
    try:
        return IndexWriter(path)
    except SetupError as error:
        if not os.path.exists(path) or not os.access(os.path.dirname(path) or ".", os.W_OK):
            raise
        _remove(path)
        try:
            return IndexWriter(path)
        except SetupError:
            raise error from None


def _remove(path: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            os.unlink(path + suffix)


class WorkspaceRow(NamedTuple):
    branch: str | None
    head: str | None
    settings: Settings
    suites_tree: str | None


class PromptRow(NamedTuple):
    """What a prompt's row says: its newest version, when its last one was made, and the tags of
    the newest as a JSON array."""

    latest: str
    updated_at: int
    tags: str

    def joined(self, other: PromptRow) -> PromptRow:
        """The row for the versions of both."""
        latest = newest((self.latest, other.latest))
        winner = other if latest == other.latest else self
        return PromptRow(winner.latest, max(self.updated_at, other.updated_at), winner.tags)


class IndexWriter:
    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._open()

    def _open(self) -> None:
        path = self.path
        # A row has a document of a kilobyte or more: large pages write 100,000 a third faster.
        self._db = sqlite_file.connect(path, "index", durability="NORMAL", page_size=16_384)
        # A commit must not wait until a large journal is copied: `checkpoint` does that later.
        self._db.pragma("wal_autocheckpoint", 0)
        self._inode = os.stat(path).st_ino

    @property
    def is_gone(self) -> bool:
        """Whether the file was deleted, or another is in its place."""
        return sqlite_file.is_gone(self.path, self._inode)

    def problem(self) -> str:
        """What is wrong with the file; empty if nothing is. Reads all of it."""
        return "its file is gone" if self.is_gone else integrity.problem(self.path)

    def renew(self) -> None:
        """Begin with an empty index in a new file."""
        with self.lock:
            self._db.close()
            _remove(self.path)
            self._open()

    def checkpoint(self) -> None:
        """Bring the journal into the file."""
        with self.lock, suppress(apsw.ConnectionClosedError):  # closing does the same
            self._db.pragma("wal_checkpoint", "PASSIVE")

    def close(self) -> None:
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock, sqlite_file.transaction(self._db):
            yield

    # what the index knows

    def known_refs(self, workspace: str) -> dict[str, str]:
        """Every ref as it was last seen, to be compared with what Git says now."""
        refs = {
            tag_ref(name, version): tag
            for name, version, tag in sqlite_file.query(
                self._db, "SELECT name, version, tag FROM version WHERE workspace = ?", (workspace,)
            )
        }
        for ref, oid_seen in sqlite_file.query(
            self._db, "SELECT ref, seen FROM tampered WHERE workspace = ?", (workspace,)
        ):
            refs.pop(ref, None)
            if oid_seen is not None:
                refs[ref] = oid_seen
        row = self.workspace(workspace)
        namespace = row.settings.namespace if row else ""
        for name, label, tip in sqlite_file.query(
            self._db, "SELECT name, label, tip FROM label WHERE workspace = ?", (workspace,)
        ):
            refs[f"{namespace}/{name}@{label}"] = tip
        for ref, oid in sqlite_file.query(
            self._db,
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref LIKE 'refs/%'",
            (workspace,),
        ):
            refs[ref] = oid
        return refs

    def workspace(self, workspace: str) -> WorkspaceRow | None:
        row = sqlite_file.row(
            self._db,
            "SELECT branch, head, settings, suites_tree FROM workspace WHERE workspace = ?",
            (workspace,),
        )
        if row is None:
            return None
        return WorkspaceRow(row[0], row[1], settings_of(row[2]), row[3])

    def versions(self, workspace: str, name: str) -> list[Version]:
        rows = sqlite_file.query(
            self._db,
            f"SELECT {VERSION_COLUMNS} FROM version WHERE workspace = ? AND name = ?",
            (workspace, name),
        )
        return [Version(*row) for row in rows]

    def version_like(self, workspace: str, name: str, version: str) -> str | None:
        """The indexed version of equal precedence, whatever its spelling."""
        return version_like(self._db, workspace, name, version)

    def name_like(self, workspace: str, name: str) -> str | None:
        """The indexed name that is the same but for case."""
        return name_like(self._db, workspace, name)

    def label(self, workspace: str, name: str, label: str) -> LabelHistory | None:
        row = sqlite_file.row(
            self._db,
            "SELECT tip FROM label WHERE workspace = ? AND name = ? AND label = ?",
            (workspace, name, label),
        )
        if row is None:
            return None
        moves = sqlite_file.query(
            self._db,
            "SELECT commit_oid, version, previous, actor, reason, created_at FROM label_move"
            " WHERE workspace = ? AND name = ? AND label = ? ORDER BY position DESC",
            (workspace, name, label),
        )
        return LabelHistory(name, label, row[0], tuple(LabelMove(*move) for move in moves))

    def label_refs(self, workspace: str, name: str, namespace: str) -> dict[str, str]:
        """Ref → tip of each label of a prompt, rejected ones too."""
        prefix = f"{namespace}/{name}@"
        refs = {
            prefix + label: tip
            for label, tip in sqlite_file.query(
                self._db,
                "SELECT label, tip FROM label WHERE workspace = ? AND name = ?",
                (workspace, name),
            )
        }
        for ref, oid in sqlite_file.query(
            self._db,
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ?",
            (workspace, prefix, prefix + "\x7f"),
        ):
            refs[ref] = oid
        return refs

    def has_unsettled_labels(self, workspace: str, name: str, namespace: str) -> bool:
        """Whether a label of the prompt may mean something else when a version is added."""
        bare = sqlite_file.row(
            self._db,
            "SELECT 1 FROM label WHERE workspace = ? AND name = ? AND bare = 1 LIMIT 1",
            (workspace, name),
        )
        prefix = f"{namespace}/{name}@"
        return bare is not None or (
            sqlite_file.row(
                self._db,
                "SELECT 1 FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ? LIMIT 1",
                (workspace, prefix, prefix + "\x7f"),
            )
            is not None
        )

    def tampered_refs(self, workspace: str) -> list[str]:
        rows = sqlite_file.query(
            self._db, "SELECT ref FROM tampered WHERE workspace = ?", (workspace,)
        )
        return [ref for (ref,) in rows]

    def rejected_refs(self, workspace: str, prefix: str) -> dict[str, str]:
        rows = sqlite_file.query(
            self._db,
            "SELECT ref, oid FROM rejected WHERE workspace = ? AND ref >= ? AND ref < ?",
            (workspace, prefix, prefix + "\x7f"),
        )
        return dict(rows)

    # what sync writes

    def put_versions(
        self, workspace: str, versions: Iterable[tuple[Version, bytes | None]]
    ) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO version (workspace, precedence, document,"
            f" {VERSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (workspace, precedence(version.version), document, *version)
                for version, document in versions
            ],
        )

    def prompt(self, workspace: str, name: str) -> PromptRow | None:
        rows = sqlite_file.query(
            self._db,
            "SELECT latest, updated_at, tags FROM prompt WHERE workspace = ? AND name = ?",
            (workspace, name),
        )
        return PromptRow(*rows[0]) if rows else None

    def put_prompts(self, workspace: str, prompts: Mapping[str, PromptRow]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO prompt (workspace, name, folded, latest, updated_at, tags)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(workspace, name, fold(name), *row) for name, row in prompts.items()],
        )

    def put_label(self, workspace: str, label: LabelHistory, *, bare: bool) -> None:
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

    def remove_labels(self, workspace: str, name: str | None = None) -> None:
        """Forget the labels of a prompt, or of all."""
        for table in ("label", "label_move"):
            self._db.execute(
                f"DELETE FROM {table} WHERE workspace = ?1 AND (?2 IS NULL OR name = ?2)",
                (workspace, name),
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

    def unreject_below(self, workspace: str, prefix: str) -> None:
        """Forget what was rejected among the refs or paths that begin with `prefix`."""
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
        tables = sqlite_file.query(
            self._db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        )
        for (table,) in tables:
            columns = len(sqlite_file.query(self._db, f"PRAGMA table_info({table})"))
            order = ", ".join(str(n + 1) for n in range(columns))
            for row in sqlite_file.query(self._db, f"SELECT * FROM {table} ORDER BY {order}"):
                yield (table, *row)


@lru_cache(maxsize=64)
def settings_of(text: str) -> Settings:
    """The settings as they are stored."""
    values: list[Any] = [tuple(v) if isinstance(v, list) else v for v in json.loads(text)]
    return Settings(*values)


def version_like(db: apsw.Connection, workspace: str, name: str, version: str) -> str | None:
    row = sqlite_file.row(
        db,
        "SELECT version FROM version WHERE workspace = ? AND name = ? AND precedence = ?",
        (workspace, name, precedence(version)),
    )
    return row[0] if row else None


def name_like(db: apsw.Connection, workspace: str, name: str) -> str | None:
    row = sqlite_file.row(
        db, "SELECT name FROM prompt WHERE workspace = ? AND folded = ?", (workspace, fold(name))
    )
    return row[0] if row else None
