# SPDX-License-Identifier: Apache-2.0
"""Runs of workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.errors import Conflict, GitpromptError, NotFound
from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, rows, tags, trace_ids
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.pages import Listing
from gitprompt.store.tables.tags import TaggedRow


class RunRow(NamedTuple):
    """`start_time` and `end_time` in milliseconds; `input`, `output`, `metadata` and `tags` are JSON."""

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
    session_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: str | None = None


class RunInsertion(NamedTuple):
    """`timed`: the caller gave the times, so they are part of what it says."""

    row: RunRow
    timed: bool
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[bool | GitpromptError]:
        return insert(db, items)


class RunUpdate(NamedTuple):
    """What replaces what; None leaves a field alone."""

    workspace: str
    run_id: str
    status: str | None
    output: str | None
    metadata: str | None
    end_time: int | None
    now: int
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[ChangedRun | GitpromptError]:
        return change(db, items)


class ChangedRun(NamedTuple):
    """How a run stands after a change. `ends_first`: by this change, and never before."""

    status: str
    start_time: int
    end_time: int | None
    trace_id: str | None
    ends_first: bool


class RunDeletion(NamedTuple):
    workspace: str
    run_id: str
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[GitpromptError | None]:
        return delete(db, items)


COLUMNS = ", ".join(RunRow._fields)
LISTING = Listing("run", COLUMNS, "run", "created_at", "run_tag")
_DOCUMENTS = ("input", "output", "metadata", "tags")
_SAID = (*RunRow._fields[:8], *RunRow._fields[12:])
_TIMES = ("start_time", "end_time")
FINISHED = ("completed", "failed")


def insert(db: Connection, items: Sequence[RunInsertion]) -> list[GitpromptError | bool]:
    """Whether each is new. A run's trace must exist. The same id with the same content is the same
    run."""
    return [_insert(db, item) for item in items]


def _insert(db: Connection, item: RunInsertion) -> GitpromptError | bool:
    row = item.row
    trace = _trace_of(db, row)
    if trace is not None:  # by whatever spelling it was named
        row = row._replace(trace_id=trace)
    before = _one(db, row.workspace, row.run_id)
    if before is not None:
        compared = (*_SAID, *_TIMES) if item.timed else _SAID
        old, new = ([getattr(one, name) for name in compared] for one in (before, row))
        if rows.differs(old, new, compared, _DOCUMENTS):
            return Conflict(f"Run {row.run_id} exists with other content")
        return False
    if row.trace_id is not None and trace is None:
        return NotFound("Trace not found")
    has_ended = int(row.status in FINISHED)
    (number,) = rows.insert_numbered(db, "run", f"{COLUMNS}, has_ended", [(*row, has_ended)])
    tags.insert(db, "run_tag", [TaggedRow(row.workspace, number, row.created_at, row.tags)])
    rows.add_to_tally(db, "run", [row.workspace])
    audit.insert(db, [item.audit])
    return True


def _trace_of(db: Connection, row: RunRow) -> str | None:
    """The id of a run's trace as the trace has it; None if there is none."""
    if row.trace_id is None:
        return None
    sql = f"SELECT trace_id FROM trace WHERE trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2"
    found = db.row(sql, (row.workspace, trace_ids.key_of(row.trace_id)))
    return str(found[0]) if found else None


def change(db: Connection, items: Sequence[RunUpdate]) -> list[GitpromptError | ChangedRun]:
    return [_change(db, item) for item in items]


def _change(db: Connection, item: RunUpdate) -> GitpromptError | ChangedRun:
    before = _one(db, item.workspace, item.run_id)
    if before is None:
        return NotFound("Run not found")
    status = item.status or before.status
    end_time = before.end_time if before.end_time is not None else item.end_time
    if status not in FINISHED:
        end_time = None
    db.execute(
        "UPDATE run SET status = coalesce($1, status), output = coalesce($2, output),"
        " metadata = coalesce($3, metadata), end_time = $4,"
        " updated_at = CASE WHEN updated_at < $5 THEN $5 ELSE updated_at END"
        " WHERE workspace = $6 AND run_id = $7",
        (
            item.status,
            item.output,
            item.metadata,
            end_time,
            item.now,
            item.workspace,
            item.run_id,
        ),
    )
    audit.insert(db, [item.audit])
    ends_first = False
    if status in FINISHED and before.status not in FINISHED:
        sql = "UPDATE run SET has_ended = 1 WHERE workspace = $1 AND run_id = $2 AND has_ended = 0"
        ends_first = db.execute(sql, (item.workspace, item.run_id)) > 0
    return ChangedRun(status, before.start_time, end_time, before.trace_id, ends_first)


class Running(NamedTuple):
    """(workspace, run_id, created_at) of the newest runs that are running, and came since a time."""

    since: int
    limit: int

    def answer(self, db: Connection) -> list[tuple[Any, ...]]:
        return db.query(
            "SELECT workspace, run_id, created_at FROM run WHERE status = 'running'"
            " AND created_at >= $1 ORDER BY created_at DESC LIMIT $2",
            self,
        )


class OneRun(NamedTuple):
    workspace: str
    run_id: str

    def answer(self, db: Connection) -> RunRow | None:
        return _one(db, *self)


def delete(db: Connection, items: Sequence[RunDeletion]) -> list[GitpromptError | None]:
    outcomes: list[GitpromptError | None] = []
    for item in items:
        sql = "DELETE FROM run WHERE workspace = $1 AND run_id = $2"
        if not db.execute(sql, (item.workspace, item.run_id)):
            outcomes.append(NotFound("Run not found"))
            continue
        rows.add_to_tally(db, "run", [item.workspace], step=-1)
        audit.insert(db, [item.audit])
        outcomes.append(None)
    return outcomes


def _one(db: Connection, workspace: str, run_id: str) -> RunRow | None:
    sql = f"SELECT {COLUMNS} FROM run WHERE workspace = $1 AND run_id = $2"
    row = db.row(sql, (workspace, run_id))
    return RunRow(*row) if row else None
