# SPDX-License-Identifier: Apache-2.0
"""/v1/scores: how traces, spans, sessions and runs went, as a person, a judge or a suite says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from gitprompt.core.telemetry.numbers import MAX_SCORE
from gitprompt.errors import Invalid, NotFound
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import Call, Endpoint
from gitprompt.server.http.listing import OF_SESSION, OF_TRACE, SINCE, UNTIL, Filter, List
from gitprompt.server.http.shapes import (
    Body,
    Id,
    LongText,
    Mapping50,
    Seconds,
    Text,
    Timestamp,
)
from gitprompt.server.http.wire import raw_json
from gitprompt.store.tables import scores
from gitprompt.store.tables.scores import OneScore, ScoreRow

Type = Literal["numeric", "boolean", "categorical", "text"]
TYPES: tuple[Type, ...] = get_args(Type)
_Value = bool | Annotated[float, Meta(ge=-MAX_SCORE, le=MAX_SCORE)] | LongText


class NewScore(Body):
    name: Text
    value: _Value
    type: Annotated[
        Type | None,
        Meta(
            description="By default that of the value: numeric, boolean, or categorical for text."
        ),
    ] = None
    score_id: Annotated[
        Id | None, Meta(description="Yours; a score with the same id takes its place.")
    ] = None
    trace_id: Id | None = None
    span_id: Annotated[Id | None, Meta(description="Of that trace.")] = None
    session_id: Text | None = None
    run_id: Id | None = None
    prompt_name: Annotated[
        Text | None, Meta(description="What was scored; by default what the trace names.")
    ] = None
    version_tag: Text | None = None
    comment: LongText | None = None
    source: Annotated[Text | None, Meta(description="Who says so, such as human.")] = None
    metadata: Mapping50 | None = None
    timestamp: Timestamp | None = None


class Score(msgspec.Struct, kw_only=True):
    id: int
    score_id: str | None
    workspace_id: str
    name: str
    type: str
    value: Annotated[float | bool | str | None, Meta(description="null: a suite gave none.")]
    label: Annotated[str | None, Meta(description="What a number was called, if it was.")]
    suite: Annotated[str | None, Meta(description="Which gave it; null: none.")]
    trace_id: str | None
    span_id: str | None
    session_id: str | None
    run_id: str | None
    prompt_name: str | None
    version_tag: str | None
    comment: str | None
    source: str | None
    metadata: Any
    created_at: Seconds


class CreatedScore(Score, kw_only=True):
    is_new: Annotated[bool, Meta(description="false: it was so already.")]


MAX_SCORES = 1_000
SCORES = List(
    scores.LISTING,
    (
        Filter("name", "Of this name; that of a suite is one."),
        Filter("type", "Of this type.", choices=TYPES),
        OF_TRACE,
        Filter("span_id", "Of this span."),
        *OF_SESSION,
        Filter("run_id", "Of this run."),
        Filter("prompt_name", "Of this prompt."),
        Filter("version_tag", "Of this version."),
        Filter("source", "From there."),
        SINCE,
        UNTIL,
    ),
)
NewScores = NewScore | Annotated[list[NewScore], Meta(min_length=1, max_length=MAX_SCORES)]


async def create(context: Context, call: Call) -> Any:
    several = isinstance(call.body, list)
    sent: Sequence[NewScore] = call.body if several else [call.body]
    problems = [
        f"[{at}] {problem}" if several else problem
        for at, score in enumerate(sent)
        for problem in _problems(score)
    ]
    if problems:
        raise Invalid("Validation failed", fields=problems)
    stored = await context.ingest.scores(
        call.actor, [_row(call.principal.workspace, score) for score in sent]
    )
    created = [{**_answer((score.id, *score.row)), "is_new": score.is_new} for score in stored]
    return created if several else created[0]


async def page(context: Context, call: Call) -> Any:
    return await SCORES.answer(context.database, call, _answer)


async def one(context: Context, call: Call) -> dict[str, Any]:
    row = await context.database.read(OneScore(call.principal.workspace, call.path["score_id"]))
    if row is None:
        raise NotFound("Score not found")
    return _answer(row)


async def delete(context: Context, call: Call) -> None:
    await context.ingest.delete_score(call.actor, call.path["score_id"])


def _problems(score: NewScore) -> list[str]:
    """What is wrong with how its fields go together."""
    problems = []
    wanted = {"numeric": "a number", "boolean": "true, false, 1 or 0"}
    type = _type_of(score)
    is_text = isinstance(score.value, str)
    if type in wanted and (is_text or (type == "boolean" and score.value not in (0, 1))):
        problems.append(f"value: a {type} score is {wanted[type]}")
    elif type not in wanted and not is_text:
        problems.append(f"value: a {type} score is text")
    if score.span_id is not None and score.trace_id is None:
        problems.append("trace_id: a span is part of a trace; say which")
    if score.version_tag is not None and score.prompt_name is None:
        problems.append("prompt_name: a version is one of a prompt; say which")
    said = score.trace_id, score.session_id, score.run_id, score.prompt_name
    if all(one is None for one in said):
        problems.append("trace_id: say what is scored: trace_id, session_id, run_id or prompt_name")
    return problems


def _type_of(score: NewScore) -> Type:
    if score.type is not None:
        return score.type
    if isinstance(score.value, str):
        return "categorical"
    return "boolean" if isinstance(score.value, bool) else "numeric"


def _row(workspace: str, score: NewScore) -> ScoreRow:
    value = score.value
    return ScoreRow(
        workspace=workspace,
        score_id=score.score_id,
        name=score.name,
        type=_type_of(score),
        number=None if isinstance(value, str) else float(value),
        text=value if isinstance(value, str) else None,
        trace_id=score.trace_id,
        span_id=score.span_id,
        session_id=score.session_id,
        run_id=score.run_id,
        comment=score.comment,
        source=score.source,
        metadata=encode_optional(score.metadata),
        prompt_name=score.prompt_name,
        version_tag=score.version_tag,
        created_at=score.timestamp or 0,
    )


def _answer(row: tuple[Any, ...]) -> dict[str, Any]:
    score = ScoreRow(*row[1:])
    number: float | bool | None = score.number
    if score.type == "boolean" and number is not None:
        number = bool(number)
    fields = score._asdict() | {
        "suite": None if score.suite is None else score.name,
        "value": score.text if number is None else number,
        "label": None if number is None else score.text,
        "metadata": raw_json(score.metadata),
    }
    del fields["number"], fields["text"]
    return {"id": row[0], "workspace_id": fields.pop("workspace"), **fields}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/scores", scope="write", status=201, handler=create, kind="score",
        summary="Store a score of a trace, a span, a session or a run, or an array of them",
        body=NewScores, answer=CreatedScore | list[CreatedScore],
        example={
            "name": "user feedback", "value": 1, "type": "boolean", "source": "human",
            "trace_id": "550e8400-e29b-41d4-a716-446655440000", "comment": "Just what I needed",
        },
    ),
    Endpoint(
        method="GET", path="/v1/scores", scope="read", handler=page, answer=Score, is_page=True,
        summary="List scores and results, newest first", query=SCORES.parameters,
    ),
    Endpoint(
        method="GET", path="/v1/scores/{score_id:path}", scope="read", handler=one,
        summary="Get a score", answer=Score, errors=(404,),
    ),
    Endpoint(
        method="DELETE", path="/v1/scores/{score_id:path}", scope="write", status=204,
        handler=delete, summary="Delete a score", errors=(404,),
    ),
)  # fmt: skip
