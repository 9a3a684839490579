# SPDX-License-Identifier: Apache-2.0
"""The document has the shape of its schema.

jsonschema-rs gives the verdict in a microsecond, once it is imported; for a few plain files `shape`
does without. `wording` says why not. All three are held against each other in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from gitprompt import resources
from gitprompt.checks.shape import is_surely_shaped
from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Kind, Severity

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
    from gitprompt.formats import wording

    if subject.document is None:
        yield Problem("schema", "the file is empty", "It is a mapping of keys.")
        return
    for fault in wording.faults(load(subject.kind), subject.document, limit=_MAX_PROBLEMS):
        yield Problem("schema", fault.message, fault.hint, where=fault.where)
