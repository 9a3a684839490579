# SPDX-License-Identifier: Apache-2.0
"""Reads YAML and JSON from strangers: one dialect, bounded, with line and column.

The dialect is the YAML 1.2 core schema (`no` is a string), less what hides mistakes: duplicate
keys, several documents, implicit dates, merge keys and custom tags are refused. The event stream
of libyaml is walked here, never its composer, which recurses in C and dies of 30,000 brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitprompt.formats.json_text import compact, may_repeat_a_key, read_json
from gitprompt.formats.text import (
    MAX_BYTES,
    MAX_DEPTH,
    FormatError,
    Path,
    decode,
    position,
    read_file,
    refuse_conflict_markers,
)
from gitprompt.formats.yaml_text import read_yaml

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "FormatError",
    "as_json",
    "compact",
    "decode",
    "is_json",
    "locate",
    "may_repeat_a_key",
    "position",
    "read",
    "read_file",
    "refuse_conflict_markers",
    "replace_scalar",
]


def read(data: bytes, path: str) -> Any:
    """The value of a document; `path` decides between JSON and YAML. Raises FormatError."""
    text = decode(data)
    try:
        return read_json(text) if path.endswith(".json") else read_yaml(text)
    except FormatError:
        refuse_conflict_markers(text)
        raise


def as_json(data: bytes, path: str, value: Any) -> bytes:
    """A document in JSON: as it was published if it is JSON, otherwise written from its value."""
    return data.removeprefix(b"\xef\xbb\xbf") if path.endswith(".json") else compact(value)


def is_json(data: bytes) -> bool:
    """Whether a blob without a path, as a tag may point straight at one, is JSON."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def locate(data: bytes, path: Path, *, offset: int | None = None) -> tuple[int, int]:
    return locate_all(data, [(path, offset)])[0]


def locate_all(data: bytes, spots: Sequence[tuple[Path, int | None]]) -> list[tuple[int, int]]:
    """Line and column of values and of characters in them; see `places`, imported when needed."""
    from gitprompt.formats import places

    return places.locate_all(data, spots)


def replace_scalar(data: bytes, path: Path, value: str) -> bytes:
    """The file with one scalar rewritten; see `places.replace_scalar`."""
    from gitprompt.formats import places

    return places.replace_scalar(data, path, value)
