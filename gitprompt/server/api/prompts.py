# SPDX-License-Identifier: Apache-2.0
"""Everything under /v1/prompts: the hot path.

One ASGI endpoint owns it, comes before all other routes, and sends prebuilt bytes. An answer is a
function of the index, the path and the query, so answers are kept until the index changes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from gitprompt.core.diff import compare, deserved_bump
from gitprompt.core.document import served
from gitprompt.core.names import is_name
from gitprompt.core.template import ENGINE
from gitprompt.core.variables import render
from gitprompt.core.versions import is_version, precedence, version_id
from gitprompt.errors import BadRequest, GitpromptError, Invalid, NotFound
from gitprompt.metrics import OTHER
from gitprompt.server.api.publishing import Publishing, split_path
from gitprompt.server.context import Context
from gitprompt.server.http import shapes
from gitprompt.server.http.auth import Principal, read_headers
from gitprompt.server.http.endpoints import PAGING, Endpoint, Parameter
from gitprompt.server.http.wire import (
    Query,
    RawHeaders,
    encode,
    envelope,
    parse_page,
    parse_query,
    request_id,
    send_bytes,
)
from gitprompt.store.index.reader import StoredVersion
from gitprompt.store.tables import rollups

PREFIX = "/v1/prompts"
ROUTE = "gitprompt.route"  # in the scope: the template of an answered prompt's path
_ONE = f"{PREFIX}/{{name}}"
_MAX_ANSWERS = 10_000
_MAX_ANSWER_BYTES = 64_000_000
_MAX_DOCUMENTS = 2_000


class Answer(NamedTuple):
    """A finished answer; an empty `etag` means that it has none. `prompt`: the one that it is, where
    it is one prompt."""

    headers: RawHeaders
    body: bytes
    etag: bytes
    prompt: str = ""


def owns(path: str) -> bool:
    """Whether a path is answered here."""
    return path.startswith(PREFIX) and path[len(PREFIX) :][:1] in ("", "/")


def template(path: str) -> str:
    """The path without its names, for the metrics."""
    rest = path[len(PREFIX) + 1 :].rstrip("/")
    if rest in ("", "count"):
        return f"{PREFIX}/{rest}".rstrip("/")
    tail = split_path(rest)[1].split("/")
    if tail[0] == "labels" and len(tail) > 1:
        tail[1] = "{label}"
    found = "/".join((PREFIX, "{name}", *tail)).rstrip("/")
    return found if found in _TEMPLATES else f"{PREFIX}/other"


class _Kept:
    """Answers of one generation of the index, bounded in number and bytes, oldest out first."""

    def __init__(self) -> None:
        self.generation = -1
        self.answers: OrderedDict[tuple[str, str, bytes], Answer] = OrderedDict()
        self.documents: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self.size = 0

    def renew(self, generation: int) -> None:
        self.generation = generation
        self.answers.clear()
        self.documents.clear()
        self.size = 0

    def keep(self, key: tuple[str, str, bytes], answer: Answer) -> None:
        self.answers[key] = answer
        self.size += len(answer.body) + len(key[2])
        while len(self.answers) > _MAX_ANSWERS or self.size > _MAX_ANSWER_BYTES:
            old, dropped = self.answers.popitem(last=False)
            self.size -= len(dropped.body) + len(old[2])


def endpoints() -> list[Endpoint]:
    """What is answered here, described."""
    one, label = "/v1/prompts/{name}", "/v1/prompts/{name}/labels/{label}"
    return [
        Endpoint(
            method="GET", path="/v1/prompts", scope="read", summary="List prompts by name",
            answer=shapes.ListedPrompt, is_page=True,
            query=(
                *PAGING,
                Parameter("q", "Part of the name, in any case.",
                          {"type": "string", "maxLength": 256}),
                Parameter("tag", "With this tag."),
                Parameter("label", "With this label."),
            ),
        ),
        Endpoint(
            method="GET", path="/v1/prompts/count", scope="read", summary="Count the prompts",
            answer=shapes.Counted,
        ),
        Endpoint(
            method="GET", path=one, scope="read",
            summary="Get a prompt, rendered; without a selector its newest version",
            answer=shapes.ServedPrompt, errors=(404,),
            query=(
                Parameter("version", "This version."),
                Parameter("label", "What this label points at."),
                Parameter("render", "false: the templates as they are."),
                Parameter("variables", "Values: variables[name]=Alice.",
                          {"type": "object", "additionalProperties": {"type": "string"}}),
            ),
        ),
        Endpoint(
            method="GET", path=f"{one}/versions", scope="read",
            summary="List the versions of a prompt, newest first", answer=shapes.ListedVersion,
            is_page=True,
            query=(
                *PAGING,
                Parameter("stats", "true: with calls, errors, tokens, cost, latency and score.",
                          {"type": "string", "enum": ["true", "false"]}),
            ),
        ),
        Endpoint(
            method="GET", path=f"{one}/diff", scope="read", answer=shapes.Diff, errors=(404,),
            summary="Compare two versions or labels",
            query=(Parameter("from", "A version or label."), Parameter("to", "Another.")),
        ),
        Endpoint(
            method="GET", path=f"{one}/labels", scope="read", summary="List labels",
            answer=shapes.Label, is_page=True, query=PAGING,
        ),
        Endpoint(
            method="GET", path=label, scope="read", summary="Resolve a label",
            answer=shapes.Label, errors=(404,),
        ),
        Endpoint(
            method="GET", path=f"{label}/history", scope="read", answer=shapes.Move,
            summary="The moves of a label, newest first", is_page=True, query=PAGING,
            errors=(404,),
        ),
    ]  # fmt: skip


_TEMPLATES = frozenset(endpoint.path for endpoint in endpoints())


class Prompts:
    """GET below /v1/prompts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._index = context.index
        self._authenticate = context.authenticator.authenticate
        self._workspaces = context.workspaces
        self._kept = _Kept()
        self._publishing = Publishing(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises GitpromptError, which the caller turns into the error envelope."""
        if scope["method"] not in ("GET", "HEAD"):
            await self._publishing(scope, receive, send)
            return
        headers = read_headers(scope["headers"])
        principal = self._authenticate(headers)
        principal.require("read")
        limits = self._context.limiter.admit(principal)
        kept = self._kept
        if kept.generation != self._workspaces.generation:
            kept.renew(self._workspaces.generation)
        key = principal.workspace, scope["path"], scope["query_string"]
        answer = kept.answers.get(key)
        if answer is None:
            query = parse_query(scope["query_string"])
            try:
                answer = self._answer(principal, scope["path"], query)
            except GitpromptError as error:
                self._count_refusal(scope, principal.workspace, error)
                raise
            if query.params.get("stats") == "true" and scope["path"].endswith("/versions"):
                answer = await self._with_statistics(principal.workspace, answer)
            else:
                kept.keep(key, answer)
        own = [*answer.headers, (b"x-request-id", request_id(headers.request_id)), *limits]
        if answer.etag and headers.if_none_match and _matches(headers.if_none_match, answer.etag):
            self._count(scope, principal.workspace, answer.prompt, "not_modified")
            unsized = [header for header in own if header[0] != b"content-length"]
            await send_bytes(send, 304, unsized, b"")
            return
        self._count(scope, principal.workspace, answer.prompt, "ok")
        await send({"type": "http.response.start", "status": 200, "headers": own})
        body = answer.body if scope["method"] == "GET" else b""
        await send({"type": "http.response.body", "body": body})

    def _count(self, scope: Scope, workspace: str, prompt: str, result: str) -> None:
        if prompt:
            scope[ROUTE] = _ONE
            self._context.metrics.record_prompt_request(workspace, prompt, result)

    def _count_refusal(self, scope: Scope, workspace: str, error: GitpromptError) -> None:
        """A prompt that does not exist has no series of its own."""
        path = scope["path"]
        if template(path) == _ONE:
            name = path[len(PREFIX) + 1 :].rstrip("/")
            exists = is_name(name) and self._index.latest(workspace, name) is not None
            result = "not_found" if error.status == 404 else "invalid"
            self._count(scope, workspace, name if exists else OTHER, result)

    def _answer(self, principal: Principal, path: str, query: Query) -> Answer:
        rest = path[len(PREFIX) + 1 :].rstrip("/") if path != PREFIX else ""
        workspace = principal.workspace
        if not rest:
            return _plain(self._list(workspace, query))
        if rest == "count":
            return _plain({"count": self._index.count_prompts(workspace)})
        name, tail = split_path(rest)
        if tail == "versions":
            return _plain(self._versions(workspace, name, query))
        if tail == "diff":
            return _plain(self._diff(workspace, name, query))
        if tail == "labels":
            return _plain(self._labels(workspace, name, query))
        if tail.startswith("labels/"):
            return _plain(self._label(workspace, name, tail.removeprefix("labels/"), query))
        return self._get(workspace, name, query)

    # one prompt

    def _get(self, workspace: str, name: str, query: Query) -> Answer:
        params = query.params
        if "version" in params and "label" in params:
            raise BadRequest("Give either version or label, not both")
        version = self._resolve(workspace, name, params.get("version"), params.get("label"))
        found = self._stored(workspace, name, version)
        document = self._document(workspace, found)
        content = document
        rendered = params.get("render") not in ("false", "0")
        if rendered:
            content = {**document, "messages": render(document, query.variables)}
        body = encode({"content": content, "version": _head(found)})
        tag = hashlib.blake2b(digest_size=16)
        inputs = sorted(query.variables.items()) if rendered else None
        tag.update(
            encode((found.version.blob, name, version, found.version.commit, ENGINE, inputs))
        )
        return _built(body, b'"' + tag.hexdigest().encode() + b'"')._replace(prompt=name)

    def _resolve(self, workspace: str, name: str, version: str | None, label: str | None) -> str:
        """The version that a selector names. Nothing but the index is ever asked."""
        latest = self._index.latest(workspace, name) if is_name(name) else None
        if latest is None:
            raise NotFound("Prompt not found")
        if label is not None:
            wanted = self._index.labelled(workspace, name, label)
            if wanted is None:
                raise NotFound("Label not found")
            return wanted
        return latest if version is None else version

    def _stored(self, workspace: str, name: str, version: str) -> StoredVersion:
        found = self._index.version(workspace, name, version) if is_version(version) else None
        if found is None:
            raise NotFound("Version not found")
        return found

    def _document(self, workspace: str, found: StoredVersion) -> dict[str, Any]:
        key = workspace, found.version.name, found.version.version
        documents = self._kept.documents
        document = documents.get(key)
        if document is None:
            if found.document is None:
                raise NotFound(
                    "Version not found",
                    hint="Git has lost its document; restore the repository from a backup.",
                )
            value = msgspec.json.decode(found.document)
            document = served(value, name=found.version.name, version=found.version.version)
            documents[key] = document
            if len(documents) > _MAX_DOCUMENTS:
                documents.popitem(last=False)
        return document

    def _diff(self, workspace: str, name: str, query: Query) -> dict[str, Any]:
        sides = {}
        for side in ("from", "to"):
            selector = query.params.get(side)
            if not selector:
                raise BadRequest("Give both from and to: versions or labels")
            is_label = not is_version(selector)
            version = self._resolve(
                workspace, name, None if is_label else selector, selector if is_label else None
            )
            sides[side] = self._stored(workspace, name, version)
        old, new = (self._document(workspace, found) for found in sides.values())
        changes = compare(old, new)
        return {
            "name": name,
            "from": _head(sides["from"]),
            "to": _head(sides["to"]),
            "bump": deserved_bump(changes),
            **{
                area: [_change(change) for change in changes if change.area == area]
                for area in ("messages", "variables")
            },
            "settings": [_change(change) for change in changes if change.area == "settings"],
            "model_config": [
                _change(change)
                for change in changes
                if change.path.partition(".")[0] == "model_config"
            ],
        }

    # lists

    def _list(self, workspace: str, query: Query) -> dict[str, Any]:
        params = query.params
        filters = {
            "query": params.get("q", ""), "tag": params.get("tag", ""),
            "label": params.get("label", ""),
        }  # fmt: skip
        if len(filters["query"]) > 256:
            raise BadRequest("q is longer than 256 characters")
        page = parse_page(params, (str,))
        rows = self._index.prompts(
            workspace,
            limit=page.limit,
            offset=page.offset,
            after=page.cursor[0] if page.cursor else "",
            **filters,
        )
        total = self._index.count_prompts(workspace, **filters)
        return envelope(page, total, [row._asdict() for row in rows], lambda: [rows[-1].name])

    def _versions(self, workspace: str, name: str, query: Query) -> dict[str, Any]:
        if query.params.get("stats", "true") not in ("true", "false"):
            raise Invalid("stats: must be true or false")
        page = parse_page(query.params, (int, str))
        rows = self._index.versions(
            workspace, name, limit=page.limit, offset=page.offset, after=page.cursor or ()
        )
        items = [
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

        return envelope(page, self._index.count_versions(workspace, name), items, last)

    async def _with_statistics(self, workspace: str, answer: Answer) -> Answer:
        """A list of versions with how each of them did: from telemetry, so it is never kept."""
        body = msgspec.json.decode(answer.body)
        items = body.get("items", [])
        if items and "version_tag" in items[0]:
            found = await self._context.telemetry.read(
                rollups.statistics,
                workspace,
                prompt_name=items[0]["name"],
                versions=[item["version_tag"] for item in items],
            )
            by_version = {one.version_tag: one._asdict() for one in found}
            for item in items:
                item["stats"] = by_version.get(item["version_tag"])
        return _plain(body)

    def _labels(self, workspace: str, name: str, query: Query) -> dict[str, Any]:
        page = parse_page(query.params, (str,))
        rows = self._index.labels(
            workspace,
            name,
            limit=page.limit,
            offset=page.offset,
            after=page.cursor[0] if page.cursor else "",
        )
        items = [_label(name, *row) for row in rows]
        total = self._index.count_labels(workspace, name)
        return envelope(page, total, items, lambda: [rows[-1][0]])

    def _label(self, workspace: str, name: str, tail: str, query: Query) -> dict[str, Any]:
        label, _, more = tail.partition("/")
        if more == "history":
            return self._history(workspace, name, label, query)
        found = self._index.one_label(workspace, name, label) if not more else None
        if found is None:
            raise NotFound("Label not found")
        return _label(name, label, *found)

    def _history(self, workspace: str, name: str, label: str, query: Query) -> dict[str, Any]:
        page = parse_page(query.params, (int,))
        total = self._index.count_moves(workspace, name, label)
        if not total:
            raise NotFound("Label not found")
        rows = self._index.moves(
            workspace,
            name,
            label,
            limit=page.limit,
            offset=page.offset,
            before=page.cursor[0] if page.cursor else None,
        )
        items = [
            {
                "version": move.version,
                "previous": move.previous,
                "actor": move.actor,
                "reason": move.reason,
                "time": move.created_at,
                "commit": move.commit,
            }
            for _, move in rows
        ]
        return envelope(page, total, items, lambda: [rows[-1][0]])


def _head(found: StoredVersion) -> dict[str, Any]:
    version = found.version
    return {
        "name": version.name,
        "version_tag": version.version,
        "commit_sha": version.commit,
        "created_at": version.created_at,
    }


def _label(name: str, label: str, version: str, created_at: int) -> dict[str, Any]:
    return {"prompt_name": name, "name": label, "version_tag": version, "created_at": created_at}


def _change(change: Any) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = change._asdict()
    return {key: value for key, value in fields.items() if key != "area"}


def _plain(body: Mapping[str, Any]) -> Answer:
    return _built(encode(body), b"")


def _built(body: bytes, etag: bytes) -> Answer:
    headers: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if etag:
        headers.append((b"etag", etag))
        headers.append((b"cache-control", b"private, no-cache"))
    return Answer(headers, body, etag)


def _matches(header: bytes, etag: bytes) -> bool:
    candidates = (part.strip().removeprefix(b"W/") for part in header.split(b","))
    return any(candidate in (etag, b"*") for candidate in candidates)
