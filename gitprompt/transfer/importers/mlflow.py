# SPDX-License-Identifier: Apache-2.0
"""MLflow: traces as `mlflow.search_traces` and its REST API give them, with their assessments; and prompts of its
registry (https://mlflow.org/docs/latest/api_reference/rest-api.html)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitprompt.core.telemetry.numbers import number_of
from gitprompt.core.telemetry.packed import decoded, langfuse_cost, usage_of
from gitprompt.transfer.foreign.mlflow_prompts import TEXT, pairs_of, version_of
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
    short,
    tags_of,
    text_of,
    trace_id_of,
)

_HOUSE = "mlflow"
_NAMES = 256
_OURS = frozenset(
    ("mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.llm.model", "mlflow.llm.provider",
     "mlflow.chat.tokenUsage", "mlflow.llm.cost", "mlflow.traceRequestId", "mlflow.spanFunctionName")
)  # fmt: skip


class MLflow:
    house = _HOUSE
    unasked: Sequence[tuple[str, str]] = (
        (
            "traces",
            "not asked of the live API, which has no spans of what is stored as artifacts: export them to files",
        ),
    )

    def kind_of(self, record: Record) -> str | None:
        if "info" in record and ("data" in record or "spans" in record):
            return "trace"
        if (
            "trace_id" in record
            and "spans" in record
            and ("request_time" in record or "timestamp_ms" in record)
        ):
            return "trace"
        if (
            "name" in record
            and "version" in record
            and ("template" in record or TEXT in pairs_of(record.get("tags")))
        ):
            return "prompt"
        return None

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        return None  # a trace comes with its spans

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        if kind == "trace":
            yield from _trace(record, losses)
        else:
            yield version_of(record, losses)

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """The prompts of the registry with all their versions. Traces come from files: the REST API has no spans
        of what was stored as artifacts."""
        token = ""
        while True:
            page = api.get(
                "/api/2.0/mlflow/registered-models/search", max_results=100,
                filter="tags.`mlflow.prompt.is_prompt` = 'true'", page_token=token,
            )  # fmt: skip
            models = page.get("registered_models") or []
            token = str(page.get("next_page_token") or "")
            yield LivePage(
                "prompts", None, [one for model in models for one in _versions(api, model)]
            )
            if not token:
                return

    def finish(self, losses: Losses, *, is_whole: bool) -> Iterator[Item]:
        return iter(())


def _versions(api: ForeignApi, model: Mapping[str, Any]) -> Iterator[Any]:
    """Every version of a prompt, with the aliases that point at it."""
    aliases: dict[str, list[str]] = {}
    for one in model.get("aliases") or ():
        aliases.setdefault(str(one.get("version")), []).append(str(one.get("alias")))
    token, name = "", str(model["name"]).replace("'", "\\'")
    while True:
        page = api.get(
            "/api/2.0/mlflow/model-versions/search",
            max_results=100,
            filter=f"name = '{name}'",
            page_token=token,
        )
        for version in page.get("model_versions") or ():
            yield {**version, "aliases": aliases.get(str(version.get("version")), [])}
        token = str(page.get("next_page_token") or "")
        if not token:
            return


def _trace(record: Record, losses: Losses) -> Iterator[Item]:
    info = record.get("info")
    info = info if isinstance(info, dict) else record
    data = record.get("data")
    spans = record.get("spans") or (data.get("spans") if isinstance(data, dict) else None) or ()
    given = text_of(info.get("trace_id")) or text_of(info.get("request_id"))
    at = milliseconds(info.get("request_time") or info.get("timestamp_ms"))
    if given is None or at is None:
        raise Unreadable("a trace without an id or a time that can be read")
    bare = given.removeprefix("tr-")
    trace_id = trace_id_of(bare, _HOUSE, losses)
    tags, about = (
        pairs_of(info.get("tags")),
        pairs_of(info.get("trace_metadata") or info.get("request_metadata")),
    )
    read = [_span(one, losses) for one in spans if isinstance(one, dict)]
    root = next((span for span in read if span.parent_id is None), None)
    name = short(tags.get("mlflow.traceName"), _NAMES, "trace.name", losses, given) or (
        root.name if root else None
    )
    fields = {
        "name": name,
        "prompt_name": name,
        "session_id": text_of(about.get("mlflow.trace.session")),
        "user_id": text_of(about.get("mlflow.trace.user")),
        "tags": tags_of(
            [f"{key}={value}" for key, value in tags.items() if not key.startswith("mlflow.")],
            losses,
            given,
        ),
        "input": root.metadata.get("input") if root else None,
        "output": root.metadata.get("output") if root else None,
    }
    own = {key: value for key, value in about.items() if not key.startswith("mlflow.")}
    yield ForeignTrace(
        trace_id, at, {key: value for key, value in fields.items() if value not in (None, [])},
        beside({"trace_id": given if given != trace_id else None}, flattened(own)), read,
    )  # fmt: skip
    for one in info.get("assessments") or ():
        if isinstance(one, dict):
            score = _assessment(one, trace_id, losses)
            if score is not None:
                yield score


def _span(record: Record, losses: Losses) -> ForeignSpan:
    given = text_of(record.get("span_id"))
    if given is None:
        raise Unreadable("a span without an id")
    said = record.get("attributes")
    attributes = (
        {key: decoded(value) for key, value in said.items()} if isinstance(said, dict) else {}
    )
    kind = str(attributes.get("mlflow.spanType") or "UNKNOWN").lower()
    status = record.get("status")
    code = str(status.get("code") if isinstance(status, dict) else record.get("status_code") or "")
    message = status.get("message") if isinstance(status, dict) else record.get("status_message")
    start = milliseconds(record.get("start_time_unix_nano") or record.get("start_time"))
    end = milliseconds(record.get("end_time_unix_nano") or record.get("end_time"))
    usage = usage_of(attributes.get("mlflow.chat.tokenUsage"))
    name = short(record.get("name"), _NAMES, "span.name", losses, given) or kind
    ours = {
        "kind": kind,
        "model": text_of(attributes.get("mlflow.llm.model")),
        "provider": text_of(attributes.get("mlflow.llm.provider")),
        **{key: int(value) for key, value in usage.items() if number_of(value)},
        "cost_usd": langfuse_cost(attributes.get("mlflow.llm.cost")).get("cost"),
        "tool": name if kind == "tool" else None,
        "input": attributes.get("mlflow.spanInputs"),
        "output": attributes.get("mlflow.spanOutputs"),
        "status_message": text_of(message),
        "events": record.get("events") or None,
    }
    theirs = flattened({key: value for key, value in attributes.items() if key not in _OURS})
    failed = "ERROR" in code.upper()
    return ForeignSpan(
        _span_id(given), _span_id(text_of(record.get("parent_span_id") or record.get("parent_id"))), name,
        "error" if failed else "ok" if end is not None else "unset", start, end, beside(ours, theirs),
    )  # fmt: skip


def _span_id(given: Any) -> Any:
    """As 16 hexadecimal digits, which newer files have in base64."""
    if isinstance(given, str) and len(given) == 12 and given.endswith("="):
        try:
            return base64.b64decode(given, validate=True).hex()
        except ValueError:
            return given
    return given.removeprefix("0x")[:128] if isinstance(given, str) else None


def _assessment(record: Record, trace_id: str, losses: Losses) -> ForeignScore | None:
    given, name = (
        text_of(record.get("assessment_id")),
        text_of(record.get("assessment_name") or record.get("name")),
    )
    feedback = record.get("feedback") or record.get("expectation")
    value = feedback.get("value") if isinstance(feedback, dict) else record.get("value")
    if given is None or name is None or value is None:
        losses.refuse("assessment", "without an id, a name or a value", record, given or trace_id)
        return None
    number = number_of(value) if not isinstance(value, str) else None
    kind = (
        "boolean" if isinstance(value, bool) else "numeric" if number is not None else "categorical"
    )
    at = milliseconds(record.get("create_time") or record.get("create_time_ms"))
    source = record.get("source")
    body = {
        "score_id": given, "name": name, "type": kind,
        "value": value if kind == "boolean" else number if number is not None else short(str(value), 10_000, "assessment.value", losses, given),
        "trace_id": trace_id, "span_id": _span_id(text_of(record.get("span_id"))),
        "comment": short(record.get("rationale"), 10_000, "assessment.rationale", losses, given),
        "source": text_of(source.get("source_type")) if isinstance(source, dict) else None,
        "metadata": beside({"timestamp_ms": at}, flattened(record.get("metadata"))),
        "timestamp": at // 1000 if at else None,
    }  # fmt: skip
    return ForeignScore({key: item for key, item in body.items() if item is not None})
