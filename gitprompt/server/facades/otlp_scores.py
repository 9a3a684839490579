# SPDX-License-Identifier: Apache-2.0
"""The evaluations among the log records of an OTLP export, as scores
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/#event-gen_aievaluationresult).

A record has no id: what it says makes one, so that an export that is sent again is the same scores.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitprompt.core.telemetry.dialects import facts_of
from gitprompt.core.telemetry.numbers import MAX_SCORE, number_of
from gitprompt.core.telemetry.usage import prompt_of
from gitprompt.errors import BadRequest
from gitprompt.server.facades.otlp_values import (
    ODD,
    ReadId,
    attributes_of,
    milliseconds,
    records_of,
    text_of,
)
from gitprompt.server.http.bodies import encode
from gitprompt.store.tables.scores import ScoreRow

EVENT = "gen_ai.evaluation.result"
NOT_KEPT = "gitprompt keeps spans and evaluations, not other log records: send them to a log store"
_WORDS = ("name", "score.value", "score.label", "explanation")
_KEPT = 48  # attributes
_LONG, _SHORT = 10_000, 256  # characters


class ExportedScores(NamedTuple):
    """The scores of an export, how many other records it has, and what is wrong with an evaluation."""

    rows: list[ScoreRow]
    others: int
    rejected: list[str]


def scores_of(value: Any, read_id: ReadId, workspace: str) -> ExportedScores:
    """Raises BadRequest for what is no export."""
    found = ExportedScores([], 0, [])
    others = 0
    try:
        for record, _, scope in records_of(value, "Logs", "logRecords"):
            try:
                attributes = attributes_of(record.get("attributes"))
                if EVENT not in (record.get("eventName"), attributes.get("event.name")):
                    others += 1
                    continue
                found.rows.append(_score(record, attributes, scope, read_id, workspace))
            except ODD as error:
                found.rejected.append(str(error) or "the record cannot be read")
    except ODD as error:
        raise BadRequest(f"not an OTLP export: {error}") from None
    return found._replace(others=others)


def _score(
    record: Any, attributes: dict[str, Any], scope: Any, read_id: ReadId, workspace: str
) -> ScoreRow:
    facts = facts_of(attributes, is_own=False)
    said = {word: attributes.pop(f"gen_ai.evaluation.{word}", None) for word in _WORDS}
    number, label = number_of(said["score.value"]), text_of(said["score.label"], _LONG)
    name = text_of(said["name"], _SHORT)
    if name is None:
        raise ValueError("an evaluation without gen_ai.evaluation.name")
    if number is None and label is None:
        raise ValueError(f"the evaluation {name} has neither a score.value nor a score.label")
    if number is not None and abs(number) > MAX_SCORE:
        raise ValueError(f"the evaluation {name} has a score beyond {MAX_SCORE}")
    trace, span = record.get("traceId"), record.get("spanId")
    at = milliseconds(record.get("timeUnixNano")) or milliseconds(
        record.get("observedTimeUnixNano")
    )
    prompt, version = prompt_of(facts)
    row = ScoreRow(
        workspace,
        name,
        "numeric" if number is not None else "categorical",
        (at or 0) // 1000,
        number=None if number is None else float(number),
        text=label,
        trace_id=read_id(trace, 16) if trace else None,
        span_id=read_id(span, 8) if span else None,
        session_id=text_of(facts.get("session_id"), _SHORT),
        comment=text_of(said["explanation"], _LONG),
        source=text_of((scope or {}).get("name"), _SHORT),
        metadata=_metadata(attributes),
        prompt_name=prompt,
        version_tag=version,
    )
    return row._replace(
        score_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{record.get('timeUnixNano')}{row}"))
    )


def _metadata(attributes: Mapping[str, Any]) -> str | None:
    rest = dict(list(attributes.items())[:_KEPT])
    rest.pop("event.name", None)
    return encode(rest) if rest else None
