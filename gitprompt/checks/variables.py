# SPDX-License-Identifier: Apache-2.0
"""What a template uses is declared, and what is declared is used and has a fitting default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.messages import Where, is_placeholder, templates
from gitprompt.core.model import Severity
from gitprompt.core.names import nearest
from gitprompt.core.template import TemplateError, compile_template, mentioned
from gitprompt.core.variables import declared, has_type, is_variable_name, used

CODES: dict[str, Severity] = {
    "variable-name": "error",
    "undeclared-variable": "error",
    "unused-variable": "warning",
    "variable-default": "error",
}
NEEDS_SHAPE = True
_HINTS = 5  # names for which a similar one is looked for


def find(subject: Subject) -> Iterator[Problem]:
    if subject.kind != "prompt":
        return
    names = declared(subject.document)
    used_names: set[str] = set()
    resembling = 0
    for name, where, offset in used(subject.document):
        if not is_variable_name(name):
            yield _misnamed(name, where, offset)
        if names is not None and name not in names and name not in used_names:
            resembling += 1
            meant = _resembling(name, names) if resembling <= _HINTS else ""
            yield Problem(
                "undeclared-variable",
                f"'{name}' is used but not declared in 'variables'",
                f"Declare it: variables: {{{name}: {{type: string}}}}{meant}.",
                where,
                offset,
            )
        used_names.add(name)
    for index, message in enumerate(subject.document["messages"]):
        if is_placeholder(message) and not is_variable_name(message["name"]):
            yield _misnamed(message["name"], ("messages", index, "name"))
    if names is not None:
        yield from _declarations(subject, names, used_names)


def _misnamed(name: str, where: Where, offset: int | None = None) -> Problem:
    return Problem(
        "variable-name",
        f"'{name}' cannot be the name of a variable",
        "Begin with a letter or '_'; then letters, digits, '_' and '-'.",
        where,
        offset,
    )


def _declarations(
    subject: Subject, names: Mapping[str, Mapping[str, Any]], used_names: set[str]
) -> Iterator[Problem]:
    unused = names.keys() - used_names
    for name in unused - _in_items(subject) if unused else ():
        yield Problem(
            "unused-variable",
            f"'{name}' is declared, but no message uses it",
            "Remove it, or use it in a system or user message.",
            ("variables", name),
        )
    for name, spec in names.items():
        if not is_variable_name(name):  # which a pattern in the schema cannot say exactly
            yield _misnamed(name, ("variables", name))
        if "default" in spec and not has_type(spec["default"], spec["type"]):
            yield Problem(
                "variable-default",
                f"the default of '{name}' is not of type {spec['type']}",
                where=("variables", name, "default"),
            )


def _in_items(subject: Subject) -> set[str]:
    """Names inside sections over lists: they may be fields of an item or variables."""
    names: set[str] = set()
    for _, content in templates(subject.document["messages"]):
        try:
            names |= mentioned(compile_template(content))
        except TemplateError:
            continue
    return names


def _resembling(name: str, names: Mapping[str, Any]) -> str:
    close = nearest(name, names)
    return f", or did you mean '{close}'?" if close else ""
