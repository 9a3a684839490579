# SPDX-License-Identifier: Apache-2.0
"""Traces and their spans."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from gitprompt.core.telemetry.usage import PLAIN, ModelCall, SpanFacts, Usage
from gitprompt.errors import Conflict, GitpromptError, NotFound
from gitprompt.store.engines import Connection, Duplicate
from gitprompt.store.tables import audit, logs, rollups, rows, scores, tags, trace_ids, trace_totals
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.pages import Listing, TotalsTable
from gitprompt.store.tables.tags import TaggedRow
from gitprompt.store.tables.trace_totals import SpanTotal, TotalOfTrace, TraceTotal


class TraceRow(NamedTuple):
    """A trace; `metadata`, `tags`, `input` and `output` are JSON."""

    workspace: str
    trace_id: str
    prompt_name: str | None
    version_tag: str | None
    metadata: str | None
    created_at: int
    name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: str | None = None
    input: str | None = None
    output: str | None = None

    @property
    def said(self) -> tuple[str | None, ...]:
        """What its client says of it: the same id with something else is another trace."""
        return (*self[2:5], *self[6:])


class SpanRow(NamedTuple):
    """A span; times are the caller's own integers, and come back as they were sent. `facts` is what it was
    recognised as, in JSON; None: nothing of note."""

    span_id: str
    parent_id: str | None
    name: str
    status: str
    start_time: int | None
    end_time: int | None
    metadata: str | None
    facts: str | None
    created_at: int


class TraceInsertion(NamedTuple):
    row: TraceRow
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[bool | GitpromptError]:
        return insert_traces(db, items)


class CountedSpan(NamedTuple):
    """`usage` is what an LLM's span used, None for others; its prompt is the trace's to say. `ends`: it
    may take the place of one that is open, of the same id: an exporter has sent that before it ended."""

    row: SpanRow
    usage: Usage | None = None
    facts: SpanFacts = PLAIN
    ends: bool = False


class NewSpans(NamedTuple):
    """Spans of one trace, all or none."""

    workspace: str
    trace_id: str
    spans: Sequence[CountedSpan]
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[StoredSpans | GitpromptError]:
        return insert_spans(db, items)


class EnsuredTrace(NamedTuple):
    """A trace that may be there already: an exporter names it in every request."""

    row: TraceRow
    audit: AuditRow

    @classmethod
    def comes_first(cls) -> None:
        """Its spans may wait in the same group."""

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[bool]:
        return ensure(db, items)


class StoredSpans(NamedTuple):
    """Those of an item's spans that were not there yet; `logged` are the calls of a model among them
    that a log has reported already, by the span's id."""

    item: NewSpans
    logged: Mapping[str, ModelCall] = {}


TRACE_COLUMNS = ", ".join(TraceRow._fields)
LISTING = Listing(
    "trace", TRACE_COLUMNS, "trace", "created_at", "trace_tag",
    TotalsTable(trace_totals.TABLE, trace_totals.COLUMNS),
)  # fmt: skip
SPAN_COLUMNS = ", ".join(SpanRow._fields)
# An id is one id in every spelling: a UUID, 32 digits, in upper case.
_IS_TRACE = f"trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2"
_ABOUT = TraceRow._fields[6:]
_SAID = ("prompt_name", "version_tag", "metadata", *_ABOUT)
_DOCUMENTS = ("metadata", "tags", "input", "output")
_MOST_KEYS = 50  # of metadata, as of what is sent
_CHILD_COLUMNS = f"workspace, trace, {SPAN_COLUMNS}, counted"


def insert_traces(db: Connection, items: Sequence[TraceInsertion]) -> list[GitpromptError | bool]:
    """Whether each is new. The same id with the same content is the same trace; with other content a
    Conflict."""
    keys = {(item.row.workspace, trace_ids.key_of(item.row.trace_id)) for item in items}
    if len(keys) == len(items) and not _stored(db, keys):
        _insert_traces(db, items)
        return [True] * len(items)
    outcomes: list[GitpromptError | bool] = []
    for item in items:
        row = item.row
        before = db.row(
            f"SELECT {TRACE_COLUMNS} FROM trace WHERE {_IS_TRACE}",
            (row.workspace, trace_ids.key_of(row.trace_id)),
        )
        if before is None:
            _insert_traces(db, [item])
            outcomes.append(True)
        elif rows.differs(TraceRow(*before).said, row.said, _SAID, _DOCUMENTS):
            outcomes.append(Conflict(f"Trace {row.trace_id} exists with other content"))
        else:
            outcomes.append(False)
    return outcomes


def _stored(
    db: Connection, keys: Collection[tuple[str, str]], *, has_calls: str = "0"
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(id, prompt_name, version_tag, `has_calls`) of the traces that are there, by workspace and key."""
    sql = f"{trace_ids.TRACE_KEY}, id, prompt_name, version_tag, {has_calls} FROM trace"
    found = rows.of_keys(db, sql, "trace.workspace", trace_ids.TRACE_KEY, keys)
    return {(workspace, key): tuple(row) for workspace, (key, *row) in found}


def ensure(db: Connection, items: Sequence[EnsuredTrace]) -> list[bool]:
    """Insert the traces that are not there yet, and say which those are; one that names no prompt, or no
    version of it, takes that of a later export, and what it has counted goes with it. What is not said of it yet a
    later export says, too, each key of its metadata by itself."""
    keys = [(item.row.workspace, trace_ids.key_of(item.row.trace_id)) for item in items]
    there = _stored(db, keys)
    fresh: dict[tuple[str, str], TraceInsertion] = {}
    outcomes: list[bool] = []
    for item, key in zip(items, keys, strict=True):
        before = there.get(key)
        if key in fresh:  # the first of a group is there before the second is looked at
            _insert_traces(db, list(fresh.values()))
            there.update(_stored(db, fresh))
            fresh.clear()
            before = there[key]
        outcomes.append(before is None)
        if before is None:
            fresh[key] = TraceInsertion(*item)
        else:
            named = _complete(db, item.row, before[0], before[1], before[2])
            there[key] = before[0], *named
    if fresh:
        _insert_traces(db, list(fresh.values()))
    return outcomes


def _complete(
    db: Connection, row: TraceRow, number: int, prompt_name: str | None, version_tag: str | None
) -> tuple[str | None, str | None]:
    """Let a trace that is there say what it does not say yet; its prompt and version then."""
    name = row.prompt_name or prompt_name
    has_version = version_tag is None and row.version_tag is not None
    if name is not None and (prompt_name is None or (prompt_name == name and has_version)):
        prompt_name, version_tag = name, row.version_tag
        count_spans(db, row.workspace, number, sign=-1)
        db.execute(
            "UPDATE trace SET prompt_name = $1, version_tag = $2 WHERE workspace = $3 AND id = $4",
            (row.prompt_name, row.version_tag, row.workspace, number),
        )
        count_spans(db, row.workspace, number, sign=1)
        scores.name_prompts(db, [(row.workspace, row.trace_id, name, row.version_tag)])
    if row.metadata is not None:
        sql = "SELECT metadata FROM trace WHERE workspace = $1 AND id = $2"
        (kept,) = db.row(sql, (row.workspace, number)) or (None,)
        before = json.loads(kept or "{}")
        more = {key: item for key, item in json.loads(row.metadata).items() if key not in before}
        merged = {**before, **dict(islice(more.items(), max(_MOST_KEYS - len(before), 0)))}
        if len(merged) > len(before):
            sql = "UPDATE trace SET metadata = $1 WHERE workspace = $2 AND id = $3"
            text = json.dumps(merged, ensure_ascii=False, separators=(",", ":"))
            db.execute(sql, (text, row.workspace, number))
    if any(row[6:]):
        if row.tags is not None:
            sql = "SELECT created_at FROM trace WHERE workspace = $1 AND id = $2 AND tags IS NULL"
            untagged = db.row(sql, (row.workspace, number))
            if untagged is not None:
                tagged = TaggedRow(row.workspace, number, untagged[0], row.tags)
                tags.insert(db, "trace_tag", [tagged])
        kept = ", ".join(f"{name} = coalesce({name}, ${at})" for at, name in enumerate(_ABOUT, 1))
        place = f"workspace = ${len(_ABOUT) + 1} AND id = ${len(_ABOUT) + 2}"
        db.execute(f"UPDATE trace SET {kept} WHERE {place}", (*row[6:], row.workspace, number))
    return prompt_name, version_tag


def _insert_traces(db: Connection, items: Sequence[TraceInsertion]) -> None:
    numbers = rows.insert_numbered(db, "trace", TRACE_COLUMNS, [item.row for item in items])
    trace_totals.begin(
        db,
        (
            (item.row.workspace, number, item.row.created_at)
            for item, number in zip(items, numbers, strict=True)
        ),
    )
    tags.insert(
        db,
        "trace_tag",
        [
            TaggedRow(item.row.workspace, number, item.row.created_at, item.row.tags)
            for item, number in zip(items, numbers, strict=True)
        ],
    )
    scores.name_prompts(
        db,
        [
            (row.workspace, row.trace_id, row.prompt_name, row.version_tag)
            for row, _ in items
            if row.prompt_name is not None
        ],
    )
    rows.add_to_tally(db, "trace", [item.row.workspace for item in items])
    audit.insert(db, [item.audit for item in items])


def insert_spans(db: Connection, items: Sequence[NewSpans]) -> list[GitpromptError | StoredSpans]:
    """Spans of traces that exist; the same id with the same content is the same span."""
    keys = [(item.workspace, trace_ids.key_of(item.trace_id)) for item in items]
    traces = _stored(db, keys, has_calls=logs.HAS_CALLS)
    pairs = [(item, traces.get(key)) for item, key in zip(items, keys, strict=True)]
    existing = [(item, trace) for item, trace in pairs if trace is not None]
    try:
        with db.savepoint():
            stored: list[GitpromptError | StoredSpans] = [*_insert_spans(db, existing)]
    except Duplicate:
        stored = [_insert_new(db, item, trace) for item, trace in existing]
    outcomes = iter(stored)
    return [NotFound("Trace not found") if trace is None else next(outcomes) for _, trace in pairs]


def _insert_spans(
    db: Connection, items: Sequence[tuple[NewSpans, tuple[Any, ...]]]
) -> list[StoredSpans]:
    stored = [
        StoredSpans(item, _logged(db, item)) if has_calls else StoredSpans(item)
        for item, (*_, has_calls) in items
    ]
    children = [
        (item.workspace, trace[0], *span.row, int(span.row.span_id not in logged))
        for (item, trace), (_, logged) in zip(items, stored, strict=True)
        for span in item.spans
    ]
    rows.append(db, "span", _CHILD_COLUMNS, children)
    audit.insert(db, [item.audit for item, _ in items])
    trace_totals.add(
        db,
        (
            SpanTotal(item.workspace, trace[0], row.status, row.start_time, row.end_time, usage)
            for item, trace in items
            for row, usage, _, _ in item.spans
        ),
    )
    rollups.add_for(
        db,
        (
            (usage.prompt_name, usage.version_tag, usage)
            if usage.prompt_name
            else (trace[1] or "", trace[2] or "", usage)
            for (item, trace), (_, logged) in zip(items, stored, strict=True)
            for row, usage, _, _ in item.spans
            if usage is not None and row.span_id not in logged
        ),
    )
    return stored


def _logged(db: Connection, item: NewSpans) -> Mapping[str, ModelCall]:
    """The item's calls of a model that a log has reported already."""
    calls = {span.row.span_id for span in item.spans if span.usage is not None}
    if not calls:
        return {}
    logged = logs.of_spans(db, item.workspace, item.trace_id)
    return {span_id: call for span_id, call in logged.items() if span_id in calls}


def _insert_new(
    db: Connection, item: NewSpans, trace: tuple[Any, ...]
) -> GitpromptError | StoredSpans:
    """Those of the item's spans that are not there yet; a Conflict if one says otherwise."""
    fresh: dict[str, CountedSpan] = {}
    for span in item.spans:
        row = span.row
        before = fresh[row.span_id].row if row.span_id in fresh else _span(db, item, trace[0], row)
        if before is None:
            fresh[row.span_id] = span
        elif span.ends and before.end_time is None and row.end_time is not None:
            if row.span_id not in fresh:
                _forget(db, item, trace[0], row.span_id)
            fresh[row.span_id] = span
        elif rows.differs(before[:-2], row[:-2], SpanRow._fields[:-2], ["metadata"]):
            return Conflict(f"Span {row.span_id} exists with other content")
    new = item._replace(spans=list(fresh.values()))
    return _insert_spans(db, [(new, trace)])[0] if fresh else StoredSpans(new)


def _forget(db: Connection, item: NewSpans, trace: int, span_id: str) -> None:
    """Take an open span out, with what it has counted."""
    key = item.workspace, trace, span_id
    this = "span.workspace = $1 AND span.trace = $2 AND span.span_id = $3"
    spans = db.query(
        f"SELECT {rollups.TRACED} FROM {rollups.SPANS} WHERE {this} AND {rollups.COUNTED}", key
    )
    rollups.add(db, [call.usage for row in spans if (call := rollups.of_traced(row))], sign=-1)
    sql = f"DELETE FROM span WHERE {this} RETURNING status, facts, metadata"
    for status, facts, metadata in db.query(sql, key):
        total = trace_totals.of_span(status, rollups.facts_of_row(facts, metadata))
        trace_totals.take_out(db, item.workspace, trace, total)


def _span(db: Connection, item: NewSpans, trace: int, span: SpanRow) -> SpanRow | None:
    row = db.row(
        f"SELECT {SPAN_COLUMNS} FROM span WHERE workspace = $1 AND trace = $2 AND span_id = $3",
        (item.workspace, trace, span.span_id),
    )
    return SpanRow(*row) if row else None


class TraceDeletion(NamedTuple):
    workspace: str
    trace_id: str
    audit: AuditRow

    @classmethod
    def apply(cls, db: Connection, items: Sequence[Any]) -> Sequence[GitpromptError | None]:
        return delete(db, items)


def delete(db: Connection, items: Sequence[TraceDeletion]) -> list[GitpromptError | None]:
    """Delete traces with their spans; runs keep, without their trace."""
    return [_delete(db, item) for item in items]


def _delete(db: Connection, item: TraceDeletion) -> GitpromptError | None:
    key = item.workspace, trace_ids.key_of(item.trace_id)
    row = db.row(f"SELECT id FROM trace WHERE {_IS_TRACE}", key)
    if row is None:
        return NotFound("Trace not found")
    count_spans(db, item.workspace, row[0], sign=-1)
    rows.add_to_tally(db, "trace", [item.workspace], step=-1)
    db.execute(
        "UPDATE run SET trace_id = NULL WHERE workspace = $1 AND trace_id IS NOT NULL"
        f" AND {trace_ids.sql_of('trace_id')} = $2",
        key,
    )
    db.execute("DELETE FROM trace WHERE workspace = $1 AND id = $2", (item.workspace, row[0]))
    audit.insert(db, [item.audit])
    return None


def count_spans(db: Connection, workspace: str, trace: int, *, sign: int) -> None:
    """Put what the spans of a trace used into the rollups, or take it out."""
    spans = db.query(
        f"SELECT {rollups.TRACED} FROM {rollups.SPANS} WHERE span.workspace = $1"
        f" AND span.trace = $2 AND span.metadata IS NOT NULL AND {rollups.COUNTED}",
        (workspace, trace),
    )
    rollups.add(db, [call.usage for row in spans if (call := rollups.of_traced(row))], sign=sign)


# reading


def _recent(db: Connection, limit: int) -> set[tuple[str, SpanFacts]]:
    newest = rows.newest_of_each(
        db,
        limit,
        "SELECT span.name, span.status, span.facts, span.metadata FROM (SELECT workspace, id FROM trace"
        " WHERE workspace = $1 ORDER BY id DESC LIMIT $2) AS recent"
        " JOIN span ON span.workspace = recent.workspace AND span.trace = recent.id"
        " ORDER BY span.trace DESC, span.id DESC LIMIT $2",
    )
    spans: set[tuple[str, SpanFacts]] = set()
    for name, status, stored, metadata in newest:
        facts = rollups.facts_of_row(stored, metadata)
        if facts.kind != "llm" or status != "error":
            known = SpanFacts(
                facts.kind, facts.name, facts.type, provider=facts.provider, model=facts.model
            )
            spans.add((name, known))
    return spans


class StoredTrace(NamedTuple):
    row: TraceRow
    total: TraceTotal
    spans: Sequence[SpanRow]


class OneTrace(NamedTuple):
    """A trace and its spans by start time."""

    workspace: str
    trace_id: str

    def answer(self, db: Connection) -> StoredTrace | None:
        return _one(db, self.workspace, self.trace_id)


class TracesById(NamedTuple):
    """Those of some traces that are there, by their ids in the spelling of `trace_ids.key_of`."""

    workspace: str
    trace_ids: Sequence[str]

    def answer(self, db: Connection) -> dict[str, TraceRow]:
        keys = [(self.workspace, trace_ids.key_of(trace_id)) for trace_id in self.trace_ids]
        sql = f"{TRACE_COLUMNS} FROM trace"
        found = rows.of_keys(db, sql, "trace.workspace", trace_ids.TRACE_KEY, keys)
        stored = (TraceRow(*row) for _, row in found)
        return {trace_ids.key_of(row.trace_id): row for row in stored}


class OneSpan(NamedTuple):
    workspace: str
    trace_id: str
    span_id: str

    def answer(self, db: Connection) -> SpanRow | None:
        return _one_span(db, *self)


class RecentSpans(NamedTuple):
    """The names and facts of the spans of the newest traces, but for calls of models that failed; without costs."""

    limit: int

    def answer(self, db: Connection) -> set[tuple[str, SpanFacts]]:
        return _recent(db, self.limit)


def _one(db: Connection, workspace: str, trace_id: str) -> StoredTrace | None:
    row = db.row(
        f"SELECT id, {TRACE_COLUMNS} FROM trace WHERE {_IS_TRACE}",
        (workspace, trace_ids.key_of(trace_id)),
    )
    total = TotalOfTrace(workspace, row[0]).answer(db) if row is not None else None
    if row is None or total is None:
        return None
    spans = db.query(
        f"SELECT {SPAN_COLUMNS} FROM span WHERE workspace = $1 AND trace = $2"
        " ORDER BY start_time IS NULL, start_time, id",
        (workspace, row[0]),
    )
    return StoredTrace(TraceRow(*row[1:]), total, [SpanRow(*span) for span in spans])


def _one_span(db: Connection, workspace: str, trace_id: str, span_id: str) -> SpanRow | None:
    columns = ", ".join(f"span.{column}" for column in SpanRow._fields)
    row = db.row(
        f"SELECT {columns} FROM {rollups.SPANS}"
        f" WHERE trace.workspace = $1 AND {trace_ids.TRACE_KEY} = $2 AND span.span_id = $3",
        (workspace, trace_ids.key_of(trace_id), span_id),
    )
    return SpanRow(*row) if row else None
