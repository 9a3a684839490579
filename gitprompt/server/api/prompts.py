# SPDX-License-Identifier: Apache-2.0
"""/v1/prompts: prompts and their versions. Reads come through the cache in `hot_path`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.convertors import StringConvertor, register_url_convertor

from gitprompt import statistics
from gitprompt.checks import schema
from gitprompt.core.diff import Change, deserved_bump
from gitprompt.core.template import ENGINE
from gitprompt.core.versions import precedence, version_id
from gitprompt.errors import BadRequest, GitpromptError, Invalid, PayloadTooLarge
from gitprompt.metrics import OTHER
from gitprompt.publishing import Published
from gitprompt.server.api.answers import Tagged, Volatile
from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.bodies import read_json
from gitprompt.server.http.endpoints import PAGING, Bytes, Call, Endpoint, Parameter
from gitprompt.server.http.shapes import Body, Seconds, Statistics
from gitprompt.server.http.wire import FLAG, encode, envelope, error_fields, parse_flag, parse_page
from gitprompt.store.index.reader import ORDERS, PromptFilter, StoredVersion


class PublishedVersion(msgspec.Struct, kw_only=True):
    name: str
    version_tag: str
    commit_sha: str
    created_at: Seconds
    on_branch: Annotated[bool, Meta(description="Whether the default branch took it.")]


class ListedPrompt(msgspec.Struct, kw_only=True):
    name: str
    latest: str
    updated_at: Seconds
    tags: list[str]
    labels: dict[str, str]


class RenderRequest(Body):
    """Values of any JSON type, and lists of messages for placeholders; a version or a label, otherwise
    the newest version is rendered."""

    variables: dict[str, Any] = msgspec.field(default_factory=dict)
    placeholders: dict[str, Any] = msgspec.field(default_factory=dict)
    version: Annotated[str, Meta(max_length=64)] | None = None
    label: Annotated[str, Meta(max_length=64)] | None = None


class VersionHead(msgspec.Struct, kw_only=True):
    name: str
    version_tag: str
    commit_sha: str | None
    created_at: Seconds


class ServedToolCall(msgspec.Struct, kw_only=True):
    id: str
    type: str
    function: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ServedMessage(msgspec.Struct, kw_only=True):
    """A message, or with `render=false` also a placeholder, which has no role."""

    role: Literal["system", "developer", "user", "assistant", "tool"] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    content: str | list[dict[str, Any]] | msgspec.UnsetType | None = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[ServedToolCall] | msgspec.UnsetType = msgspec.UNSET
    tool_call_id: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    required: bool | msgspec.UnsetType = msgspec.UNSET


class ServedDocument(msgspec.Struct, kw_only=True):
    """The document of a version, its messages filled in; other keys are served as they are."""

    name: str
    version: str
    messages: list[ServedMessage]
    description: str | msgspec.UnsetType = msgspec.UNSET
    type: Literal["chat", "text"] | msgspec.UnsetType = msgspec.UNSET
    variables: dict[str, dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    model_config: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    tools: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    tool_choice: str | dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    response_format: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    deprecated: str | msgspec.UnsetType = msgspec.UNSET


class ServedPrompt(msgspec.Struct, kw_only=True):
    content: ServedDocument
    version: VersionHead
    text: Annotated[str, Meta(description="Of a prompt of type text.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class ListedVersion(msgspec.Struct, kw_only=True):
    id: int
    name: str
    version_tag: str
    commit_sha: str | None
    created_at: Seconds
    author: str
    workspace_id: str
    status: Literal["active"]
    stats: Statistics | msgspec.UnsetType | None = msgspec.UNSET


class Diff(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    name: str
    from_: VersionHead
    to: VersionHead
    bump: str | None
    messages: list[Any]
    variables: list[Any]
    settings: list[Any]
    model_config: list[Any]


MAX_TOGETHER = 1_000  # documents of one request
PREFIX = "/v1/prompts"
ONE = f"{PREFIX}/{{name:prompt}}"


class PromptName(StringConvertor):
    """A name may have slashes, and never a segment 'versions', 'labels' or 'diff' after its first:
    it ends before the first of these."""

    regex = r"[^/]+(?:/(?!(?:versions|labels|diff)(?:/|$))[^/]*)*"


register_url_convertor("prompt", PromptName())


async def publish(context: Context, call: Call) -> PublishedVersion | Bytes:
    if isinstance(call.body, list):
        return await _publish_all(context, call)
    return _published(await context.publishing.publish(call.author, call.body))


async def _publish_all(context: Context, call: Call) -> Bytes:
    if len(call.body) > MAX_TOGETHER:
        raise PayloadTooLarge(
            f"{len(call.body)} documents in one request; at most {MAX_TOGETHER} are taken"
        )
    outcomes = await context.publishing.publish_all(call.author, call.body)
    items = [
        {"status": outcome.status, **error_fields(outcome)}
        if isinstance(outcome, GitpromptError)
        else {"status": 201, **msgspec.structs.asdict(_published(outcome))}
        for outcome in outcomes
    ]
    return Bytes(207, encode({"items": items}))


def _published(published: Published) -> PublishedVersion:
    return PublishedVersion(
        name=published.name,
        version_tag=published.version,
        commit_sha=published.commit,
        created_at=published.created_at,
        on_branch=published.on_branch,
    )


async def page(context: Context, call: Call) -> dict[str, Any]:
    params = call.params
    query = params.get("q", "")
    if len(query) > 256:
        raise BadRequest("q is longer than 256 characters")
    order = next((one for one in ORDERS if one == params.get("sort", "name")), None)
    if order is None:
        raise Invalid(f"sort: must be {' or '.join(ORDERS)}")
    page = parse_page(params, (str,) if order == "name" else (int, str))
    rows, total = context.catalog.prompts(
        call.principal.workspace,
        wanted=PromptFilter(
            query, params.get("tag", ""), params.get("label", ""), params.get("folder", "")
        ),
        order=order,
        limit=page.limit,
        offset=page.offset,
        after=page.cursor or (),
    )

    def last() -> list[Any]:
        return [rows[-1].name] if order == "name" else [rows[-1].updated_at, rows[-1].name]

    return envelope(page, total, [row._asdict() for row in rows], last)


async def count(context: Context, call: Call) -> dict[str, Any]:
    return {"count": context.catalog.count(call.principal.workspace)}


async def one(context: Context, call: Call) -> Tagged:
    name, params = call.path["name"], call.params
    version = context.catalog.find(
        call.principal.workspace, name, version=params.get("version"), label=params.get("label")
    )
    inputs = None
    if parse_flag(params, "render", default=True):
        content = await context.catalog.rendered(call.principal.workspace, version, call.variables)
        inputs = sorted(call.variables.items())
    else:
        content = context.catalog.document(version)
    body = encode(_answer(content, version))
    digest = hashlib.blake2b(digest_size=16)
    number = version.version
    digest.update(encode((number.blob, name, number.version, number.commit, ENGINE, inputs)))
    return Tagged(body, b'"' + digest.hexdigest().encode() + b'"', name)


async def render(context: Context, call: Call) -> dict[str, Any]:
    workspace, name, body = call.principal.workspace, call.path["name"], call.body
    try:
        version = context.catalog.find(workspace, name, version=body.version, label=body.label)
        content = await context.catalog.rendered(
            call.principal.workspace, version, body.variables, body.placeholders
        )
    except GitpromptError as error:
        count_refusal(context, workspace, name, error)
        raise
    context.metrics.record_prompt_request(workspace, name, "ok")
    return _answer(content, version)


def count_refusal(context: Context, workspace: str, name: str, error: GitpromptError) -> None:
    """A prompt that does not exist has no series of its own."""
    exists = context.catalog.exists(workspace, name)
    result = "not_found" if error.status == 404 else "invalid"
    context.metrics.record_prompt_request(workspace, name if exists else OTHER, result)


def _answer(content: Mapping[str, Any], version: StoredVersion) -> dict[str, Any]:
    """A prompt of type text has its only text beside the document as well."""
    answer: dict[str, Any] = {"content": content, "version": _head(version)}
    if content.get("type") == "text":
        answer["text"] = content["messages"][0].get("content")
    return answer


async def versions(context: Context, call: Call) -> dict[str, Any] | Volatile:
    workspace, name = call.principal.workspace, call.path["name"]
    wants_statistics = parse_flag(call.params, "stats", default=False)
    page = parse_page(call.params, (int, str))
    rows, total = context.catalog.versions(
        workspace, name, limit=page.limit, offset=page.offset, after=page.cursor or ()
    )
    items: list[dict[str, Any]] = [
        {
            "id": version_id(name, row.version.version),
            **_head(row),
            "author": row.version.author,
            "workspace_id": workspace,
            "status": "active",
        }
        for row in rows
    ]

    def last() -> list[Any]:
        return [rows[-1].version.created_at, precedence(rows[-1].version.version)]

    if not wants_statistics:
        return envelope(page, total, items, last)
    by_version = await statistics.of_versions(
        context.database, workspace, name, [item["version_tag"] for item in items]
    )
    for item in items:
        row = by_version.get(item["version_tag"])
        item["stats"] = row._asdict() if row else None
    return Volatile(envelope(page, total, items, last))


async def diff(context: Context, call: Call) -> dict[str, Any]:
    old, new = call.params.get("from"), call.params.get("to")
    if not old or not new:
        raise BadRequest("Give both from and to: versions or labels")
    comparison = await context.catalog.diff(call.principal.workspace, call.path["name"], old, new)
    changes = comparison.changes
    return {
        "name": call.path["name"],
        "from": _head(comparison.old),
        "to": _head(comparison.new),
        "bump": deserved_bump(changes),
        **{
            area: [_change(change) for change in changes if change.area == area]
            for area in ("messages", "variables", "settings")
        },
        "model_config": [
            _change(change) for change in changes if change.path.partition(".")[0] == "model_config"
        ],
    }


def _head(stored: StoredVersion) -> dict[str, Any]:
    version = stored.version
    return {
        "name": version.name,
        "version_tag": version.version,
        "commit_sha": version.commit,
        "created_at": version.created_at,
    }


def _change(change: Change) -> Mapping[str, Any]:
    return {key: value for key, value in change._asdict().items() if key != "area"}


def _published_document() -> dict[str, Any]:
    """The schema of a document that is published: it must say what it is."""
    document = {**schema.load("prompt"), "required": ["name", "version", "messages"]}
    del document["$schema"]
    many = {
        "type": "array",
        "description": f"Up to {MAX_TOGETHER} documents, each judged by itself; more is 413.",
    }
    return {"anyOf": [document, many]}


_ITEMS = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "description": "In the order of the documents: the fields of a 201, or of an error.",
            "items": {
                "type": "object",
                "required": ["status"],
                "properties": {"status": {"type": "integer"}},
            },
        }
    },
}


ENDPOINTS = (
    Endpoint(
        method="GET", path=PREFIX, scope="read", summary="List prompts by name", handler=page,
        answer=ListedPrompt, is_page=True,
        query=(
            *PAGING,
            Parameter("q", "Part of the name, in any case.",
                      {"type": "string", "maxLength": 256}),
            Parameter("tag", "With this tag."),
            Parameter("label", "With this label."),
            Parameter("folder", "In this folder, at any depth: `support` has `support/triage`."),
            Parameter("sort", "By name, or updated: those first whose last version is the newest.",
                      {"type": "string", "enum": list(ORDERS)}),
        ),
    ),
    Endpoint(
        method="GET", path=f"{PREFIX}/count", scope="read", summary="Count the prompts",
        handler=count, answer=shapes.Counted,
    ),
    Endpoint(
        method="POST", path=PREFIX, scope="write", status=201, handler=publish,
        summary="Publish a version: blob, tree, commit and tag; of an array of up to 1,000 documents"
        " all that can go in go in together, and the answer is 207 with an item for each",
        body=_published_document(),
        reader=partial(read_json, shape=dict[str, Any] | list[Any]), answer=PublishedVersion,
        together=_ITEMS,
        errors=(409,),
        example={
            "name": "welcome", "version": "1.0.0",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Hello {{name}}!"},
            ],
            "variables": {"name": {"type": "string", "required": True}},
            "model_config": {"model": "gpt-4o", "temperature": 0.7}, "tags": ["greeting"],
        },
    ),
    Endpoint(  # before ONE, which would take its path for the name of a prompt
        method="POST", path=f"{ONE}/render", scope="read", handler=render,
        summary="Render a prompt with values of any type, which stay out of the request line",
        body=RenderRequest, answer=ServedPrompt, errors=(404,),
        example={"variables": {"name": "Ada"}},
    ),
    Endpoint(
        method="GET", path=ONE, scope="read", handler=one,
        summary="Get a prompt, rendered; without a selector its newest version",
        answer=ServedPrompt, errors=(404,),
        query=(
            Parameter("version", "This version."),
            Parameter("label", "What this label points at."),
            Parameter("render", "false: the templates as they are.", FLAG),
            Parameter("variables", "Values: variables[name]=Alice.",
                      {"type": "object", "additionalProperties": {"type": "string"}}),
        ),
    ),
    Endpoint(
        method="GET", path=f"{ONE}/versions", scope="read", handler=versions,
        summary="List the versions of a prompt, newest first", answer=ListedVersion,
        is_page=True,
        query=(
            *PAGING,
            Parameter("stats", "true: with calls, errors, tokens, cost, latency and score.", FLAG),
        ),
    ),
    Endpoint(
        method="GET", path=f"{ONE}/diff", scope="read", answer=Diff, errors=(404,),
        summary="Compare two versions or labels", handler=diff,
        query=(Parameter("from", "A version or label."), Parameter("to", "Another.")),
    ),
)  # fmt: skip
