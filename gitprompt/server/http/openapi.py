# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document, made of the endpoints' own rows and of the shapes that validate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gitprompt import __version__
from gitprompt.server.http import shapes
from gitprompt.server.http.endpoints import Endpoint, Parameter

_REF = "#/components/schemas/{name}"
_ERRORS = {
    400: "Malformed, or an invalid selector or id",
    401: "No key, or one that is not valid here",
    403: "The key lacks a scope, or a policy says no",
    404: "Not found",
    405: "Method not allowed",
    409: "It exists, or somebody was faster",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "One or more fields break a rule",
    429: "Too many requests of this key",
    503: "Busy or not configured: try again later",
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    types = [shapes.Error]
    for endpoint in endpoints:
        for shape in (endpoint.body, endpoint.answer):
            if shape is not None and not isinstance(shape, dict):
                types.append(shape)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {repr(shape): schema for shape, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(_plain(endpoint.path), {})[endpoint.method.lower()] = _operation(
            endpoint, by_type
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gitprompt",
            "version": __version__,
            "description": "A Git repository is the registry of record for prompts.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {
            "schemas": _opened(components),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "Key as password."},
            },
        },
    }


def _operation(endpoint: Endpoint, by_type: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(
            r"\W+", "_", f"{endpoint.method.lower()}{_plain(endpoint.path)}"
        ).strip("_"),
        "tags": [_tag(endpoint.path)],
        "parameters": list(_parameters(endpoint)),
        "responses": _responses(endpoint, by_type),
        "security": [],
    }
    if endpoint.scope is not None:
        operation["security"] = [{"key": []}, {"bearer": []}, {"basic": []}]
        operation["description"] = f"Needs the scope `{endpoint.scope}`."
    if endpoint.body is not None:
        schema = endpoint.body if isinstance(endpoint.body, dict) else by_type[repr(endpoint.body)]
        media: dict[str, Any] = {"schema": _opened(schema)}
        if endpoint.example is not None:
            media["example"] = endpoint.example
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    return operation


def _opened(schema: Any) -> Any:
    """The same, with objects of any keys saying so: what generates clients reads a bare `object` as
    one without keys."""
    if isinstance(schema, list):
        return [_opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    opened = {key: _opened(value) for key, value in schema.items()}
    if opened.get("type") == "object" and opened.keys().isdisjoint(_CLOSING):
        opened["additionalProperties"] = True
    return opened


_CLOSING = frozenset({"properties", "additionalProperties", "if", "allOf"})


def _plain(path: str) -> str:
    """A path without the kinds of its parts."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[0] != "v1":
        return parts[0].removesuffix(".json")
    return "labels" if "labels" in parts else parts[1]


def _parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)(?::\w+)?\}", endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for parameter in endpoint.query:
        yield _query(parameter)
    if endpoint.scope is not None:
        yield {
            "name": "X-Workspace-Id",
            "in": "header",
            "required": False,
            "description": "The workspace; `default` if absent.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{0,128}$(?!\n)"},
        }


def _query(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.about,
        "schema": dict(parameter.schema),
    }
    if parameter.schema.get("type") == "object":
        described.update({"style": "deepObject", "explode": True})
    return described


def _responses(endpoint: Endpoint, by_type: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    good: dict[str, Any] = {"description": "Done"}
    if endpoint.answer is not None:
        shape = endpoint.answer
        schema = shape if isinstance(shape, dict) else by_type[repr(shape)]
        if endpoint.is_page:
            schema = _page(schema)
        good["content"] = {endpoint.media_type: {"schema": schema}}
    responses[str(endpoint.status)] = good
    if endpoint.together is not None:
        responses["207"] = {
            "description": "What became of each item of the array",
            "content": {endpoint.media_type: {"schema": endpoint.together}},
        }
    statuses = {*endpoint.errors}
    if endpoint.scope is not None:
        statuses |= {400, 401, 403, 429, 503}
    if endpoint.body is not None:
        statuses |= {400, 413, 415, 422}
    if endpoint.query:
        statuses |= {400, 422}
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
        }
    return responses


def _page(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["items", "total", "page", "limit", "totalPages"],
        "properties": {
            "items": {"type": "array", "items": item},
            "total": {"type": "integer"},
            "page": {"type": "integer"},
            "limit": {"type": "integer"},
            "totalPages": {"type": "integer"},
            "totalIsExact": {
                "type": "boolean",
                "description": "false: there are more, which were not counted. Absent: there are not.",
            },
            "nextCursor": {"type": ["string", "null"]},
        },
    }
