# SPDX-License-Identifier: Apache-2.0
"""Logs of calls, runs of workflows, and who did what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gitprompt.errors import NotFound
from gitprompt.server.api.keys import AUDIT
from gitprompt.server.api.logs import LOGS
from gitprompt.server.api.runs import RUNS
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
from gitprompt.server.ui.page import Answer, Page, View, W
from gitprompt.store.tables.audit import AuditRow
from gitprompt.store.tables.logs import LogRow
from gitprompt.store.tables.runs import OneRun, RunRow

_OF_LOGS = ("prompt_name", "version_tag", "model", "status", "window")
_OF_RUNS = ("workflow_name", "status", "session", "user", "tag", "window")
_OF_AUDIT = ("action", "prompt_name", "outcome", "window")


def _shared(view: View, shown: Sequence[str], path: str) -> Mapping[str, Any]:
    return {
        "given": {key: view.params.get(key, "") for key in shown},
        "is_narrowed": any(view.params.get(key) for key in shown),
        "times": TIMES,
        "commands": [("For a program:", curl(view, view.links.api(path, **filters_of(view))))],
    }


async def logs(context: Context, view: View) -> Answer:
    if wants_csv(view):
        kept = [LogRow(*row[1:]) for row in await everything(context, view, LOGS)]
        columns = ("created_at", "prompt_name", "version_tag", "provider", "model", "status",
                   "error_code", "latency_ms", "tokens_in", "tokens_out", "cost_usd", "trace_id",
                   "span_id")  # fmt: skip
        rows = [
            (display.iso(log.created_at), *(getattr(log, name) for name in columns[1:10]),
             log.cost, log.trace_id, log.span_id)
            for log in kept
        ]  # fmt: skip
        return csv_file("logs", columns, rows)
    found, pager = await rows_of(context, view, LOGS)
    return {
        **_shared(view, _OF_LOGS, "logs"),
        "rows": [(log, log.cost) for log in (LogRow(*row[1:]) for row in found)],
        "pager": pager,
    }


async def runs(context: Context, view: View) -> Answer:
    if wants_csv(view):
        kept = [RunRow(*row[1:]) for row in await everything(context, view, RUNS)]
        columns = ("run_id", "created_at", "workflow_name", "status", "start_time", "end_time",
                   "trace_id", "session_id", "user_id", "environment", "release")  # fmt: skip
        rows = [
            (run.run_id, display.iso(run.created_at), *(getattr(run, name) for name in columns[2:]))
            for run in kept
        ]
        return csv_file("runs", columns, rows)
    found, pager = await rows_of(context, view, RUNS)
    return {
        **_shared(view, _OF_RUNS, "runs"),
        "rows": [RunRow(*row[1:]) for row in found],
        "pager": pager,
    }


async def run(context: Context, view: View) -> Answer:
    found = await context.database.read(OneRun(view.workspace, view.path["run_id"]))
    if found is None:
        raise NotFound("There is no such run")
    return {
        "run": found,
        "blocks": await asyncio.to_thread(_said, found),
        "commands": [
            ("For a program:", curl(view, view.links.api("runs", found.run_id))),
        ],
    }


def _said(found: RunRow) -> list[SpanBlock]:
    """What went in, what came out, and what is known beside."""
    blocks = []
    for title, text in (
        ("Input", found.input),
        ("Output", found.output),
        ("Metadata", found.metadata),
    ):
        if text is not None:
            said = spans.blocks(text if text[:1] == "{" else f'{{"{title.lower()}": {text}}}')
            blocks += [block._replace(title=f"{title}: {block.title}"
                                      if block.kind == "messages" and block.title != title.lower()
                                      else title) for block in said]  # fmt: skip
    return blocks


async def audit(context: Context, view: View) -> Answer:
    if wants_csv(view):
        kept = [AuditRow(*row[1:]) for row in await everything(context, view, AUDIT)]
        columns = ("timestamp", "action", "prompt_name", "version_tag", "target_id", "api_key_name",
                   "ip_address", "outcome")  # fmt: skip
        rows = [
            (display.iso(entry.timestamp), *(getattr(entry, name) for name in columns[1:]))
            for entry in kept
        ]
        return csv_file("audit", columns, rows)
    found, pager = await rows_of(context, view, AUDIT)
    return {
        **_shared(view, _OF_AUDIT, "audit-logs"),
        "rows": [AuditRow(*row[1:]) for row in found],
        "actions": _ACTIONS,
        "pager": pager,
    }


# Of what people ask for; each other one can be typed into the address.
_ACTIONS = (
    "create_prompt", "label:create", "label:move", "label:delete", "evaluation:create",
    "evaluation:delete", "key:create", "key:revoke", "sync", "tampered", "ui:login", "ui:logout",
)  # fmt: skip


PAGES = (
    Page(path=f"{W}/logs", handler=logs, template="logs.html", area="logs"),
    Page(path=f"{W}/runs", handler=runs, template="runs.html", area="runs"),
    Page(path=f"{W}/runs/{{run_id:path}}", handler=run, template="run.html", area="runs"),
    Page(path=f"{W}/audit", handler=audit, template="audit.html", area="audit", scope="admin"),
)
