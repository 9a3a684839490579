# SPDX-License-Identifier: Apache-2.0
"""Traces: the list, one as a waterfall, and its spans."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gitprompt.core.names import is_name
from gitprompt.core.versions import is_version
from gitprompt.errors import NotFound
from gitprompt.server.api.runs import RUNS
from gitprompt.server.api.scores import SCORES
from gitprompt.server.api.traces import TRACES
from gitprompt.server.context import Context
from gitprompt.server.ui.choices import curl
from gitprompt.server.ui.lists import (
    TIMES,
    csv_file,
    everything,
    filters_of,
    rows_of,
    wants_csv,
)
from gitprompt.server.ui.looks import display, spans
from gitprompt.server.ui.looks.spans import SpanBlock
from gitprompt.server.ui.page import Answer, Data, Page, Pager, View, W, page_number
from gitprompt.store.engines import Row
from gitprompt.store.tables.outlines import (
    LogsOfSpans,
    MadeOfSpans,
    NumberedSpan,
    OneOutline,
    Outline,
    OutlinedSpan,
)
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.rollups import facts_of_row
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.runs import RunRow
from gitprompt.store.tables.scores import ScoreRow
from gitprompt.store.tables.trace_totals import TraceTotal, total_of
from gitprompt.store.tables.traces import OneSpan, SpanRow, TraceRow

_SPANS = 50  # of a page without scripts
_NEAR = 30  # traces on each side, among which the one before and after is looked for
_FIELDS = len(TraceRow._fields) + 1
_SHOWN = ("prompt_name", "version_tag", "status", "min_ms", "sort", "tag", "session", "user", "environment",
          "release", "name", "window")  # fmt: skip
_INTEGERS = 6  # of a span in an outline
_KINDS = {"llm": 0, "tool": 1, "validator": 2}


class ListedTrace(NamedTuple):
    """`at` is its place in the list, from 0."""

    id: int
    row: TraceRow
    total: TraceTotal
    at: int


def _listed(row: Row, at: int) -> ListedTrace:
    return ListedTrace(row[0], TraceRow(*row[1:_FIELDS]), total_of(row[_FIELDS:]), at)


async def traces(context: Context, view: View) -> Answer:
    if wants_csv(view):
        found = [_listed(row, at) for at, row in enumerate(await everything(context, view, TRACES))]
        return csv_file("traces", _COLUMNS, [_csv_row(trace) for trace in found])
    rows, pager = await rows_of(context, view, TRACES)
    first = (pager.page - 1) * pager.limit
    return {
        "rows": [_listed(row, first + at) for at, row in enumerate(rows)],
        "pager": pager,
        "params": view.params,
        "given": {key: view.params.get(key, "") for key in _SHOWN},
        "kept": {key: value for key, value in view.params.items() if key in _SHOWN and value},
        "times": TIMES,
        "prompts": _prompt_names(context, view),
        "is_narrowed": any(view.params.get(key) for key in _SHOWN),
        "commands": [
            ("For a program:", curl(view, view.links.api("traces", **filters_of(view)))),
        ],
    }


def _prompt_names(context: Context, view: View) -> list[str]:
    rows, _ = context.catalog.prompts(view.workspace, limit=200)
    return [row.name for row in rows]


_COLUMNS = ("trace_id", "created_at", "name", "prompt_name", "version_tag", "spans", "errors",
            "duration_ms", "tokens", "cost_usd", "session_id", "user_id", "environment", "release")  # fmt: skip


def _csv_row(trace: ListedTrace) -> Sequence[Any]:
    row, total = trace.row, trace.total
    return (
        row.trace_id, display.iso(row.created_at), row.name, row.prompt_name, row.version_tag, total.spans,
        total.errors, total.duration, total.tokens, total.cost_usd, row.session_id, row.user_id,
        row.environment, row.release,
    )  # fmt: skip


class ShownSpan(NamedTuple):
    """A row of the table that is there without scripts. `begins` is from the start of the trace."""

    span: OutlinedSpan
    begins: int | None
    took: int | None


async def trace(context: Context, view: View) -> Answer:
    workspace, trace_id = view.workspace, view.path["trace_id"]
    number = page_number(view.params)
    outline = await context.database.read(
        OneOutline(workspace, trace_id, _SPANS, (number - 1) * _SPANS)
    )
    if outline is None:
        raise NotFound("There is no such trace", hint="It may be older than what is kept here.")
    of_trace = Condition("trace_id", trace_id, "spells")
    logs, runs, scores, around, chosen_span = await asyncio.gather(
        context.database.read(LogsOfSpans(workspace, trace_id, 50)),
        context.database.read(Part(RUNS.listing, workspace, Window(20), [of_trace])),
        context.database.read(Part(SCORES.listing, workspace, Window(50), [of_trace])),
        _neighbours(context, view, outline.id),
        _chosen(context, view, outline),
    )
    began = outline.began or 0
    return {
        "trace": outline.row,
        "total": outline.total,
        "rows": [_row(span, began) for span in outline.spans],
        "pager": Pager(number, _SPANS, outline.total.spans, len(outline.spans)),
        "blocks": await asyncio.to_thread(_about, outline.row),
        "logs": logs,
        "runs": [RunRow(*row[1:]) for row in runs.rows],
        "scores": [ScoreRow(*row[1:]) for row in scores.rows],
        "around": around,
        "kept": {key: value for key, value in view.params.items() if key in _SHOWN and value},
        "is_published": _is_published(context, view, outline.row),
        "span": chosen_span,
        "data": view.links.to("traces", trace_id, "outline"),
        "commands": [
            ("For a program:", curl(view, view.links.api("traces", trace_id))),
        ],
    }


def _is_published(context: Context, view: View, row: TraceRow) -> bool:
    name, version = row.prompt_name or "", row.version_tag or ""
    if not is_name(name) or not is_version(version):
        return False
    return context.index.version(view.workspace, name, version) is not None


def _row(span: OutlinedSpan, began: int) -> ShownSpan:
    begins = None if span.start_time is None else span.start_time - began
    took = None
    if span.start_time is not None and span.end_time is not None:
        took = span.end_time - span.start_time
    return ShownSpan(span, begins, took)


def _about(row: TraceRow) -> list[SpanBlock]:
    """What the trace itself says: its input, its output, its metadata."""
    blocks = []
    for title, text in (("Input", row.input), ("Output", row.output)):
        if text is not None:
            said = spans.blocks(
                msgspec.json.encode({title.lower(): msgspec.Raw(text.encode())}).decode()
            )
            blocks += [block._replace(title=title) for block in said]
    if row.metadata:
        blocks += [block._replace(title=f"Metadata: {block.title}" if block.kind == "messages" else "Metadata")
                   for block in spans.blocks(row.metadata)]  # fmt: skip
    return blocks


class Around(NamedTuple):
    """The traces before and after one in the list that it was opened from; `at` is its place there now."""

    before: ListedTrace | None
    after: ListedTrace | None
    at: int


async def _neighbours(context: Context, view: View, number: int) -> Around | None:
    text = view.params.get("at", "")
    if not text.isascii() or not text.isdigit() or len(text) > 7:
        return None
    first = max(int(text) - _NEAR, 0)
    wanted = {key: value for key, value in filters_of(view).items() if key != "at"}
    query = TRACES.page(view.workspace, wanted, Window(2 * _NEAR + 1, first))
    rows = (await context.database.read(query)).rows
    place = next((at for at, row in enumerate(rows) if row[0] == number), None)
    if place is None:
        return None
    before = _listed(rows[place - 1], first + place - 1) if place else None
    after = _listed(rows[place + 1], first + place + 1) if place + 1 < len(rows) else None
    return Around(before, after, first + place)


class PanelSpan(NamedTuple):
    """A span as the panel shows it. `prompt` is (name, version) if it names one; `renders`: its values are there."""

    name: str
    span_id: str
    status: str
    facts: Sequence[tuple[str, str]]
    prompt: tuple[str, str] | None
    blocks: Sequence[SpanBlock]
    raw: str
    render: str


async def _chosen(context: Context, view: View, outline: Outline) -> PanelSpan | None:
    span_id = view.params.get("span", "")
    if not span_id:
        return None
    row = await context.database.read(OneSpan(view.workspace, view.path["trace_id"], span_id))
    return None if row is None else await asyncio.to_thread(_panel, view, row, outline.row)


def _panel(view: View, row: SpanRow, of: TraceRow | None) -> PanelSpan:
    facts = facts_of_row(row.facts, row.metadata)
    took = None
    if row.start_time is not None and row.end_time is not None:
        took = row.end_time - row.start_time
    shown = [("status", row.status), ("kind", facts.kind), ("took", display.milliseconds(took))]
    if facts.kind == "llm":
        shown += [
            ("model", " · ".join(filter(None, (facts.provider, facts.model))) or display.NOTHING),
            ("tokens", f"{facts.tokens_in:,} in, {facts.tokens_out:,} out"),
            ("cost", display.dollars(facts.cost_usd)),
        ]
    elif facts.name:
        shown.append((facts.kind, facts.name))
    prompt = None
    if facts.prompt_name is not None:
        prompt = facts.prompt_name, facts.prompt_version or ""
    elif facts.kind == "llm" and of is not None and of.prompt_name is not None:
        prompt = of.prompt_name, of.version_tag or ""
    trace_id = view.path["trace_id"]
    render = ""
    if prompt is not None and spans.variables_in(row.metadata):
        render = view.links.to(
            "render", prompt=prompt[0], version=prompt[1], trace=trace_id, span=row.span_id
        )
    return PanelSpan(
        row.name, row.span_id, row.status, shown, prompt, spans.blocks(row.metadata),
        view.links.to("traces", trace_id, "raw", span=row.span_id), render,
    )  # fmt: skip


# For scripts


async def outline(context: Context, view: View) -> Answer:
    """Six integers a span: parent (its place in the list, -1: none), start, how long (-1: unknown), the place
    of its name, its kind with 8 more if it failed, and its number, counted from the `first`."""
    made = MadeOfSpans(view.workspace, view.path["trace_id"], _encoded)
    found = await context.database.read(made)
    if found is None:
        raise NotFound("There is no such trace")
    return Data(found)


class _Recognised(msgspec.Struct):
    """What of a span's facts is in the outline."""

    kind: str = "other"
    model: str | None = None


_recognised = msgspec.json.Decoder(_Recognised).decode


def _encoded(rows: Iterator[Row]) -> bytes:
    places: dict[str, int] = {}
    parents: list[str | None] = []
    names: dict[tuple[str, str | None], int] = {}
    numbers: list[int] = []
    facts_known: dict[str | None, _Recognised] = {None: _Recognised()}
    began: int | None = None
    first = 0
    for at, (number, span_id, parent, name, status, start, end, facts) in enumerate(rows):
        began = start if began is None else began
        places[span_id] = at
        parents.append(parent)
        known = facts_known.get(facts)
        if known is None:
            known = facts_known[facts] = _recognised(facts)
        first = number if at == 0 else first
        kind = _KINDS.get(known.kind, 3) + (8 if status == "error" else 0)
        took = -1 if end is None or start is None else max(end - start, -1)
        begins = 0 if start is None or began is None else start - began
        numbers += (
            -1,
            begins,
            took,
            names.setdefault((name, known.model), len(names)),
            kind,
            number - first,
        )
    for at, parent in enumerate(parents):
        place = places.get(parent, -1) if parent is not None else -1
        numbers[at * _INTEGERS] = place if place != at else -1
    texts = [
        display.shown(f"{name[:200]} · {model}" if model else name[:200]) for name, model in names
    ]
    return msgspec.json.encode({"names": texts, "first": first, "spans": numbers})


async def span(context: Context, view: View) -> Answer:
    """A span for the panel, by its number."""
    text = view.path["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
    found, of = await asyncio.gather(
        context.database.read(NumberedSpan(view.workspace, view.path["trace_id"], number)),
        context.database.read(OneOutline(view.workspace, view.path["trace_id"], 0)),
    )
    if found is None or of is None:
        raise NotFound("There is no such span")
    panel = await asyncio.to_thread(_panel, view, found, of.row)
    return Data(msgspec.json.encode(await asyncio.to_thread(_for_script, view, panel)))


def _for_script(view: View, panel: PanelSpan) -> Mapping[str, Any]:
    """As the template shows it: every text with what is hidden in it by number."""
    link = None
    if panel.prompt is not None:
        name, version = panel.prompt
        link = {"text": f"{name} {version}".strip(), "to": view.links.to("prompts", name)}
    return {
        "name": display.shown(panel.name),
        "id": display.shown(panel.span_id),
        "facts": [[name, display.shown(text)] for name, text in panel.facts],
        "prompt": link,
        "raw": panel.raw,
        "render": panel.render,
        "blocks": [
            {
                "title": display.shown(block.title),
                "kind": block.kind,
                "entries": [
                    [display.shown(entry.name), display.shown(entry.text), entry.cut]
                    for entry in block.entries
                ],
            }
            for block in panel.blocks
        ],
    }


async def raw(context: Context, view: View) -> Answer:
    """All that a span has, as a file."""
    found = await context.database.read(
        OneSpan(view.workspace, view.path["trace_id"], view.params.get("span", ""))
    )
    if found is None:
        raise NotFound("There is no such span")
    fields = found._asdict()
    for column in ("metadata", "facts"):
        if fields[column] is not None:
            fields[column] = msgspec.Raw(fields[column].encode())
    return Data(msgspec.json.format(msgspec.json.encode(fields), indent=2), name="span.json")


PAGES = (
    Page(path=f"{W}/traces", handler=traces, template="traces.html", area="traces"),
    Page(path=f"{W}/traces/{{trace_id}}", handler=trace, template="trace.html", area="traces"),
    Page(path=f"{W}/traces/{{trace_id}}/outline", handler=outline),
    Page(path=f"{W}/traces/{{trace_id}}/spans/{{number}}", handler=span),
    Page(path=f"{W}/traces/{{trace_id}}/raw", handler=raw),
)
