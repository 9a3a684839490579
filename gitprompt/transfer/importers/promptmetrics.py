# SPDX-License-Identifier: Apache-2.0
"""PromptMetrics: what its REST API answers, which is also what ours does: prompts, traces with their spans, logs,
runs and scores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote

from gitprompt.core.telemetry.numbers import number_of
from gitprompt.core.telemetry.packed import decoded
from gitprompt.transfer.foreign.moments import milliseconds
from gitprompt.transfer.foreign.records import (
    ForeignApi,
    ForeignRow,
    ForeignScore,
    ForeignSpan,
    ForeignTrace,
    ForeignVersion,
    Item,
    LivePage,
    Losses,
    Record,
    Unreadable,
    flattened,
    short,
    text_of,
    trace_id_of,
)
from gitprompt.transfer.importing.live import SourceFailed

_HOUSE = "promptmetrics"
_LOG = (
    "prompt_name", "version_tag", "provider", "model", "tokens_in", "tokens_out", "tokens_cached", "latency_ms",
    "cost_usd", "ollama_options", "ollama_keep_alive", "ollama_format", "status", "error_code", "metadata",
    "trace_id", "span_id", "log_id",
)  # fmt: skip
_RUN = (
    "run_id",
    "workflow_name",
    "status",
    "input",
    "output",
    "trace_id",
    "metadata",
    "start_time",
    "end_time",
)
_TRACE = (
    "prompt_name",
    "version_tag",
    "name",
    "session_id",
    "user_id",
    "environment",
    "release",
    "tags",
    "input",
    "output",
)


class PromptMetrics:
    house = _HOUSE
    unasked: Sequence[tuple[str, str]] = (
        ("results", "of evaluations are not asked of the live API: post them to suites of yours"),
    )

    def kind_of(self, record: Record) -> str | None:
        if "messages" in record and "name" in record:
            return "prompt"
        if "content" in record and isinstance(record.get("version"), dict):
            return "prompt"
        if "workflow_name" in record:
            return "run"
        if "score_id" in record or ("score" in record and "evaluation_id" in record):
            return "score"
        if (
            "trace_id" in record
            and "created_at" in record
            and "log_id" not in record
            and "model" not in record
        ):
            return "trace"
        if "prompt_name" in record and "version_tag" in record:
            return "log"
        return None

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        return None  # a trace comes with its spans

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        if kind == "prompt":
            yield _version(record, losses)
        elif kind == "trace":
            yield _trace(record, losses)
        elif kind == "score":
            yield _score(record, losses)
        else:
            names = _LOG if kind == "log" else _RUN
            body = {
                key: decoded(record[key]) if key in ("input", "output", "metadata") else record[key]
                for key in names
                if record.get(key) is not None
            }
            at = milliseconds(record.get("created_at"))
            if at is not None:
                body["timestamp"] = at // 1000
            if f"{kind}_id" not in body and record.get("id") is not None:
                name = f"gitprompt:{_HOUSE}:{kind}:{record['id']}"
                body[f"{kind}_id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            yield ForeignRow(
                f"/v1/{kind}s", {key: value for key, value in body.items() if value is not None}
            )

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """Every version of every prompt with its labels, traces with their spans, logs and runs."""
        for stage in ("prompts", "traces", "logs", "runs", "scores"):
            first = int(done.get(stage, 0)) + 1
            try:
                for number, listed in enumerate(_listed(api, f"/v1/{stage}", first), first):
                    mark = None if stage == "prompts" else number
                    found = [one for item in listed for one in _details(api, stage, item)]
                    yield LivePage(stage, mark, found)
            except SourceFailed as error:
                if stage != "scores" or error.answered != 404:
                    raise  # PromptMetrics itself has no scores

    def finish(self, losses: Losses, *, is_whole: bool) -> Iterator[Item]:
        return iter(())


def _listed(api: ForeignApi, path: str, first: int = 1) -> Iterator[list[Any]]:
    """The pages of a list, from one on."""
    number = first
    while True:
        page = api.get(path, page=number, limit=100)
        listed = list(page["items"])
        yield listed
        if not listed or number >= int(page.get("totalPages") or 0):
            return
        number += 1


def _details(api: ForeignApi, stage: str, item: Any) -> Iterator[Any]:
    """The records that an entry of a list stands for."""
    if stage == "traces":
        yield api.get(f"/v1/traces/{quote(str(item['trace_id']), safe='')}")
    elif stage == "prompts":
        name = item if isinstance(item, str) else item["name"]
        path = f"/v1/prompts/{quote(name, safe='')}"
        labels: dict[str, list[str]] = {}
        for one in chain.from_iterable(_listed(api, f"{path}/labels")):
            labels.setdefault(str(one.get("version_tag")), []).append(str(one.get("name")))
        for one in chain.from_iterable(_listed(api, f"{path}/versions")):
            tag = str(one["version_tag"])
            yield {**api.get(path, version=tag, render="false"), "labels": labels.get(tag, [])}
    else:
        yield item


def _trace(record: Record, losses: Losses) -> ForeignTrace:
    given = text_of(record.get("trace_id"))
    if given is None:
        raise Unreadable("a trace without an id")
    trace_id = trace_id_of(given, _HOUSE, losses)
    at = milliseconds(record.get("created_at"))
    if at is None:
        raise Unreadable("a trace without a time that can be read")
    fields = {
        key: decoded(record[key]) if key in ("tags", "input", "output") else record[key]
        for key in _TRACE
        if record.get(key) is not None
    }
    metadata = decoded(record.get("metadata"))
    own = dict(metadata) if isinstance(metadata, dict) else flattened(metadata)
    exact = own.pop("timestamp_ms", None)
    start = exact if isinstance(exact, int) else at
    begins = own.pop("spans_start_ms", start)

    def read(one: Record) -> Iterator[Any]:
        yield _span(one, begins if isinstance(begins, int) else start, losses)

    embedded = [one for one in record.get("spans") or () if isinstance(one, dict)]
    spans: list[Any] = list(losses.each("span", embedded, read, given))
    about = {"trace_id": given} if given != trace_id else {}
    return ForeignTrace(trace_id, start, fields, {**own, **about}, spans)


def _span(record: Record, at: int, losses: Losses) -> ForeignSpan:
    given = text_of(record.get("span_id"))
    if given is None:
        raise Unreadable("a span without an id")
    start, end = record.get("start_time"), record.get("end_time")
    times = [_moment(one, at) for one in (start, end)]
    metadata = decoded(record.get("metadata"))
    return ForeignSpan(
        given[:128], text_of(record.get("parent_id")), short(record.get("name"), 256, "span.name", losses, given) or "span",
        _status(record, losses, given), times[0], times[1],
        metadata if isinstance(metadata, dict) else flattened(metadata),
    )  # fmt: skip


def _status(record: Record, losses: Losses, example: str) -> str:
    status = record.get("status")
    if status not in (None, "unset", "ok", "error", "running"):
        losses.add("span.status", "none that is known: unset", example)
        return "unset"
    return str(status or "unset")


def _moment(value: Any, at: int) -> int | None:
    """Small numbers are milliseconds since the trace began, others since the epoch."""
    number = number_of(value)
    if number is None:
        return None
    return int(number) + (at if number < 10**11 else 0)


def _score(record: Record, losses: Losses) -> ForeignScore:
    """A score is ours; the result of a suite, which has a prompt, becomes a score of that prompt."""
    value = record.get("value", record.get("score"))
    name = (
        text_of(record.get("name"))
        or text_of(record.get("evaluation_name"))
        or f"evaluation {record.get('evaluation_id')}"
    )
    if value is None:
        raise Unreadable("a score without a value")
    fields = (
        "trace_id",
        "span_id",
        "session_id",
        "run_id",
        "prompt_name",
        "version_tag",
        "comment",
        "source",
        "type",
    )
    body: dict[str, Any] = {key: record[key] for key in fields if record.get(key) is not None}
    if not any(body.get(key) for key in ("trace_id", "session_id", "run_id", "prompt_name")):
        raise Unreadable("a score of nothing")
    given = (
        text_of(record.get("score_id"))
        or f"{_HOUSE}-{record.get('evaluation_id')}-{record.get('id')}"
    )
    at = milliseconds(record.get("created_at"))
    body.update(score_id=given[:128], name=name[:256], value=value)
    if at is not None:
        body["timestamp"] = at // 1000
    metadata = decoded(record.get("metadata"))
    if isinstance(metadata, dict):
        body["metadata"] = metadata
    return ForeignScore(body)


def _version(record: Record, losses: Losses) -> ForeignVersion:
    content = record.get("content")
    head = record.get("version")
    head = head if isinstance(head, dict) else {}
    document = dict(content) if isinstance(content, dict) else dict(record)
    name = text_of(document.pop("name", None)) or text_of(head.get("name"))
    version = text_of(document.pop("version", None)) or text_of(head.get("version_tag"))
    if name is None or version is None:
        raise Unreadable("a prompt without a name or a version")
    labels = record.get("labels")
    at = milliseconds(head.get("created_at") or document.pop("created_at", None))
    if at is None:
        losses.add(
            "prompt.created_at", "no time: it is the time of the import", f"{name} {version}"
        )
    names = labels if isinstance(labels, list) else ()
    return ForeignVersion(
        name, version, document, text_of(head.get("author")) or _HOUSE, (at or 0) // 1000, "",
        [(str(label), (at or 0) // 1000) for label in names], record,
    )  # fmt: skip
