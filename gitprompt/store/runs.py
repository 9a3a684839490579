# SPDX-License-Identifier: Apache-2.0
"""Runs of workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from gitprompt.errors import Conflict, GitpromptError, NotFound
from gitprompt.store import audit, rows, sqlite
from gitprompt.store.audit import AuditRow
from gitprompt.store.rows import Condition, Window


class RunRow(NamedTuple):
    """`start_time` and `end_time` in milliseconds; `input`, `output` and `metadata` are JSON."""

    workspace: str
    run_id: str
    workflow_name: str
    status: str
    input: str | None
    output: str | None
    trace_id: str | None
    metadata: str | None
    start_time: int
    end_time: int | None
    created_at: int
    updated_at: int


class NewRun(NamedTuple):
    """`timed`: the caller gave the times, so they are part of what it says."""

    row: RunRow
    timed: bool
    audit: AuditRow


class RunChange(NamedTuple):
    """What replaces what; None leaves a field alone."""

    workspace: str
    run_id: str
    status: str | None
    output: str | None
    metadata: str | None
    end_time: int | None
    now: int
    audit: AuditRow


class RunDeletion(NamedTuple):
    workspace: str
    run_id: str
    audit: AuditRow


COLUMNS = ", ".join(RunRow._fields)
_DOCUMENTS = ("input", "output", "metadata")
FINISHED = ("completed", "failed")


def insert(db: apsw.Connection, items: Sequence[NewRun]) -> list[GitpromptError | None]:
    """A run's trace must exist. The same id with the same content is the same run."""
    return [_insert(db, item) for item in items]


def _insert(db: apsw.Connection, item: NewRun) -> GitpromptError | None:
    row = item.row
    before = one(db, row.workspace, row.run_id)
    if before is not None:
        compared = RunRow._fields[:-2] if item.timed else RunRow._fields[:-4]
        size = len(compared)
        if rows.differs(before[:size], row[:size], compared, _DOCUMENTS):
            return Conflict(f"Run {row.run_id} exists with other content")
        return None
    if row.trace_id is not None:
        sql = "SELECT 1 FROM trace WHERE workspace = ? AND trace_id = ?"
        if sqlite.row(db, sql, (row.workspace, row.trace_id)) is None:
            return NotFound("Trace not found")
    rows.insert(db, "run", COLUMNS, [row])
    rows.add_to_tally(db, "run", [row.workspace])
    audit.insert(db, [item.audit])
    return None


def change(db: apsw.Connection, items: Sequence[RunChange]) -> list[GitpromptError | None]:
    return [_change(db, item) for item in items]


def _change(db: apsw.Connection, item: RunChange) -> GitpromptError | None:
    before = one(db, item.workspace, item.run_id)
    if before is None:
        return NotFound("Run not found")
    end_time = before.end_time if before.end_time is not None else item.end_time
    db.execute(
        "UPDATE run SET status = coalesce(?, status), output = coalesce(?, output),"
        " metadata = coalesce(?, metadata), end_time = ?, updated_at = max(?, updated_at)"
        " WHERE workspace = ? AND run_id = ?",
        (
            item.status,
            item.output,
            item.metadata,
            end_time if (item.status or before.status) in FINISHED else None,
            item.now,
            item.workspace,
            item.run_id,
        ),
    )
    audit.insert(db, [item.audit])
    return None


def delete(db: apsw.Connection, items: Sequence[RunDeletion]) -> list[GitpromptError | None]:
    outcomes: list[GitpromptError | None] = []
    for item in items:
        db.execute(
            "DELETE FROM run WHERE workspace = ? AND run_id = ?", (item.workspace, item.run_id)
        )
        if not db.changes():
            outcomes.append(NotFound("Run not found"))
            continue
        rows.add_to_tally(db, "run", [item.workspace], step=-1)
        audit.insert(db, [item.audit])
        outcomes.append(None)
    return outcomes


def one(db: apsw.Connection, workspace: str, run_id: str) -> RunRow | None:
    sql = f"SELECT {COLUMNS} FROM run WHERE workspace = ? AND run_id = ?"
    found = sqlite.row(db, sql, (workspace, run_id))
    return RunRow(*found) if found else None


def page(
    db: apsw.Connection, window: Window, conditions: Sequence[Condition]
) -> list[tuple[Any, ...]]:
    return rows.newest_first(db, "run", COLUMNS, window, conditions)
