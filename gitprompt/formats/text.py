# SPDX-License-Identifier: Apache-2.0
"""What JSON and YAML have in common here: bounds, decoding, and the error with a place."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000

Path = Sequence[str | int]


class FormatError(ValueError):
    """The bytes are not a document. Line and column count from 1; 0 if there is none."""

    def __init__(self, message: str, line: int = 0, column: int = 0, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


def decode(data: bytes) -> str:
    """Text of a file: UTF-8, at most 1 MiB, no NUL; a leading byte order mark is dropped."""
    if len(data) > MAX_BYTES:
        raise FormatError(
            f"the file has too many bytes: at most {MAX_BYTES} are read",
            hint="Move long material out of the prompt, into a variable.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = position(data[: error.start].decode("utf-8", "replace"))
        raise FormatError(
            f"byte 0x{data[error.start]:02x} is not valid UTF-8",
            line,
            column,
            hint="Save the file as UTF-8; it may be Latin-1 or UTF-16.",
        ) from None
    if "\0" in text:
        line, column = position(text[: text.index("\0")])
        raise FormatError("the file contains a NUL character", line, column)
    return text


def read_file(path: str, most: int = MAX_BYTES + 1) -> bytes:
    """The first bytes of a file: one more than may be, so that too many are seen. Raises OSError, also
    for a pipe or device, which would be waited for without end."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        return file.read(most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


_MARKERS = r"(?sm)^<{7} .*?^={7}$.*?^>{7} "


def refuse_conflict_markers(text: str) -> None:
    """Raise FormatError if a merge has left its markers in a file."""
    match = re.search(_MARKERS, text)
    if match is not None:
        line, column = position(text[: match.start()])
        raise FormatError(
            "a merge has left its conflict markers here",
            line,
            column,
            hint="Choose between the two sides, take the markers out, and git add the file.",
        )


def position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def too_deep(line: int = 0, column: int = 0) -> FormatError:
    return FormatError(f"the document is nested deeper than {MAX_DEPTH}", line, column)


def too_large(line: int = 0, column: int = 0) -> FormatError:
    return FormatError(
        f"the document has more than {MAX_NODES} values, aliases counted in full", line, column
    )
