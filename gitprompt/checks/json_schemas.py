# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas inside a prompt, of its answer and of its tools, are valid ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import pointer
from gitprompt.core.messages import Where
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"json-schema": "error"}
NEEDS_SHAPE = True


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    for where, schema in _schemas(subject.document):
        problem = _problem(schema)
        if problem:
            yield Problem(
                "json-schema",
                f"{pointer(where)} is not a valid JSON Schema: {problem}",
                "See json-schema.org; providers refuse a request with such a schema.",
                where,
            )


def _schemas(document: Mapping[str, Any]) -> Iterator[tuple[Where, Any]]:
    answer = _inside(document, "response_format", "json_schema", "schema")
    if answer is not None:
        yield ("response_format", "json_schema", "schema"), answer
    tools = document.get("tools")
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        parameters = _inside(tool, "function", "parameters")
        if parameters is not None:
            yield ("tools", index, "function", "parameters"), parameters


def _inside(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _problem(schema: Any) -> str:
    """What is wrong with a schema; empty if nothing is. Nothing is fetched: what a stranger names as
    the schema of a schema is one of the published drafts, or refused."""
    import jsonschema_rs

    draft = schema.get("$schema", _NEWEST) if isinstance(schema, Mapping) else _NEWEST
    if not isinstance(draft, str) or draft.rstrip("#") not in _DRAFTS:
        return f"$schema is none of {', '.join(_DRAFTS)}"
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        where = pointer(error.instance_path)
        message = error.message[:200]
        if error.kind.name == "anyOf":  # it lists the alternatives by where they stand
            from gitprompt.formats.wording import short

            message = f"{short(error.instance)} is nothing that it may be"
        return f"{where}: {message}" if where else message
    return ""


_NEWEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = (
    _NEWEST,
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
)
