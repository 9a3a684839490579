# SPDX-License-Identifier: Apache-2.0
"""Where a value is in its file: found by a second pass, only when there is something to say."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gitprompt.formats.text import FormatError, Path, decode, position
from gitprompt.formats.yaml_text import events, looks_numeric


class Place(NamedTuple):
    """Where a value begins; `at` is in characters. `style` is that of YAML: '|', '>', '"', "'" or '' (plain)."""

    line: int
    column: int
    at: int
    style: str


# JSON spells a character beyond the BMP as two escapes, which libyaml takes for an error.
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def locate(data: bytes, path: Path, *, offset: int | None = None) -> tuple[int, int]:
    """Line and column of the value at `path`, or of its nearest parent that exists.

    `offset` counts characters into a string value. A missing document is (0, 0). The file is
    parsed once more: places are only asked for when there is something to report.
    """
    try:
        text = decode(data)
        place, depth = find(_PAIR.sub(r"\\u0041\\u0041", text), path)
    except FormatError:
        return 0, 0
    if depth < len(path) or offset is None:
        return place.line, place.column
    return _inside(text, place, offset)


def replace_scalar(data: bytes, path: Path, value: str) -> bytes:
    """The file with the scalar at `path` written as `value`, everything else byte for byte.

    Raises FormatError if there is no such scalar.
    """
    text = data.decode("utf-8-sig")
    place, depth = find(text, path)
    match = _SCALAR.match(text, place.at)
    if depth < len(path) or match is None:
        raise FormatError(f"there is no {'.'.join(map(str, path))} to rewrite")
    quote = place.style or ("" if not looks_numeric(value) else '"')
    changed = text[: place.at] + quote + value + quote + text[match.end() :]
    return data[: len(data) - len(text.encode())] + changed.encode()


_SCALAR = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s,}#\]]+")


def find(text: str, path: Path) -> tuple[Place, int]:
    """The place of the deepest prefix of `path` that exists, and that prefix's length.

    For a key of a mapping it is the place of its value, or of the key if the value is empty.
    """
    best, best_depth = Place(1, 1, 0, ""), 0
    stack: list[list[Any]] = []  # [is mapping, pending key or next index, depth that matches]
    for event in events(text):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            stack.pop()
            continue
        if kind not in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
            continue
        matched: int | None = 0
        if stack:
            top = stack[-1]
            if top[0] and top[1] is None:
                top[1] = getattr(event, "value", "")
                continue
            matches = top[2] is not None and top[2] < len(path) and path[top[2]] == top[1]
            matched = top[2] + 1 if matches else None
            top[1] = None if top[0] else top[1] + 1
        if matched is not None and matched >= best_depth:
            mark = event.start_mark
            style = getattr(event, "style", "") or ""
            best = Place(mark.line + 1, mark.column + 1, mark.index, style)
            best_depth = matched
            if matched == len(path):
                return best, best_depth
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            is_mapping = kind == "MappingStartEvent"
            stack.append([is_mapping, None if is_mapping else 0, matched])
    return best, best_depth


_LINE_END = re.compile(r"\r\n|[\n\r]")


def _inside(text: str, place: Place, offset: int) -> tuple[int, int]:
    """Line and column of a character of a scalar; folded text is placed at its beginning."""
    if place.style == "|":
        body = _LINE_END.split(text[text.find("\n", place.at) + 1 :])
        first = next((line for line in body if line.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        rest, line = offset, 0
        while line < len(body) and rest > max(len(body[line]) - indent, 0):
            rest -= max(len(body[line]) - indent, 0) + 1
            line += 1
        return place.line + 1 + line, indent + rest + 1
    if place.style == ">":
        return place.line, place.column
    if place.style == '"':
        index = _skip_escaped(text, place.at + 1, offset)
    else:
        index = place.at + len(place.style) + offset
    return position(text[:index])


def _skip_escaped(text: str, index: int, count: int) -> int:
    widths = {"x": 4, "u": 6, "U": 10}
    while count > 0 and index < len(text):
        width = widths.get(text[index + 1 : index + 2], 2) if text[index] == "\\" else 1
        if text[index : index + 4].lower() in ("\\ud8", "\\ud9", "\\uda", "\\udb"):
            width = 12
        index += width
        count -= 1
    return index
