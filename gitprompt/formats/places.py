# SPDX-License-Identifier: Apache-2.0
"""Where a value is in its file: found by a second pass, only when there is something to say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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


def locate_all(data: bytes, spots: Sequence[tuple[Path, int | None]]) -> list[tuple[int, int]]:
    """Line and column of the value at each path, or of its nearest parent that exists. With it goes a
    number of characters into a string value, or None.

    A missing document is (0, 0). The file is parsed once more: places are only asked for when there
    is something to report.
    """
    try:
        text = decode(data)
        places = find(_PAIR.sub(r"\\u0041\\u0041", text), [path for path, _ in spots])
    except FormatError:
        return [(0, 0)] * len(spots)
    return [
        (place.line, place.column)
        if depth < len(path) or offset is None
        else _inside(text, place, offset)
        for (place, depth), (path, offset) in zip(places, spots, strict=True)
    ]


def replace_scalar(data: bytes, path: Path, value: str) -> bytes:
    """The file with the scalar at `path` written as `value`, everything else byte for byte.

    Raises FormatError if there is no such scalar.
    """
    text = data.decode("utf-8-sig")
    ((place, depth),) = find(text, [path])
    match = _SCALAR.match(text, place.at)
    if depth < len(path) or match is None:
        raise FormatError(f"there is no {'.'.join(map(str, path))} to rewrite")
    quote = place.style or ("" if not looks_numeric(value) else '"')
    changed = text[: place.at] + quote + value + quote + text[match.end() :]
    return data[: len(data) - len(text.encode())] + changed.encode()


_SCALAR = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s,}#\]]+")


class _Node:
    """A part of the paths that are looked for: what is below it, by key, and where it is."""

    __slots__ = ("below", "place")

    def __init__(self) -> None:
        self.below: dict[str | int, _Node] = {}
        self.place: Place | None = None


def find(text: str, paths: Sequence[Path]) -> list[tuple[Place, int]]:
    """For each path the place of its deepest prefix that exists, and that prefix's length, in one
    pass over the text.

    For a key of a mapping it is the place of its value, or of the key if the value is empty.
    """
    top = _Node()
    for path in paths:
        node = top
        for key in path:
            node = node.below.setdefault(key, _Node())
    _walk(text, top)
    return [_deepest(top, path) for path in paths]


def _deepest(node: _Node, path: Path) -> tuple[Place, int]:
    best, depth = node.place or Place(1, 1, 0, ""), 0
    for at, key in enumerate(path, start=1):
        node = node.below[key]
        if node.place is not None:
            best, depth = node.place, at
    return best, depth


def _walk(text: str, top: _Node) -> None:
    """Note where each node is. Of a key that is there twice the first counts."""
    stack: list[list[Any]] = []  # [is mapping, pending key or next index, node]
    for event in events(text):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            stack.pop()
            continue
        if kind not in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
            continue
        node: _Node | None = top
        if stack:
            parent = stack[-1]
            if parent[0] and parent[1] is None:
                parent[1] = getattr(event, "value", "")
                continue
            node = parent[2].below.get(parent[1]) if parent[2] is not None else None
            parent[1] = None if parent[0] else parent[1] + 1
        if node is not None and node.place is None:
            mark = event.start_mark
            style = getattr(event, "style", "") or ""
            node.place = Place(mark.line + 1, mark.column + 1, mark.index, style)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            is_mapping = kind == "MappingStartEvent"
            stack.append([is_mapping, None if is_mapping else 0, node])


_LINE_END = re.compile(r"\r\n|[\n\r]")


def _inside(text: str, place: Place, offset: int) -> tuple[int, int]:
    """Line and column of a character of a scalar; folded text is placed at its beginning."""
    if place.style == "|":
        indent: int | None = None
        rest, line = offset, 0
        for content in _lines(text, text.find("\n", place.at) + 1):
            if indent is None and content.strip():
                indent = len(content) - len(content.lstrip(" "))
            width = max(len(content) - (indent or 0), 0)
            if rest <= width:
                break
            rest -= width + 1
            line += 1
        indent = indent or 0
        return place.line + 1 + line, indent + rest + 1
    if place.style == ">":
        return place.line, place.column
    if place.style == '"':
        index = _skip_escaped(text, place.at + 1, offset)
    else:
        index = place.at + len(place.style) + offset
    return position(text[:index])


def _lines(text: str, start: int) -> Iterator[str]:
    """The lines from a place on, one by one: what is asked for is mostly among the first."""
    for match in _LINE_END.finditer(text, start):
        yield text[start : match.start()]
        start = match.end()
    yield text[start:]


def _skip_escaped(text: str, index: int, count: int) -> int:
    widths = {"x": 4, "u": 6, "U": 10}
    while count > 0 and index < len(text):
        width = widths.get(text[index + 1 : index + 2], 2) if text[index] == "\\" else 1
        if text[index : index + 4].lower() in ("\\ud8", "\\ud9", "\\uda", "\\udb"):
            width = 12
        index += width
        count -= 1
    return index
