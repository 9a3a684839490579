# SPDX-License-Identifier: Apache-2.0
"""A file of prompts of another tool: what is read of it, what is told of it, and what such files share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import yaml

from gitprompt import formats
from gitprompt.core.template import TemplateError, compile_template
from gitprompt.transfer.foreign import jinja
from gitprompt.transfer.foreign.jinja import Uses
from gitprompt.transfer.foreign.records import is_deep
from gitprompt.transfer.foreign.texts import literal


class Note(NamedTuple):
    """What of a file is not as it was. `is_lost`: its meaning is another one now; else it is only said."""

    path: str
    line: int
    message: str
    is_lost: bool = True


class Notes:
    """Of one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: list[Note] = []

    def lost(self, line: int, message: str) -> None:
        self.notes.append(Note(self.path, line, message))

    def told(self, line: int, message: str) -> None:
        self.notes.append(Note(self.path, line, message, is_lost=False))


class PromptFile(NamedTuple):
    """What a file has: documents and suites, by the names that it gives them; "" where its path does."""

    prompts: list[tuple[str, dict[str, Any]]]
    suites: Sequence[tuple[str, dict[str, Any]]] = ()


class NotSuch(ValueError):
    """A file that should be of a format, and is not; the message says why."""


class FileFormat(Protocol):
    """One way to keep prompts in files."""

    name: str

    def is_one(self, path: str, text: str) -> bool:
        """Whether a file is of this format, by its ending and shape."""

    def read(self, path: str, text: str, notes: Notes) -> PromptFile:
        """Raises NotSuch."""


_DATE = re.compile(
    r"^(\s*[\w-]+:[ \t]+)(\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?)(?=[ \t]*\r?$)", re.M
)
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?:(.*?)\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def front_matter(text: str) -> tuple[dict[str, Any], str, int] | None:
    """The settings at the head of a text between lines of three dashes, the rest, and the line at which that begins.
    None if there is none; raises NotSuch for settings that are no YAML."""
    match = _FRONT.match(text)
    if match is None:
        return None
    return mapping_of(match[1] or ""), text[match.end() :], text.count("\n", 0, match.end()) + 1


def mapping_of(text: str) -> dict[str, Any]:
    """Settings in YAML, which are a mapping or nothing. Raises NotSuch."""
    try:
        text = _DATE.sub(r'\1"\2"', text)
        found = formats.read(text.encode(), ".yaml") if text.strip() else {}
    except formats.FormatError as error:
        raise NotSuch(f"its settings are no YAML: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise NotSuch("its settings are no mapping")
    return found


def mapping_in(value: Any) -> dict[str, Any]:
    """A mapping, whatever a stranger has written where one should be."""
    return dict(value) if isinstance(value, dict) else {}


def json_of(text: str) -> Any:
    """The JSON that a text is; None if it is none."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # also half a character
        return None
    return None if is_deep(value) else value


_MARKER = re.compile(
    r"^[ \t]*#?[ \t]*(system|developer|user|assistant)[ \t]*(\[[^\]\n]*\])?[ \t]*:[ \t]*",
    re.I | re.M,
)


def by_roles(body: str, line: int, *, alone: bool) -> list[tuple[str, str, int]]:
    """Role, text and first line of each message of a body in which `role:` begins one; what comes before the first is
    the system's. `alone`: only a marker that stands alone on its line is one."""
    found = [
        match
        for match in _MARKER.finditer(body)
        if not alone or body[match.end() : match.end() + 1] in ("\n", "\r", "")
    ]
    messages = []
    before = body[: found[0].start()] if found else body
    if before.strip():
        messages.append(("system" if found else "user", *stripped(before, line)))
    for match, after in zip(found, [*found[1:], None], strict=False):
        text = body[match.end() : after.start() if after else len(body)]
        first = line + body.count("\n", 0, match.end())
        messages.append((match[1].lower(), *stripped(text, first)))
    return messages


def stripped(text: str, line: int) -> tuple[str, int]:
    """A text without the empty lines around it, and the line at which it then begins."""
    inner = text.lstrip("\r\n")
    return inner.rstrip("\r\n"), line + text.count("\n", 0, len(text) - len(inner))


def as_said(text: str, line: int, notes: Notes) -> str:
    """What the assistant says in an example: no template here."""
    if "{{" in text or "{%" in text:
        notes.lost(
            line,
            "a variable in a message of the assistant, which is no template here: it stays as it is written",
        )
    return text


def from_jinja(text: str, line: int, notes: Notes, uses: Uses) -> str:
    """A text of Jinja that begins on this line of its file, in Mustache."""
    before = set(uses.conditions)
    written = jinja.to_mustache(text, lambda at, why: notes.lost(line + at - 1, why), uses)
    tell_conditions(uses, before, line, notes)
    return written


def tell_conditions(uses: Uses, before: set[str], line: int, notes: Notes) -> None:
    """What a condition must not be, where the file does not say what it is."""
    for name in sorted(uses.conditions - before - set(uses.types)):
        notes.told(
            line,
            f"{name} is a condition: give it no list or object, which a section of Mustache goes into",
        )


def in_mustache(text: str, line: int, notes: Notes) -> str:
    """A text of which nobody says what it is: Mustache, if it is; else text."""
    try:
        for partial in compile_template(text).partials:
            notes.told(
                line,
                f"it includes the fragment {partial.key}, which must be at prompts/_fragments/{partial.key}.md",
            )
    except TemplateError as error:
        notes.lost(
            line + text.count("\n", 0, error.offset), f"no Mustache ({error.message}): kept as text"
        )
        return literal(text)
    return text


_TYPES = {"string": "string", "str": "string", "number": "number", "integer": "number", "int": "number", "float": "number",
          "boolean": "boolean", "bool": "boolean", "array": "array", "list": "array", "object": "object", "dict": "object",
          "any": "string"}  # fmt: skip


def variables_of(declared: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Our variables: of each name its type, whether it must be given, its default and what it is."""
    variables: dict[str, Any] = {}
    for name, said in declared.items():
        facts = said if isinstance(said, Mapping) else {"type": said}
        one: dict[str, Any] = {}
        kind = facts.get("type")
        if isinstance(kind, str) and kind.lower() in _TYPES:
            one["type"] = _TYPES[kind.lower()]
        for key in ("description", "default"):
            if facts.get(key) is not None:
                one[key] = facts[key]
        if "default" in one:
            one.setdefault("type", _type_of(one["default"]))
        elif facts.get("required") is True:
            one["required"] = True
        variables[str(name)] = one
    for name, value in values.items():
        one = variables.setdefault(name, {})
        one.setdefault("type", _type_of(value))
        one.setdefault("default", value)
        one.pop("required", None)
    return {name: one or {"type": "string"} for name, one in variables.items()}


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "string"


class PromptDumper(yaml.SafeDumper):
    """Texts of several lines are blocks."""


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


PromptDumper.add_representer(str, _text)


def in_yaml(document: Mapping[str, Any]) -> str:
    """A document for people: texts of several lines as blocks, keys in our order."""

    ordered = {key: document[key] for key in _ORDER if key in document}
    ordered |= {key: value for key, value in document.items() if key not in ordered}
    written: str = yaml.dump(
        ordered, Dumper=PromptDumper, sort_keys=False, allow_unicode=True, width=100
    )
    try:
        is_same = formats.read(written.encode(), ".yaml") == dict(document)
    except formats.FormatError:
        is_same = False
    return written if is_same else json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


_ORDER = (
    "description",
    "type",
    "messages",
    "variables",
    "model_config",
    "tools",
    "tool_choice",
    "response_format",
    "tags",
    "metadata",
)
