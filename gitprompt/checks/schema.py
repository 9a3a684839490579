# SPDX-License-Identifier: Apache-2.0
"""The document has the shape of its schema.

jsonschema-rs gives the verdict in a microsecond, once it is imported; for a few plain files `shape`
does without. jsonschema, which takes 60 ms to import, words a failure. All three are held against
each other in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from gitprompt import resources
from gitprompt.checks.shape import is_surely_shaped
from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.document import pointer
from gitprompt.core.model import Kind, Severity

if TYPE_CHECKING:
    from jsonschema import ValidationError

CODES: dict[str, Severity] = {"schema": "error"}
NEEDS_SHAPE = False

_FILES: dict[Kind, str] = {
    "prompt": "prompt.schema.json",
    "suite": "eval-suite.schema.json",
    "settings": "config.schema.json",
    "prices": "prices.schema.json",
}
_MAX_PROBLEMS = 50


@cache
def verdict(kind: Kind) -> Any:
    """The predicate over values: 13 ms to import and 4 to compile, then a microsecond a document."""
    return predicate(load(kind))


@cache
def _earlier() -> Any:
    return predicate(json.loads(resources.read("schemas", "prompt-1.schema.json")))


def predicate(schema: dict[str, Any]) -> Any:
    """Whether a value is valid under a JSON Schema: a callable."""
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema).is_valid


def was_valid(document: Any) -> bool:
    """Whether a prompt could be published before messages had parts and tool calls: fields that mean
    something now could hold anything then."""
    return bool(_earlier()(document))


@cache
def load(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind of document."""
    schema: dict[str, Any] = json.loads(resources.read("schemas", _FILES[kind]))
    return schema


def find(subject: Subject) -> Iterable[Problem]:
    if subject.kind == "fragment":
        return ()  # a fragment is any text
    unloaded = subject.kind == "prompt" and not verdict.cache_info().currsize
    if unloaded and is_surely_shaped(subject.document):
        return ()
    if verdict(subject.kind)(subject.document):
        return ()
    return _worded(subject)


def _worded(subject: Subject) -> Iterator[Problem]:
    from jsonschema import Draft7Validator

    if subject.document is None:
        yield Problem("schema", "the file is empty", "It is a mapping of keys.")
        return
    failures = Draft7Validator(load(subject.kind)).iter_errors(subject.document)
    for _, failure in zip(range(_MAX_PROBLEMS), failures, strict=False):
        where = tuple(failure.absolute_path)
        if failure.validator in ("additionalProperties", "propertyNames"):
            where = (*where, *_first_unknown(failure))
        yield Problem("schema", *_sentence(failure, where), where=where)


def _first_unknown(failure: ValidationError) -> tuple[str, ...]:
    if failure.validator == "propertyNames":
        return (str(failure.instance),) if isinstance(failure.instance, str) else ()
    properties = _properties(failure)
    value: Any = failure.instance
    return tuple(key for key in value if key not in properties)[:1]


def _sentence(failure: ValidationError, where: tuple[str | int, ...]) -> tuple[str, str]:
    """Message and hint for a person; `at` is the place as they would write it."""
    at = pointer(where) or "the document"
    value: Any = failure.instance
    rule: Any = failure.validator_value
    match failure.validator:
        case "required":
            missing = next(key for key in rule if failure.message.startswith(repr(key)))
            return f"{at}: '{missing}' is required", _description(failure, missing)
        case "type":
            hint = ""
            if where[-1:] == ("version",) and isinstance(value, int | float):
                hint = 'Quote it: version: "1.10". Unquoted, YAML reads 1.10 as the number 1.1.'
            elif rule == "string" and isinstance(value, int | float | bool):
                hint = "Quote it."
            return f"{at}: expected {rule}, found {_type_name(value)}", hint
        case "enum":
            return f"{at}: {_short(value)} is not one of {', '.join(map(str, rule))}", ""
        case "additionalProperties":
            allowed = ", ".join(_properties(failure))
            return f"{at}: unknown key", f"Known keys: {allowed}."
        case "pattern" if where[-1:] == ("version",):
            hint = (
                "Use MAJOR.MINOR.PATCH or a pre-release such as 2.0.0-rc.1, without build metadata."
            )
            return f"{at}: {_short(value)} is not a semantic version", hint
        case "pattern":
            return f"{at}: {_short(value)} is not of the form {rule}", ""
        case "minLength" | "minItems":
            return f"{at} is empty", ""
        case "maxLength" | "maxItems":
            return f"{at} has {len(value)} entries or characters; at most {rule} are allowed", ""
    return f"{at}: {_short(failure.message)}", ""


def _properties(failure: ValidationError) -> dict[str, Any]:
    schema: Any = failure.schema
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _description(failure: ValidationError, key: str) -> str:
    return str(_properties(failure).get(key, {}).get("description", ""))


def _type_name(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
