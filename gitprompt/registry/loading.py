# SPDX-License-Identifier: Apache-2.0
"""What makes loading 100,000 version tags at once quick: a JSON reader at three times the speed of
`formats.read`, and no garbage collector meanwhile. docs/adr/0004 has what the profile said."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gitprompt import formats
from gitprompt.checks import schema

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_MANY = 500  # tags; a few are not worth a pause of the collector

schema.verdict("prompt")  # compiled now, and not when the first tag waits for it


@contextmanager
def undisturbed(count: int) -> Iterator[None]:
    """Nothing that is loaded makes cycles, and looking for them would take a third of the time."""
    pauses = count >= _MANY and gc.isenabled()
    if pauses:
        gc.disable()
    try:
        yield
    finally:
        if pauses:
            gc.enable()


def read(data: bytes, path: str) -> Any:
    """`formats.read` at three times its speed for JSON, with the same outcome."""
    if path.endswith(".json") and len(data) < 50_000:
        try:
            value = _decode(data)
            encoded = _encode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return formats.read(data, path)
        flat = data.count(b"[") + data.count(b"{") <= formats.MAX_DEPTH
        if flat and b"\0" not in data and not formats.may_repeat_a_key(data, encoded):
            return value
    return formats.read(data, path)
