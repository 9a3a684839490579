# SPDX-License-Identifier: Apache-2.0
"""Reads YAML from the event stream of libyaml, counting depth and nodes as they come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gitprompt.formats.text import (
    MAX_DEPTH,
    MAX_NODES,
    FormatError,
    children,
    finite,
    too_deep,
    too_large,
)

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:\Z|[Tt \t])")
_CORE: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMERIC_START = frozenset("+-.0123456789")
_STANDARD_TAG = "tag:yaml.org,2002:"


def read_yaml(text: str) -> Any:
    if "\t" in text and text[:1] == "\t":
        raise FormatError("a tab begins the file", 1, 1, hint="Indent with spaces.")
    builder = _Builder()
    for event in events(text):
        builder.feed(event)
    return builder.result()


# Content in YAML 1.2, and line ends in 1.1, which libyaml reads: NEL and Unicode's separators.
_OLD_LINE_ENDS = "\x85\u2028\u2029"


def events(text: str) -> Iterator[Any]:
    """The events of libyaml, whose marks count characters of `text`. Raises FormatError."""
    if any(char in text for char in _OLD_LINE_ENDS):
        return _events_with_separators(text)
    return _events(text)


def _events_with_separators(text: str) -> Iterator[Any]:
    """Each separator is another character while libyaml reads: one for private use, of which the
    text has none."""
    present = set(text)
    free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in present)
    stand_ins = dict(zip(_OLD_LINE_ENDS, free, strict=False))
    if len(stand_ins) < len(_OLD_LINE_ENDS):
        raise FormatError("the file uses every character that is for private use")
    back = str.maketrans("".join(stand_ins.values()), "".join(stand_ins))
    for event in _events(
        text.translate(str.maketrans("".join(stand_ins), "".join(stand_ins.values())))
    ):
        if type(event).__name__ == "ScalarEvent":
            event.value = event.value.translate(back)
        yield event


def _events(text: str) -> Iterator[Any]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parser = None
    try:
        parser = loader(text)
        while True:
            event = parser.get_event()
            if event is None:
                return
            yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise FormatError(
            f"not YAML: {error.problem or error.context}",
            line,
            column,
            hint=_yaml_hint(text, line, str(error.problem)),
        ) from None
    except yaml.YAMLError as error:
        raise FormatError(f"not YAML: {str(error).splitlines()[0]}") from None
    finally:
        if parser is not None:
            parser.dispose()


def _yaml_hint(text: str, line: int, problem: str) -> str:
    lines = text.split("\n")
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip()) + 1] or "'\\t'" in problem:
        return "Indent with spaces; YAML does not allow tabs."
    if "mapping values are not allowed" in problem:
        return "Quote a value that contains ': '."
    if "{{" in here or (lines and here.lstrip().startswith(("content: {", "- {"))):
        return "Quote a value that begins with '{', or write it as a block: content: |"
    return ""


class _Frame:
    """A mapping or sequence that is being built. `key` is the pending key of a mapping."""

    __slots__ = ("anchor", "key", "start", "value")

    def __init__(self, value: Any, anchor: str | None, start: int) -> None:
        self.value = value
        self.anchor = anchor
        self.start = start
        self.key: str | None = None


class _Builder:
    """Builds a value from parser events, counting depth and nodes as they come."""

    def __init__(self) -> None:
        self.frames: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        self.count = 0
        self.documents = 0
        self.root: Any = None

    def result(self) -> Any:
        return self.root

    def feed(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._scalar(event)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close()
        elif kind == "MappingStartEvent":
            self._open(event, {})
        elif kind == "SequenceStartEvent":
            self._open(event, [])
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                raise _at(event, "the file has a second document", "Keep one document a file.")

    def _counted(self, event: Any, size: int) -> None:
        self.count += size
        if self.count > MAX_NODES:
            raise too_large(event.start_mark.line + 1, event.start_mark.column + 1)

    def _scalar(self, event: Any) -> None:
        self._counted(event, 1)
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.key is None and type(frame.value) is dict:
            self._key(frame, event)
            return
        value = event.value
        if event.implicit[0]:
            if value in _CORE or value[0] in _NUMERIC_START:
                value = _plain(value, event)
        elif event.tag is not None:
            value = _tagged(value, event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1, 0)
        self._add(value)

    def _key(self, frame: _Frame, event: Any) -> None:
        key = event.value
        if event.implicit[0]:
            if key == "<<":
                raise _at(event, "merge keys (<<) are not part of YAML 1.2", "Write the keys out.")
            if (key in _CORE or key[0] in _NUMERIC_START) and type(_plain(key, event)) is not str:
                raise _at(event, f"the key {key!r} is not text", f"Quote it: '{key}'.")
        if key in frame.value:
            raise _at(event, f"the key '{key}' appears twice", "Keep one.")
        frame.key = key

    def _open(self, event: Any, value: Any) -> None:
        self._counted(event, 1)
        if event.tag is not None and not event.implicit:
            expected = "map" if isinstance(value, dict) else "seq"
            if event.tag != _STANDARD_TAG + expected:
                raise _at(event, f"the tag {event.tag!r} is not allowed", "Leave it out.")
        if len(self.frames) >= MAX_DEPTH:
            raise too_deep(event.start_mark.line + 1, event.start_mark.column + 1)
        self._refuse_as_key(event)
        self.frames.append(_Frame(value, event.anchor, self.count))

    def _close(self) -> None:
        frame = self.frames.pop()
        if frame.anchor:
            size = self.count - frame.start + 1
            self.anchors[frame.anchor] = (frame.value, size, _height(frame.value))
        self._add(frame.value)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _at(event, f"the alias *{event.anchor} has no anchor before it")
        self._refuse_as_key(event)
        value, size, height = self.anchors[event.anchor]
        self._counted(event, size)
        if len(self.frames) + height > MAX_DEPTH:
            raise too_deep(event.start_mark.line + 1, event.start_mark.column + 1)
        self._add(value)

    def _refuse_as_key(self, event: Any) -> None:
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.key is None and type(frame.value) is dict:
            raise _at(
                event,
                "a key must be text, and this is a structure",
                "Quote a value that begins with '{' or '[', or write it as a block: content: |",
            )

    def _add(self, value: Any) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        if frame.key is None:
            frame.value.append(value)
        else:
            frame.value[frame.key] = value
            frame.key = None


def _height(value: Any) -> int:
    level, height = [value], 0
    while any(isinstance(item, dict | list) for item in level):
        height += 1
        level = list({id(c): c for item in level for c in children(item)}.values())
    return height


def _at(event: Any, message: str, hint: str = "") -> FormatError:
    mark = event.start_mark
    return FormatError(message, mark.line + 1, mark.column + 1, hint=hint)


def _plain(text: str, event: Any) -> Any:
    """The value of a plain scalar under the core schema."""
    if text in _CORE:
        return _CORE[text]
    if _INT.match(text):
        return _bounded_int(text, 10, event)
    if _FLOAT.match(text):
        return _bounded_float(text, event)
    if _OTHER_INT.match(text):
        return _bounded_int(text[2:], 8 if text[1] == "o" else 16, event)
    if _NOT_FINITE.match(text):
        raise _at(event, f"{text} is not a finite number", "Quote it if it is text.")
    if _DATE.match(text):
        raise _at(event, f"{text} reads as a date", f'Quote it: "{text}".')
    return text


def _bounded_int(text: str, base: int, event: Any) -> int:
    if len(text) > 300:
        raise _at(event, "the number is too long", "Quote it if it is text.")
    return int(text, base)


def _bounded_float(text: str, event: Any) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise _at(event, str(error)) from None


def _tagged(text: str, event: Any) -> Any:
    """An explicitly tagged or quoted scalar: only the tags of the core schema."""
    tag = event.tag
    if tag in ("!", _STANDARD_TAG + "str") or (event.implicit[1] and tag is None):
        return text
    readers: dict[str, Callable[[Any], bool]] = {
        "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
        "float": lambda v: isinstance(v, float),
        "bool": lambda v: isinstance(v, bool),
        "null": lambda v: v is None,
    }
    fits = readers.get(tag.removeprefix(_STANDARD_TAG))
    if fits is not None:
        value = _plain(text, event)
        if fits(value):
            return value
    raise _at(event, f"the tag {tag!r} is not allowed here", "Leave it out.")


def looks_numeric(text: str) -> bool:
    """Whether a plain scalar of this text would be read as a number."""
    return bool(_FLOAT.match(text) or _INT.match(text))
