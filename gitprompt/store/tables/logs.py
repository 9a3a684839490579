# SPDX-License-Identifier: Apache-2.0
"""Logs of model calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.core.telemetry.houses import house_of
from gitprompt.core.telemetry.numbers import NANO
from gitprompt.core.telemetry.usage import ModelCall, Usage
from gitprompt.errors import Conflict, GitpromptError
from gitprompt.store.engines import Connection
from gitprompt.store.tables import audit, rollups, rows, trace_ids
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.pages import Listing


class LogRow(NamedTuple):
    """A log as its table has it; `metadata` and the ollama columns but keep_alive are JSON. `cost_usd` is
    what was sent, `cost_nano` what counts: that, or what the price table said."""

    @property
    def cost(self) -> float | None:
        """USD, sent or from the price table."""
        return (
            self.cost_nano / NANO
            if self.cost_usd is None and self.cost_nano is not None
            else self.cost_usd
        )

    workspace: str
    log_id: str | None
    prompt_name: str
    version_tag: str
    provider: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    latency_ms: int | None
    cost_usd: float | None
    ollama_options: str | None
    ollama_keep_alive: str | None
    ollama_format: str | None
    status: str | None
    error_code: str | None
    metadata: str | None
    trace_id: str | None
    span_id: str | None
    cost_nano: int | None
    created_at: int


class LogInsertion(NamedTuple):
    row: LogRow
    usage: Usage
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[StoredLog | GitpromptError]:
        return insert(db, items)


class StoredLog(NamedTuple):
    """`spanned`: the same call as its span had reported it."""

    id: int
    is_new: bool
    spanned: ModelCall | None = None


COLUMNS = ", ".join(LogRow._fields)
LISTING = Listing("log", COLUMNS, "log", "created_at")
DOCUMENTS = ("ollama_options", "ollama_keep_alive", "ollama_format", "metadata")


def insert(db: Connection, items: Sequence[LogInsertion]) -> list[StoredLog | GitpromptError]:
    """What became of each log. The same `log_id` with the same content is the same log."""
    stored_before = [_known(db, item) if item.row.log_id else None for item in items]
    fresh = [item for item, log in zip(items, stored_before, strict=True) if log is None]
    if len(fresh) > 1 and any(item.row.log_id for item in fresh):
        return [outcome for item in items for outcome in insert(db, [item])]
    stored = iter(_insert(db, fresh))
    return [next(stored) if log is None else log for log in stored_before]


def _insert(db: Connection, items: Sequence[LogInsertion]) -> list[StoredLog]:
    if not items:
        return []
    ids = rows.insert_numbered(db, "log", COLUMNS, [item.row for item in items])
    rows.add_to_tally(db, "log", [item.row.workspace for item in items])
    audit.insert(db, [item.audit for item in items])
    rollups.add(db, [item.usage for item in items])
    linked = [_call_key(item.row) for item in items if item.row.trace_id and item.row.span_id]
    spanned = _count_once(db, linked) if linked else {}
    return [
        StoredLog(number, True, spanned.pop(_call_key(item.row), None) if spanned else None)
        for number, item in zip(ids, items, strict=True)
    ]


def _known(db: Connection, item: LogInsertion) -> StoredLog | GitpromptError | None:
    """The log with this `log_id`, or a Conflict if it says something else."""
    row = db.row(
        f"SELECT id, {COLUMNS} FROM log WHERE workspace = $1 AND log_id = $2",
        (item.row.workspace, item.row.log_id),
    )
    if row is None:
        return None
    fields = LogRow._fields[:-2]
    if rows.differs(row[1:-2], item.row[:-2], fields, DOCUMENTS):
        return Conflict(f"Log {item.row.log_id} exists with other content")
    return StoredLog(int(row[0]), False)


class CallKey(NamedTuple):
    """What a log and a span of the same call have in common; `trace` in one spelling."""

    workspace: str
    trace: str
    span_id: str


def _call_key(row: LogRow) -> CallKey:
    return CallKey(row.workspace, trace_ids.key_of(row.trace_id), row.span_id or "")


def _count_once(db: Connection, calls: Iterable[CallKey]) -> dict[CallKey, ModelCall]:
    """Take back what a span of the same call has counted already: the log says it better. Returns
    what was taken back, by call."""
    taken_back: dict[CallKey, ModelCall] = {}
    for call in sorted(set(calls)):
        workspace, key, span_id = call
        counted = db.query(
            "UPDATE span SET counted = 0 WHERE workspace = $1 AND span_id = $2 AND counted = 1"
            f" AND trace IN (SELECT id FROM trace WHERE workspace = $1 AND {trace_ids.TRACE_KEY} = $3)"
            " RETURNING trace",
            (workspace, span_id, key),
        )
        for (trace,) in counted:
            row = db.row(
                f"SELECT {rollups.TRACED} FROM {rollups.SPANS}"
                " WHERE span.workspace = $1 AND span.trace = $2 AND span.span_id = $3",
                (workspace, trace, span_id),
            )
            traced = rollups.of_traced(row) if row is not None else None
            if traced is not None:
                rollups.add(db, [traced.usage], sign=-1)
                taken_back[call] = traced
    return taken_back


class Recount(NamedTuple):
    """Calls that one node has logged while another has stored their spans are counted once: looks at the
    logs of each workspace after the number `after` has for it. The result are the newest numbers."""

    after: Mapping[str, int]

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[Mapping[str, int]]:
        return [_recount(db, item.after) for item in items]


def _recount(db: Connection, after: Mapping[str, int]) -> Mapping[str, int]:
    newest = {}
    for workspace in rows.workspaces(db):
        sql = "SELECT coalesce(max(id), 0) FROM log WHERE workspace = $1"
        newest[workspace] = db.query(sql, (workspace,))[0][0]
        lately = after.get(workspace, newest[workspace])
        if lately < newest[workspace]:
            calls = db.query(
                f"SELECT workspace, {trace_ids.LOG_KEY}, span_id FROM log"
                " WHERE workspace = $1 AND id > $2 AND span_id IS NOT NULL AND trace_id IS NOT NULL",
                (workspace, lately),
            )
            _count_once(db, [CallKey(*row) for row in calls])
    return newest


def of_spans(db: Connection, workspace: str, trace_id: str) -> Mapping[str, ModelCall]:
    """The calls of a trace that are logged, by the id of their span; of several logs the first."""
    calls = db.query(_ALL_OF_TRACE, (workspace, trace_ids.key_of(trace_id)))
    return {row[0]: call_of_log(row[1], row[2], rollups.of_log(row[3:])) for row in calls}


def call_of_log(provider: str | None, model: str | None, usage: Usage) -> ModelCall:
    """A call as its metrics have it: under the names of the model's house."""
    cost = None if usage.cost_nano is None else usage.cost_nano / NANO
    return ModelCall(*house_of(provider, model), cost, usage)


# Whether a trace, in a query of it, has calls that are logged: nearly none has.
HAS_CALLS = (
    f"EXISTS (SELECT 1 FROM log WHERE log.workspace = trace.workspace AND {trace_ids.LOG_KEY}"
    f" = {trace_ids.TRACE_KEY} AND log.span_id IS NOT NULL)"
)
_OF_TRACE = f"FROM log WHERE workspace = $1 AND {trace_ids.LOG_KEY} = $2 AND span_id IS NOT NULL"
_ALL_OF_TRACE = f"SELECT span_id, provider, model, {rollups.LOGGED} {_OF_TRACE} ORDER BY id DESC"


class RecentModels(NamedTuple):
    """(provider, model) of the newest logs of calls that did not fail, as many of each workspace."""

    limit: int

    def answer(self, db: Connection) -> list[tuple[Any, ...]]:
        return rows.newest_of_each(
            db,
            self.limit,
            "SELECT DISTINCT provider, model FROM (SELECT provider, model, status FROM log"
            " WHERE workspace = $1 ORDER BY id DESC LIMIT $2) AS recent"
            " WHERE status IS DISTINCT FROM 'error'",
        )
