# SPDX-License-Identifier: Apache-2.0
"""The variables of a prompt: what a caller must give, and of which type.

Values arrive as text from a query string or a command line and as JSON from a program; both are
checked against the declared type, and text is read as that type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Set
from functools import lru_cache
from typing import Any

from gitprompt.core.document import pointer
from gitprompt.core.messages import Where, filled, templates
from gitprompt.core.model import Document
from gitprompt.core.template import (
    Budget,
    TemplateError,
    compile_template,
    free_names,
    structured_names,
)
from gitprompt.errors import BadRequest, Invalid

_SCALARS = ("string", "number", "boolean")
_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}\Z")
_MAX_NAME = 128
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


@lru_cache(maxsize=4096)
def is_variable_name(name: str) -> bool:
    """Whether a variable may be called so, in a template and in `variables` alike: a letter of any
    script or an underscore, then letters, marks, digits, '_' and '-'; 128 characters at most.

    >>> [is_variable_name(name) for name in ("größe", "名前", "first-name", "1st", "a b", "")]
    [True, True, True, False, False, False]
    """
    if name.isascii():
        return _ASCII_NAME.match(name) is not None
    import unicodedata  # half a millisecond, which names in ASCII need not pay

    kinds = [unicodedata.category(char)[0] for char in name]
    return (
        len(name) <= _MAX_NAME
        and (kinds[0] == "L" or name[0] == "_")
        and all(kind in "LMN" or char in "_-" for char, kind in zip(name, kinds, strict=True))
    )


def declared(document: Document) -> Mapping[str, Mapping[str, Any]] | None:
    """The `variables` of a document, or None if the key is absent."""
    variables: Mapping[str, Mapping[str, Any]] | None = document.get("variables")
    return variables


def used(document: Document) -> Iterator[tuple[str, Where, int]]:
    """Each variable a document reads: its name, where the template is, and the offset in it."""
    names = declared(document)

    def is_scalar(name: str) -> bool:
        if names is None:
            return False
        return name in names and names[name].get("type") in _SCALARS

    for where, text in templates(document["messages"]):
        try:
            template = compile_template(text)
        except TemplateError:
            continue  # the template check reports it
        for name, offset in free_names(template, is_scalar=is_scalar):
            yield name, where, offset


def effective(document: Document) -> dict[str, Mapping[str, Any]]:
    """The declared variables, or every variable that is read as an optional string."""
    names = declared(document)
    if names is not None:
        return dict(names)
    return {name: {"type": "string"} for name, _, _ in used(document)}


def bind(document: Document, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values to render with: defaults applied, types checked, the rest of `given` ignored.

    Raises BadRequest if a required variable is missing, Invalid if a type is wrong.
    """
    names = declared(document)
    if names is None:
        return _undeclared(document, given)
    given = _joined(given, {name for name, spec in names.items() if spec["type"] == "object"})
    missing = [n for n, spec in names.items() if spec.get("required") and n not in given]
    missing = [name for name in missing if "default" not in names[name]]
    if missing:
        raise BadRequest(f"Missing required variables: {', '.join(sorted(missing))}")
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, spec in names.items():
        if name in given:
            try:
                values[name] = _typed(given[name], spec["type"])
            except ValueError as error:
                problems.append(f"variables.{name}: {error}")
        elif "default" in spec:
            values[name] = spec["default"]
    if problems:
        raise Invalid("; ".join(problems), fields=problems)
    return values


def _undeclared(document: Document, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for a document that declares none: they are text, but if a template reads a field of a
    name or makes a section of it, text that is JSON is read as such."""
    structured: set[str] = set()
    for _, text in templates(document["messages"]):
        try:
            structured |= structured_names(compile_template(text))
        except TemplateError:
            continue  # rendering it reports that
    if not structured:
        return dict(given)
    values = dict(_joined(given, structured))
    for name in structured & values.keys():
        if isinstance(values[name], str):
            try:
                values[name] = _structure(values[name])
            except ValueError:
                continue  # a section over text is a section over text
    return values


def _joined(given: Mapping[str, Any], objects: Set[str]) -> Mapping[str, Any]:
    """Values given by field (`user.name`) as the objects that they are the fields of; an object that
    is given as a whole counts more."""
    if not any("." in name for name in given):
        return given
    values = dict(given)
    for name in given:
        head, *fields = name.split(".")
        if not fields or name in objects or head not in objects or head in given:
            continue
        place = values.setdefault(head, {})
        for field in fields[:-1]:
            place = place.setdefault(field, {})
            if not isinstance(place, dict):
                break
        if isinstance(place, dict):
            place.setdefault(fields[-1], given[name])
    return values


def has_type(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a declared type."""
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _PYTHON_TYPES[kind])


_PYTHON_TYPES = {"string": str, "boolean": bool, "array": list, "object": dict}


def _typed(value: Any, kind: str) -> Any:
    if isinstance(value, str) and kind != "string":
        value = _READERS[kind](value)
    if not has_type(value, kind):
        raise ValueError(f"expected {kind}")
    return value


def _number(text: str) -> int | float:
    if not _NUMBER.match(text) or len(text) > 64:
        raise ValueError("expected number")
    number = json.loads(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("expected a finite number")
    return int(number) if isinstance(number, int) else float(number)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):  # Python writes True
        raise ValueError("expected boolean (true or false)")
    return text.lower() == "true"


def _structure(text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # halves of surrogate pairs and NaN among them
        raise ValueError("expected JSON") from None
    return value


_READERS: Mapping[str, Callable[[str], Any]] = {
    "number": _number,
    "boolean": _boolean,
    "array": _structure,
    "object": _structure,
}


def is_plain(document: Document) -> bool:
    """Whether rendering is a matter of microseconds: no template has a section."""
    try:
        return all(
            compile_template(text).flat is not None
            for _, text in templates(document["messages"])
            if "{{" in text
        )
    except TemplateError:
        return True  # rendering it says so at once


def render(
    document: Document,
    given: Mapping[str, Any],
    placeholders: Mapping[str, Any] | None = None,
    *,
    budget: Budget | None = None,
) -> list[dict[str, Any]]:
    """The messages of a document with `given` filled in; assistant and tool messages stay verbatim.
    `placeholders` has lists of messages by name. Raises BadRequest and Invalid, that also for a
    document that is over its budget."""
    values = bind(document, given)
    budget = budget or Budget()

    def fill(where: Where, text: str) -> str:
        try:
            return compile_template(text).render(values, budget=budget)
        except TemplateError as error:
            place = pointer(where[:2] if len(where) == 3 else where)
            raise Invalid(f"{place}: {error.message}", hint=error.hint) from None

    return filled(document["messages"], fill, placeholders or {})
