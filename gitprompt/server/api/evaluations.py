# SPDX-License-Identifier: Apache-2.0
"""/v1/evaluations: suites, which are files in Git, and their results."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gitprompt.core.names import check_name
from gitprompt.core.telemetry.numbers import MAX_SCORE
from gitprompt.core.versions import check_version
from gitprompt.errors import GitpromptError, Invalid
from gitprompt.server.context import Context
from gitprompt.server.http.bodies import encode_optional
from gitprompt.server.http.endpoints import PAGING, Call, Endpoint
from gitprompt.server.http.listing import SINCE, UNTIL, Filter, List
from gitprompt.server.http.shapes import Body, Id, LongText, Mapping50, Seconds, Timestamp
from gitprompt.server.http.wire import envelope, parse_page, raw_json
from gitprompt.store.tables import scores
from gitprompt.store.tables.rows import Condition
from gitprompt.store.tables.scores import ScoreRow
from gitprompt.suites import NumberedDocument


class NewEvaluation(Body):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    prompt_name: Annotated[str, Meta(min_length=1, max_length=128)]
    description: LongText | None = None
    version_tag: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    criteria: dict[str, Any] | None = None


class NewResult(Body):
    run_id: Id | None = None
    result_id: Annotated[Id | None, Meta(description="Yours; makes a retry harmless.")] = None
    score: Annotated[float, Meta(ge=0, le=MAX_SCORE)] | None = None
    metadata: Mapping50 | None = None
    timestamp: Timestamp | None = None


class Evaluation(msgspec.Struct, kw_only=True):
    id: int
    name: str
    description: str | None
    prompt_name: str
    version_tag: str | None
    criteria: Any
    created_at: Seconds


class Result(msgspec.Struct, kw_only=True):
    id: int
    evaluation_id: int
    result_id: str | None
    run_id: str | None
    score: float | None
    metadata: Any
    created_at: Seconds


RESULTS = List(
    scores.LISTING,
    (Filter("run_id", "Of this run."), SINCE, UNTIL),
)


async def create(context: Context, call: Call) -> dict[str, Any]:
    body: NewEvaluation = call.body
    document = {
        "name": body.name,
        "description": body.description,
        "prompt_name": body.prompt_name,
        "version_tag": body.version_tag,
        "criteria": body.criteria,
    }
    document = {key: value for key, value in document.items() if value is not None}
    _check(body)
    await context.publishing.create_suite(call.author, document)
    return _answer(await context.suites.find(call.principal.workspace, body.name))


async def page(context: Context, call: Call) -> Any:
    page = parse_page(call.params, (int,))
    everything = await context.suites.all(call.principal.workspace)
    rest = everything
    if page.cursor:
        rest = [suite for suite in everything if suite.id < page.cursor[0]]
    shown = rest[page.offset : page.offset + page.limit]
    items = [_answer(suite) for suite in shown]
    return envelope(page, len(everything), items, lambda: [shown[-1].id])


async def one(context: Context, call: Call) -> dict[str, Any]:
    return _answer(await context.suites.find(call.principal.workspace, call.path["evaluation_id"]))


async def delete(context: Context, call: Call) -> None:
    await context.publishing.delete_suite(call.author, call.path["evaluation_id"])


async def add_result(context: Context, call: Call) -> dict[str, Any]:
    suite = await context.suites.find(call.principal.workspace, call.path["evaluation_id"])
    body: NewResult = call.body
    row = ScoreRow(
        workspace=call.principal.workspace,
        suite=suite.id,
        score_id=body.result_id,
        name=suite.name,
        type="numeric",
        number=body.score,
        run_id=body.run_id,
        metadata=encode_optional(body.metadata),
        prompt_name=suite.document["prompt_name"],
        version_tag=suite.document.get("version_tag"),
        created_at=body.timestamp or 0,
    )
    result, created_at = await context.ingest.result(call.actor, row, min_score=suite.min_score)
    return _result((result, *row._replace(created_at=created_at)))


async def list_results(context: Context, call: Call) -> Any:
    suite = await context.suites.find(call.principal.workspace, call.path["evaluation_id"])
    return await RESULTS.answer(context.database, call, _result, Condition("suite", suite.id))


one_path = "/v1/evaluations/{evaluation_id:path}"
results_path = "/v1/evaluations/{evaluation_id:path}/results"


def _check(body: NewEvaluation) -> None:
    """Names and versions by their own rules, each problem as a field."""
    fields = []
    for key, check, value in (
        ("prompt_name", check_name, body.prompt_name),
        ("version_tag", check_version, body.version_tag),
    ):
        try:
            if value is not None:
                check(value)
        except GitpromptError as error:
            fields.append(f"{key}: {error.message}")
    if fields:
        raise Invalid("Validation failed", fields=fields)


def _answer(suite: NumberedDocument) -> dict[str, Any]:
    document = suite.document
    return {
        "id": suite.id,
        "name": suite.name,
        "description": document.get("description"),
        "prompt_name": document["prompt_name"],
        "version_tag": document.get("version_tag"),
        "criteria": document.get("criteria"),
        "created_at": suite.created_at,
    }


def _result(row: tuple[Any, ...]) -> dict[str, Any]:
    result = ScoreRow(*row[1:])
    return {
        "id": row[0],
        "evaluation_id": result.suite,
        "result_id": result.score_id,
        "run_id": result.run_id,
        "score": result.number,
        "metadata": raw_json(result.metadata),
        "created_at": result.created_at,
    }


ENDPOINTS = (
    Endpoint(
        method="POST", path=results_path, scope="write", status=201, handler=add_result,
        kind="result", summary="Store the result of an evaluation", body=NewResult,
        answer=Result, errors=(400, 404, 409),
        example={"run_id": "run_7a3fe2c", "score": 0.95, "metadata": {"judge": "gpt-4"}},
    ),
    Endpoint(
        method="GET", path=results_path, scope="read", summary="List results, newest first",
        handler=list_results, answer=Result, is_page=True, query=RESULTS.parameters,
        errors=(400, 404),
    ),
    Endpoint(
        method="POST", path="/v1/evaluations", scope="write", status=201, handler=create,
        summary="Create a suite: a file in Git", body=NewEvaluation,
        answer=Evaluation, errors=(409,),
        example={
            "name": "accuracy-check", "description": "Check output accuracy",
            "prompt_name": "welcome", "version_tag": "1.0.0", "criteria": {"min_score": 0.8},
        },
    ),
    Endpoint(
        method="GET", path="/v1/evaluations", scope="read", summary="List suites",
        handler=page, answer=Evaluation, is_page=True, query=PAGING,
    ),
    Endpoint(
        method="GET", path=one_path, scope="read", handler=one,
        summary="Get a suite by number or name", answer=Evaluation, errors=(400, 404),
    ),
    Endpoint(
        method="DELETE", path=one_path, scope="admin", status=204, handler=delete,
        summary="Delete a suite and its results", errors=(400, 404, 409),
    ),
)  # fmt: skip
