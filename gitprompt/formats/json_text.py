# SPDX-License-Identifier: Apache-2.0
"""Reads JSON: standard, without duplicate keys, NaN, halves of surrogate pairs or great depth."""

from __future__ import annotations

import json
import re
from typing import Any

from gitprompt.formats.text import (
    MAX_DEPTH,
    MAX_NODES,
    FormatError,
    children,
    position,
    too_deep,
    too_large,
)


def read_json(text: str) -> Any:
    """The value. Raises FormatError."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        if may_repeat_a_key(text.encode(), compact(value)):
            # Maybe a key is there twice: read it again with hooks, which take twice as long.
            value = json.loads(text, object_pairs_hook=_unique)
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(value)
        if text.count(",") >= MAX_NODES // 2:
            _check_size(value)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"not JSON: {error.msg}", error.lineno, error.colno, hint=_json_hint(error)
        ) from None
    except UnicodeEncodeError:
        raise FormatError("a string contains half of a surrogate pair") from None
    except RecursionError:
        raise too_deep() from None
    except _Duplicate as error:
        line, column = _second_key(text, str(error))
        raise FormatError(
            f"the key '{error}' appears twice", line, column, hint="Keep one."
        ) from None
    except ValueError as error:
        raise FormatError(f"not JSON: {error}") from None
    return value


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def compact(value: Any) -> bytes:
    """JSON in UTF-8 without spaces; ValueError for what is not finite or not text."""
    return _encode(value).encode()


def may_repeat_a_key(data: bytes, encoded: bytes) -> bool:
    """Whether a key may be twice in `data`, which was read and written again as `encoded`.

    Every key has its colon. Colons inside strings are the same in both, unless one is spelled
    \\u003a; so a key that was lost makes the numbers differ.
    """
    if data.count(b":") != encoded.count(b":"):
        return True
    return b"\\" in data and b"\\u003" in data  # one byte is sought ten times as fast as five


class _Duplicate(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys: set[str] = set()
        for key, _ in pairs:
            if key in keys:
                raise _Duplicate(key)
            keys.add(key)
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _json_hint(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Extra data"):
        return "A file has exactly one document."
    if error.doc[error.pos : error.pos + 1] in ("}", "]"):
        return "A trailing comma before a closing bracket is not JSON."
    return ""


def _second_key(text: str, key: str) -> tuple[int, int]:
    matches = list(re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text))
    return position(text[: matches[1].start()]) if len(matches) > 1 else (0, 0)


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level for child in children(item)]
        if not level:
            return
    raise too_deep()


def _check_size(value: Any) -> None:
    todo, count = [value], 0
    while todo:
        count += 1
        todo.extend(children(todo.pop()))
    if count > MAX_NODES:
        raise too_large()
