# SPDX-License-Identifier: Apache-2.0
"""Langfuse: what its API answers and its exports hold (https://api.reference.langfuse.com): traces, observations,
scores, prompts, in camelCase or in the snake_case of its blob exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from gitprompt.core.telemetry.numbers import MAX_SCORE, cost_of, number_of
from gitprompt.core.telemetry.packed import decoded, langfuse_cost, langfuse_usage
from gitprompt.transfer.foreign.langfuse_prompts import PromptTexts, version_of
from gitprompt.transfer.foreign.moments import milliseconds
from gitprompt.transfer.foreign.records import (
    ForeignApi,
    ForeignScore,
    ForeignSpan,
    ForeignTrace,
    Item,
    LivePage,
    Losses,
    Record,
    Unreadable,
    beside,
    flattened,
    objects_in,
    short,
    structured,
    tags_of,
    text_of,
    trace_id_of,
)
from gitprompt.transfer.importing.live import SourceFailed

_HOUSE = "langfuse"
_NAMES = 256  # characters of a name
# What follows from other fields, or is about Langfuse's own database.
_DERIVED = frozenset(
    ("createdAt", "updatedAt", "latency", "totalCost", "usage", "calculatedInputCost", "calculatedOutputCost",
     "calculatedTotalCost", "inputPrice", "outputPrice", "totalPrice", "modelId", "internalModelId", "promptId",
     "timeToFirstToken", "promptTokens", "completionTokens", "totalTokens", "unit", "observations", "scores",
     "usagePricingTierId", "usagePricingTierName", "inputUsage", "outputUsage", "totalUsage", "inputCost",
     "outputCost", "userId", "tags", "release", "traceName", "providedUsageDetails", "providedCostDetails")
)  # fmt: skip
_LEFT = {
    "projectId": "of Langfuse's own",
    "htmlPath": "a page of Langfuse",
    "bookmarked": "a mark in Langfuse's pages",
}


class Langfuse:
    house = _HOUSE
    unasked: Sequence[tuple[str, str]] = ()

    def __init__(self) -> None:
        self._prompts: list[Record] = []

    def kind_of(self, record: Record) -> str | None:
        keys = {_camel(key) for key in record}
        if "prompt" in keys and {"name", "version"} <= keys:
            return "prompt"
        if "dataType" in keys or ("value" in keys and "name" in keys and "startTime" not in keys):
            return "score"
        if "startTime" in keys and ("traceId" in keys or "type" in keys) and "runType" not in keys:
            return "observation"
        if "id" in keys and "timestamp" in keys:
            return "trace"
        return None

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        is_trace = kind == "trace"
        trace_id = text_of(_value(record, "id" if is_trace else "traceId"))
        at = milliseconds(_value(record, "timestamp" if is_trace else "startTime"))
        if trace_id is None or at is None or kind not in ("trace", "observation"):
            return None
        return trace_id_of(trace_id, _HOUSE, Losses()), at, is_trace

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        record = {_camel(key): value for key, value in record.items()}
        if kind == "trace":
            yield from _trace(record, losses)
        elif kind == "observation":
            trace_id = text_of(record.get("traceId"))
            if trace_id is None:
                raise Unreadable("an observation without a trace")
            key = trace_id_of(trace_id, _HOUSE, losses)
            yield ForeignTrace(key, None, _of_trace(record, losses), {}, [_span(record, losses)])
        elif kind == "score":
            yield _score(record, losses)
        else:
            self._prompts.append(record)

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """Traces with their details, scores, and every version of every prompt."""
        for stage, path, order in (
            ("traces", "/api/public/traces", {"orderBy": "timestamp.asc"}),
            ("scores", "/api/public/v2/scores", {}),
            ("prompts", "/api/public/v2/prompts", {}),
        ):
            number = int(done.get(stage, 0)) + 1
            while True:
                page = api.get(path, page=number, limit=50, **order)
                listed = list(page["data"])
                last = int((page.get("meta") or {}).get("totalPages") or 0)
                mark = None if stage == "prompts" else number
                found, lost = _details(api, stage, listed)
                yield LivePage(stage, mark, found, lost)
                if not listed or number >= last:
                    break
                number += 1

    def finish(self, losses: Losses, *, is_whole: bool) -> Iterator[Item]:
        """The prompts: one may include another, which may come after it."""
        texts = PromptTexts(self._prompts, is_whole=is_whole)

        def read(record: Record) -> Iterator[Item]:
            yield version_of(record, texts, losses)

        return losses.each("prompt", self._prompts, read)


def _details(
    api: ForeignApi, stage: str, listed: Sequence[Any]
) -> tuple[list[Any], list[tuple[str, str]]]:
    """The records that the entries of a list stand for: lists have only the ids of what is in a trace. And what the
    system does not give: one that it cannot answer for must not keep all behind it."""
    found: list[Any] = []
    lost: list[tuple[str, str]] = []
    for item in listed:
        if stage == "scores":
            found.append(item)
            continue
        name = str(item["id"] if stage == "traces" else item["name"])
        path = (
            f"/api/public/{'traces' if stage == 'traces' else 'v2/prompts'}/{quote(name, safe='')}"
        )
        for version in [None] if stage == "traces" else sorted(item.get("versions") or ()):
            params = {} if version is None else {"version": version, "resolve": "false"}
            try:
                found.append(api.get(path, **params))
            except SourceFailed as error:
                if error.answered < 404 or len(lost) >= _MOST_LOST:
                    raise
                lost.append(
                    (f"it answers {error.answered} for it: not imported", f"{name} {version or ''}")
                )
    return found, lost


_MOST_LOST = 5  # of one page; more, and it is the system that is away


_SNAKE = re.compile(r"_([a-z])")
_OTHER_NAMES = {"providedModelName": "model"}


@lru_cache(maxsize=4096)
def _camel(key: str) -> str:
    found = _SNAKE.sub(lambda match: match[1].upper(), key) if "_" in key else key
    return _OTHER_NAMES.get(found, found)


def _value(record: Record, key: str) -> Any:
    return next((value for name, value in record.items() if _camel(name) == key), None)


# Traces


def _trace(record: Record, losses: Losses) -> Iterator[Item]:
    given = text_of(record.get("id"))
    if given is None:
        raise Unreadable("a trace without an id")
    trace_id = trace_id_of(given, _HOUSE, losses)
    at = milliseconds(record.get("timestamp"))
    if at is None:
        raise Unreadable("a trace without a time that can be read")
    embedded = (
        []
        if _are_ids(record.get("observations"))
        else objects_in(record, "observations", "observation", losses, given)
    )
    observations = [{_camel(key): value for key, value in one.items()} for one in embedded]
    name = short(record.get("name"), _NAMES, "trace.name", losses, given)
    fields = {
        "name": name,
        "prompt_name": name,
        "version_tag": _linked(observations, name),
        "session_id": short(record.get("sessionId"), _NAMES, "trace.sessionId", losses, given),
        "user_id": short(record.get("userId"), _NAMES, "trace.userId", losses, given),
        "environment": short(record.get("environment"), _NAMES, "trace.environment", losses, given),
        "release": short(record.get("release"), _NAMES, "trace.release", losses, given),
        "tags": tags_of(record.get("tags"), losses, given),
        "input": structured(record.get("input")),
        "output": structured(record.get("output")),
    }
    ours = {
        "version": text_of(record.get("version")),
        "public": record.get("public") or None,
        "external_id": text_of(record.get("externalId")),
        "trace_id": given if trace_id != given else None,
    }
    known = (
        "id",
        "timestamp",
        "name",
        "sessionId",
        "metadata",
        "environment",
        "input",
        "output",
        "version",
        "public",
        "externalId",
    )
    theirs = {
        **flattened(structured(record.get("metadata"))),
        **_unknown(record, known, "trace", losses, given),
    }
    spans: list[Any] = list(losses.each("observation", observations, _spans(losses), given))
    yield ForeignTrace(
        trace_id, at, {key: value for key, value in fields.items() if value not in (None, [])},
        beside(ours, theirs), spans,
    )  # fmt: skip
    embedded = (
        []
        if _are_ids(record.get("scores"))
        else objects_in(record, "scores", "score", losses, given)
    )
    scores = [
        {"traceId": given, **{_camel(key): value for key, value in one.items()}} for one in embedded
    ]

    def read(one: Record) -> Iterator[Item]:
        yield _score(one, losses)

    yield from losses.each("score", scores, read, given)


def _spans(losses: Losses) -> Callable[[Record], Iterator[Any]]:
    def read(record: Record) -> Iterator[Any]:
        yield _span(record, losses)

    return read


def _of_trace(record: Record, losses: Losses) -> dict[str, Any]:
    """What an observation says of its trace, as newer exports of observations alone do."""
    name = short(record.get("traceName"), _NAMES, "observation.traceName", losses, record.get("id"))
    fields = {
        "name": name,
        "prompt_name": name,
        "session_id": short(
            record.get("sessionId"), _NAMES, "observation.sessionId", losses, record.get("id")
        ),
        "user_id": short(
            record.get("userId"), _NAMES, "observation.userId", losses, record.get("id")
        ),
        "release": short(
            record.get("release"), _NAMES, "observation.release", losses, record.get("id")
        ),
        "tags": tags_of(record.get("tags"), losses, record.get("id")),
    }
    return {key: value for key, value in fields.items() if value}


def _are_ids(value: Any) -> bool:
    """Lists of an API have only the ids of what is in a trace."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _linked(observations: Sequence[Record], name: str | None) -> str | None:
    """The version that the calls of a trace link, if they are of the prompt that the trace is named after."""
    versions = {
        text_of(one.get("promptVersion"))
        for one in observations
        if name and one.get("promptName") == name
    }
    return versions.pop() if len(versions) == 1 else None


def _unknown(
    record: Record, known: Sequence[str], kind: str, losses: Losses, example: str
) -> dict[str, Any]:
    """Fields that nobody knows, which are kept under their names; those of Langfuse's own are told."""
    kept = {}
    for key, value in record.items():
        if key in known or key in _DERIVED or value in (None, "", [], {}):
            continue
        if key in _LEFT:
            if value is not False:
                losses.add(f"{kind}.{key}", f"{_LEFT[key]}: not kept", example)
        else:
            kept[key] = value
    return kept


# Observations

_OBSERVED = (
    "id", "traceId", "type", "name", "startTime", "endTime", "completionStartTime", "model", "modelParameters",
    "input", "output", "version", "metadata", "level", "statusMessage", "parentObservationId", "usageDetails",
    "costDetails", "environment", "promptName", "promptVersion", "sessionId",
)  # fmt: skip


def _span(record: Record, losses: Losses) -> ForeignSpan:
    given = text_of(record.get("id"))
    span_id = _id(given, "observation.id", losses)
    if given is None or span_id is None:
        raise Unreadable("an observation without an id")
    kind = (text_of(record.get("type")) or "span").lower()
    start = milliseconds(record.get("startTime"))
    if start is None:
        losses.add("observation.startTime", "no time that can be read: the span has none", given)
    end = milliseconds(record.get("endTime"))
    if end is None and kind == "event":
        end = start
    first = milliseconds(record.get("completionStartTime"))
    level = (text_of(record.get("level")) or "DEFAULT").upper()
    usage, cost = _usage(record), _cost(record)
    version = text_of(record.get("promptVersion"))
    ours = {
        "kind": kind,
        "model": short(record.get("model"), _NAMES, "observation.model", losses, given),
        "tool": text_of(record.get("name")) if kind == "tool" else None,
        **{key: int(value) for key, value in usage.items() if number_of(value)},
        "cost_usd": cost,
        "gitprompt.prompt.name": text_of(record.get("promptName")),
        "gitprompt.prompt.version": version,
        "input": structured(record.get("input")),
        "output": structured(record.get("output")),
        "model_parameters": decoded(record.get("modelParameters")) or None,
        "level": None if level == "DEFAULT" else level.lower(),
        "status_message": text_of(record.get("statusMessage")),
        "ttft_ms": first - start
        if first is not None and start is not None and first >= start
        else None,
        "version": text_of(record.get("version")),
        "environment": text_of(record.get("environment")),
    }
    theirs = {
        **flattened(structured(record.get("metadata"))),
        **_unknown(record, _OBSERVED, "observation", losses, given),
    }
    return ForeignSpan(
        span_id,
        _id(record.get("parentObservationId"), "observation.parentObservationId", losses),
        short(record.get("name"), _NAMES, "observation.name", losses, given) or kind,
        "error" if level == "ERROR" else "ok" if end is not None else "unset",
        start,
        end,
        beside(ours, theirs),
    )


def _id(value: Any, field: str, losses: Losses) -> str | None:
    return short(value, 128, field, losses, value)


def _usage(record: Record) -> Mapping[str, Any]:
    """`usageDetails` counts its parts apart; the older `usage`, and what is beside it, are totals."""
    details = decoded(record.get("usageDetails"))
    if isinstance(details, dict) and details:
        return langfuse_usage(details)
    usage = decoded(record.get("usage"))
    old = usage if isinstance(usage, dict) else {}
    return {
        "tokens_in": _first(old, record, "input", "promptTokens", "inputUsage"),
        "tokens_out": _first(old, record, "output", "completionTokens", "outputUsage"),
    }


def _first(usage: Mapping[str, Any], record: Record, inside: str, *beside: str) -> Any:
    found = [
        usage.get(inside),
        *(usage.get(key) for key in beside),
        *(record.get(key) for key in beside),
    ]
    return next((value for value in found if number_of(value) is not None), None)


def _cost(record: Record) -> float | None:
    details = decoded(record.get("costDetails"))
    usage = decoded(record.get("usage"))
    found = (
        langfuse_cost(details).get("cost") if isinstance(details, dict) and details else None,
        record.get("calculatedTotalCost"),
        record.get("totalCost"),
        usage.get("totalCost") if isinstance(usage, dict) else None,
    )
    return next((cost for value in found if (cost := cost_of(value)) is not None), None)


# Scores

_SCORED = (
    "id", "name", "value", "stringValue", "dataType", "traceId", "sessionId", "observationId", "datasetRunId", "timestamp",
    "source", "comment", "metadata", "authorUserId", "configId", "queueId", "environment", "trace", "longStringValue",
)  # fmt: skip


def _score(record: Record, losses: Losses) -> ForeignScore:
    given = text_of(record.get("id"))
    name = short(record.get("name"), _NAMES, "score.name", losses, given)
    if given is None or name is None:
        raise Unreadable("a score without an id or a name")
    type, value, index = _scored(record)
    about = {
        "trace_id": text_of(record.get("traceId")),
        "session_id": short(record.get("sessionId"), _NAMES, "score.sessionId", losses, given),
    }
    if about["trace_id"]:
        about["trace_id"] = trace_id_of(str(about["trace_id"]), _HOUSE, losses)
    if not any(about.values()):
        raise Unreadable(
            "a score of a dataset run alone" if record.get("datasetRunId") else "a score of nothing"
        )
    at = milliseconds(record.get("timestamp")) or milliseconds(record.get("createdAt"))
    ours = {
        "timestamp_ms": at,
        "number": index,
        "author": text_of(record.get("authorUserId")),
        "config_id": text_of(record.get("configId")),
        "queue_id": text_of(record.get("queueId")),
        "dataset_run_id": text_of(record.get("datasetRunId")),
        "environment": text_of(record.get("environment")),
    }
    comment = record.get("comment")
    body = {
        "score_id": _id(given, "score.id", losses),
        "name": name,
        "type": type,
        "value": value,
        **about,
        "span_id": _id(record.get("observationId"), "score.observationId", losses)
        if about["trace_id"]
        else None,
        "comment": short(comment, 10_000, "score.comment", losses, given),
        "source": (text_of(record.get("source")) or "api").lower(),
        "metadata": beside(
            ours,
            {
                **flattened(structured(record.get("metadata"))),
                **_unknown(record, _SCORED, "score", losses, given),
            },
        ),
        "timestamp": at // 1000 if at else None,
    }
    return ForeignScore({key: item for key, item in body.items() if item is not None})


def _scored(record: Record) -> tuple[str, Any, float | int | None]:
    """Type and value in our words; of a category also the number that it had."""
    value, word = record.get("value"), record.get("stringValue")
    kind = (text_of(record.get("dataType")) or "").upper()
    if not kind:
        kind = (
            "CATEGORICAL"
            if isinstance(word or value, str) and number_of(value) is None
            else "NUMERIC"
        )
    if kind in ("CATEGORICAL", "TEXT", "CORRECTION"):
        text = (
            word if isinstance(word, str) else value if isinstance(value, str) else text_of(value)
        )
        if not text:
            raise Unreadable(f"a {kind.lower()} score without its text")
        type = "categorical" if kind == "CATEGORICAL" else "text"
        return type, text.replace("\0", "")[:10_000], number_of(value)
    number = number_of(value)
    if kind == "BOOLEAN":
        if isinstance(value, bool):
            number = int(value)
        elif number is None and isinstance(word, str):
            number = {"true": 1, "false": 0}.get(word.lower())
        if number not in (0, 1):
            raise Unreadable("a boolean score that is neither true nor false")
        return "boolean", bool(number), None
    if number is None:
        raise Unreadable("a numeric score that is no finite number")
    if abs(number) > MAX_SCORE:
        raise Unreadable(f"a numeric score beyond {MAX_SCORE:,}")
    return "numeric", number, None
