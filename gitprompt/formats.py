# SPDX-License-Identifier: Apache-2.0
"""Reads YAML and JSON from strangers: one dialect, bounded, with line and column.

The dialect is the YAML 1.2 core schema (`no` is a string), less what hides mistakes: duplicate
keys, several documents, implicit dates, merge keys and custom tags are refused. The event stream
of libyaml is walked here, never its composer, which recurses in C and dies of 30,000 brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000

Path = Sequence[str | int]

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


class FormatError(ValueError):
    """The bytes are not a document. Line and column count from 1; 0 where there is none."""

    def __init__(self, message: str, line: int = 0, column: int = 0, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


def read(data: bytes, path: str) -> Any:
    """The value of a document; `path` decides between JSON and YAML. Raises FormatError."""
    text = decode(data)
    if path.endswith(".json"):
        return _read_json(text)
    return _read_yaml(text)


def read_published(data: bytes) -> Any:
    """The value of a blob that has no path, as a tag may point straight at one."""
    return read(data, ".json" if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else ".yaml")


def decode(data: bytes) -> str:
    """Text of a file: UTF-8, at most 1 MiB, no NUL; a leading byte order mark is dropped."""
    if len(data) > MAX_BYTES:
        raise FormatError(
            f"the file has {len(data)} bytes; at most {MAX_BYTES} are read",
            hint="Move long material out of the prompt, into a variable.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(data[: error.start].decode("utf-8", "replace"))
        raise FormatError(
            f"byte 0x{data[error.start]:02x} is not valid UTF-8",
            line,
            column,
            hint="Save the file as UTF-8; it may be Latin-1 or UTF-16.",
        ) from None
    if "\0" in text:
        line, column = _position(text[: text.index("\0")])
        raise FormatError("the file contains a NUL character", line, column)
    return text


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


# JSON


def _read_json(text: str) -> Any:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(value)
        if text.count(",") >= MAX_NODES // 2:
            _check_size(value)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise FormatError(
            f"not JSON: {error.msg}", error.lineno, error.colno, hint=_json_hint(error)
        ) from None
    except UnicodeEncodeError:
        raise FormatError("a string contains half of a surrogate pair") from None
    except RecursionError:
        raise _too_deep() from None
    except _Duplicate as error:
        line, column = _second_key(text, str(error))
        raise FormatError(
            f"the key '{error}' stands twice", line, column, hint="Keep one."
        ) from None
    except ValueError as error:
        raise FormatError(f"not JSON: {error}") from None
    return value


class _Duplicate(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Duplicate(key)
            seen.add(key)
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _json_hint(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Extra data"):
        return "A file has exactly one document."
    if error.doc[error.pos : error.pos + 1] in ("}", "]"):
        return "A trailing comma before a closing bracket is not JSON."
    return ""


def _second_key(text: str, key: str) -> tuple[int, int]:
    found = list(re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text))
    return _position(text[: found[1].start()]) if len(found) > 1 else (0, 0)


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise _too_deep()


def _check_size(value: Any) -> None:
    todo, count = [value], 0
    while todo:
        count += 1
        todo.extend(_children(todo.pop()))
    if count > MAX_NODES:
        raise _too_large()


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _too_deep(line: int = 0, column: int = 0) -> FormatError:
    return FormatError(f"the document is nested deeper than {MAX_DEPTH}", line, column)


def _too_large(line: int = 0, column: int = 0) -> FormatError:
    return FormatError(
        f"the document has more than {MAX_NODES} values, aliases counted in full", line, column
    )


# YAML


def _read_yaml(text: str) -> Any:
    if "\t" in text and text[:1] == "\t":
        raise FormatError("a tab begins the file", 1, 1, hint="Indent with spaces.")
    builder = _Builder()
    for event in _events(text):
        builder.feed(event)
    return builder.result()


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
    lines = text.splitlines()
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
        elif kind == "MappingStartEvent":
            self._open(event, {})
        elif kind == "SequenceStartEvent":
            self._open(event, [])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close()
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                raise _at(event, "the file has a second document", "Keep one document a file.")

    def _counted(self, event: Any, size: int) -> None:
        self.count += size
        if self.count > MAX_NODES:
            raise _too_large(event.start_mark.line + 1, event.start_mark.column + 1)

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
            raise _at(event, f"the key '{key}' stands twice", "Keep one.")
        frame.key = key

    def _open(self, event: Any, value: Any) -> None:
        self._counted(event, 1)
        if event.tag is not None and not event.implicit:
            expected = "map" if isinstance(value, dict) else "seq"
            if event.tag != _STANDARD_TAG + expected:
                raise _at(event, f"the tag {event.tag!r} is not allowed", "Leave it out.")
        if len(self.frames) >= MAX_DEPTH:
            raise _too_deep(event.start_mark.line + 1, event.start_mark.column + 1)
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
            raise _too_deep(event.start_mark.line + 1, event.start_mark.column + 1)
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
        level = list({id(c): c for item in level for c in _children(item)}.values())
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
        return _finite(text)
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


# Where a value stands


class Place(NamedTuple):
    """Where a value begins. `style` is that of YAML: '|', '>', '"', "'" or '' (plain)."""

    line: int
    column: int
    index: int
    style: str


def locate(data: bytes, path: Path, *, offset: int = 0) -> tuple[int, int]:
    """Line and column of the value at `path`, or of its nearest parent that exists.

    `offset` counts characters into a string value. A missing document is (0, 0). The file is
    parsed once more: places are only asked for when there is something to report.
    """
    try:
        text = decode(data)
        place, depth = _find(text, path)
    except FormatError:
        return 0, 0
    if depth < len(path) or not offset:
        return place.line, place.column
    return _inside(text, place, offset)


def replace_scalar(data: bytes, path: Path, value: str) -> bytes:
    """The file with the scalar at `path` written as `value`, everything else byte for byte.

    Raises FormatError where there is no such scalar.
    """
    text = data.decode("utf-8-sig")
    place, depth = _find(text, path)
    found = _SCALAR.match(text, place.index)
    if depth < len(path) or found is None:
        raise FormatError(f"there is no {'.'.join(map(str, path))} to rewrite")
    quote = place.style or ("" if _FLOAT.match(value) is None else '"')
    changed = text[: place.index] + quote + value + quote + text[found.end() :]
    return data[: len(data) - len(text.encode())] + changed.encode()


_SCALAR = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s,}#\]]+")


def _find(text: str, path: Path) -> tuple[Place, int]:
    """The place of the deepest prefix of `path` that exists, and that prefix's length.

    For a key of a mapping it is the place of its value, or of the key where the value is empty.
    """
    best, best_depth = Place(1, 1, 0, ""), 0
    stack: list[list[Any]] = []  # [is mapping, pending key or next index, depth that matches]
    for event in _events(text):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            stack.pop()
            continue
        if kind not in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
            continue
        matched = 0
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


def _inside(text: str, place: Place, offset: int) -> tuple[int, int]:
    """Line and column of a character of a scalar; folded text is placed at its beginning."""
    if place.style == "|":
        body = text[text.find("\n", place.index) + 1 :].splitlines() or [""]
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
        index = _skip_escaped(text, place.index + 1, offset)
    else:
        index = place.index + len(place.style) + offset
    return _position(text[:index])


def _skip_escaped(text: str, index: int, count: int) -> int:
    widths = {"x": 4, "u": 6, "U": 10}
    while count > 0 and index < len(text):
        width = widths.get(text[index + 1 : index + 2], 2) if text[index] == "\\" else 1
        if text[index : index + 3].lower() in ("\\ud8", "\\ud9", "\\uda", "\\udb"):
            width = 12
        index += width
        count -= 1
    return index
